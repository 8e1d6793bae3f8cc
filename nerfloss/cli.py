"""The ``nerfloss`` command: its verbs and their options, nothing else."""

import argparse
import os
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
    _add_quantities(verbs)
    _add_schedules(verbs)
    _add_report(verbs)
    _add_bench(verbs)
    _add_docs(verbs)
    return parser


def _add_terms(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "list the loss terms and recipes with what they need, or explain one"
    verb = verbs.add_parser("terms", help=summary, description=summary.capitalize() + ".")
    verb.add_argument("name", nargs="?", help="a term or recipe to explain, e.g. eikonal")
    verb.set_defaults(verb=_terms)


def _add_quantities(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "list the quantities that a loss or a metric may ask for, and who provides them"
    verb = verbs.add_parser("quantities", help=summary, description=summary.capitalize() + ".")
    verb.set_defaults(verb=_quantities)


def _add_schedules(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "every term's weight over training, as a table and, with -o, as a plot"
    verb = verbs.add_parser("schedules", help=summary, description=summary.capitalize() + ".")
    verb.add_argument("overrides", nargs="*", help="as for train.py, e.g. loss=neus_full")
    verb.add_argument("-o", "--output", type=Path, help="a file to draw, .svg or .png")
    verb.set_defaults(verb=_schedules)


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


def _add_bench(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "milliseconds and megabytes of each loss term, forward and backward, on this machine"
    verb = verbs.add_parser("bench", help=summary, description=summary.capitalize() + ".")
    verb.add_argument("what", choices=["terms"])
    verb.add_argument("names", nargs="*", help="which terms (default: all of them)")
    sizes = {"rays": 4096, "samples": 16, "patches": 4, "height": 32, "width": 32, "points": 1024}
    for axis, size in sizes.items():
        verb.add_argument(f"--{axis}", type=int, default=size, help=f"default: {size}")
    verb.add_argument("-f", "--format", choices=["table", "markdown", "csv"], default="table")
    verb.set_defaults(verb=_bench, axes=tuple(sizes))


def _add_docs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "write docs/losses.md and its plots from the losses' docstrings and YAML files"
    verb = verbs.add_parser("docs", help=summary, description=summary.capitalize() + ".")
    verb.add_argument("folder", nargs="?", type=Path, default=Path("docs"))
    verb.add_argument("--check", action="store_true", help="write nothing; 1 if it would change")
    verb.set_defaults(verb=_docs)


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


def _quantities(_: argparse.Namespace) -> int:
    from nerfloss.reporting.quantities import quantity_table
    from nerfloss.reporting.table import show

    show(quantity_table())
    return 0


def _schedules(options: argparse.Namespace) -> int:
    from nerfloss.reporting.table import show
    from nerfloss.reporting.weights import term_weights, weight_table, write_plot

    found = term_weights(options.overrides)
    show(weight_table(found))
    if options.output:
        write_plot(found, options.output)
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


def _bench(options: argparse.Namespace) -> int:
    # The profiler that counts bytes says on stderr when it starts and stops.
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    from nerfloss.conf_files import conf_dir
    from nerfloss.reporting.costs import cost_table
    from nerfloss.reporting.report import FORMATS
    from nerfloss.reporting.table import show

    sizes = {axis: getattr(options, axis) for axis in options.axes}
    for axis, size in sizes.items():
        if size < 1:
            raise ValueError(f"--{axis} must be at least 1, got {size}")
    table = cost_table(conf_dir(), options.names, sizes)
    write = FORMATS.get(options.format)
    print(write(table), end="") if write else show(table)
    return 0


def _docs(options: argparse.Namespace) -> int:
    from nerfloss.conf_files import conf_dir
    from nerfloss.reporting.loss_page import IMAGES, loss_page
    from nerfloss.reporting.pages import stale_pages, write_pages

    pages = loss_page(conf_dir())
    stale = stale_pages(pages, options.folder, IMAGES)
    for name in stale:
        what = "is stale: run 'nerfloss docs'" if options.check else "is written anew"
        print(f"{options.folder / name} {what if name in pages else 'is no page any more'}")
    if not options.check:
        write_pages(pages, options.folder, stale)
    return 1 if options.check and stale else 0
