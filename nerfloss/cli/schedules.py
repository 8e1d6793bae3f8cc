"""``nerfloss schedules``: every term's weight over training."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb and its options."""
    summary = "every term's weight over training, as a table and, with -o, as a plot"
    verb = verbs.add_parser("schedules", help=summary, description=summary.capitalize() + ".")
    verb.add_argument("overrides", nargs="*", help="as for train.py, e.g. loss=neus_full")
    verb.add_argument("-o", "--output", type=Path, help="a file to draw, .svg or .png")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Print the weights, and draw them where ``-o`` says."""
    from nerfloss.cli.reference.weight_schedules import term_weights, weight_table, write_plot
    from nerfloss.experiments.report.table import show

    found = term_weights(options.overrides)
    show(weight_table(found))
    if options.output:
        write_plot(found, options.output)
    return 0
