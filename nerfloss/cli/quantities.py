"""``nerfloss quantities``: list the quantities that losses and metrics may use."""

import argparse

SUMMARY = "list the quantities that losses and metrics may use"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "quantities", help=SUMMARY, description=SUMMARY.capitalize() + "."
    )
    command.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print the tables."""
    from nerfloss.cli.reference.quantity_table import quantity_table
    from nerfloss.experiments.report.table import show

    show(quantity_table())
    return 0
