"""The ``nerfloss`` command: which verbs it has, and how it fails."""

import argparse
import sys
from collections.abc import Sequence

from nerfloss.cli import (
    bench,
    compare,
    docs,
    gradcheck,
    quantities,
    replay,
    report,
    schedules,
    terms,
)

VERBS = (terms, quantities, schedules, report, compare, replay, gradcheck, bench, docs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; 0 if it went well, 2 with a line on stderr if what was asked cannot be done."""
    options = _parser().parse_args(arguments)
    try:
        return options.verb(options)
    except (FileNotFoundError, ValueError) as error:
        print(f"nerfloss: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a pipe, e.g. head, has seen enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nerfloss",
        description="Everything that is neither training nor evaluation "
        "(those are 'python train.py' and 'python eval.py').",
    )
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    for verb in VERBS:
        verb.add(verbs)
    return parser
