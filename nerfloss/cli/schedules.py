"""``nerfloss schedules``: show the weight of each term over training."""

import argparse
from pathlib import Path

SUMMARY = "show the weight of every term over training, as a table or a plot"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser("schedules", help=SUMMARY, description=SUMMARY.capitalize() + ".")
    command.add_argument("overrides", nargs="*", help="as for nerfloss train, e.g. loss=neus_full")
    command.add_argument("-o", "--output", type=Path, help="a file to draw, .svg or .png")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the weights, and plot them to the file of ``-o``."""
    from nerfloss.cli.reference.weight_schedules import term_weights, weight_table, write_plot
    from nerfloss.experiments.report.table import show

    found = term_weights(options.overrides)
    show(weight_table(found))
    if options.output:
        write_plot(found, options.output)
    return 0
