"""The ``nerfloss`` command: its verbs and their options, nothing else."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


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
    _add_terms(verbs)
    _add_report(verbs)
    return parser


def _add_terms(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "list the loss terms and recipes with what they need, or explain one"
    verb = verbs.add_parser("terms", help=summary, description=summary.capitalize() + ".")
    verb.add_argument("name", nargs="?", help="a term or recipe to explain, e.g. eikonal")
    verb.set_defaults(verb=_terms)


def _add_report(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "one table over the runs of a folder, e.g. of a sweep"
    verb = verbs.add_parser("report", help=summary, description=summary.capitalize() + ".")
    verb.add_argument("folder", type=Path, help="a run's folder, a sweep's, or any above them")
    verb.add_argument("-f", "--format", choices=["table", "markdown", "csv"], default="table")
    verb.add_argument("-o", "--output", type=Path, help="write there instead of printing")
    verb.add_argument(
        "-m",
        "--metrics",
        type=lambda text: text.split(","),
        default=[],
        help="which, separated by commas (default: the main ones)",
    )
    verb.set_defaults(verb=_report)


# The verbs import what they do here, so that --help answers at once: torch takes seconds.


def _terms(options: argparse.Namespace) -> int:
    from nerfloss.conf_files import conf_dir
    from nerfloss.reporting.table import show
    from nerfloss.reporting.terms import explain, list_terms

    if options.name:
        print(explain(options.name, conf_dir()), end="")
        return 0
    for table in list_terms(conf_dir()):
        show(table)
    return 0


def _report(options: argparse.Namespace) -> int:
    from nerfloss.reporting.report import FORMATS, report
    from nerfloss.reporting.table import as_markdown, show

    table = report(options.folder, metrics=options.metrics)
    write = FORMATS.get(options.format)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text((write or as_markdown)(table))
    elif write:
        print(write(table), end="")
    else:
        show(table)
    return 0
