"""``nerfloss quantities``: list what a loss or a metric may ask for."""

import argparse


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb and its options."""
    summary = "list the quantities that a loss or a metric may ask for, and who provides them"
    verb = verbs.add_parser("quantities", help=summary, description=summary.capitalize() + ".")
    verb.set_defaults(verb=run)


def run(_: argparse.Namespace) -> int:
    """Print the tables."""
    from nerfloss.cli.reference.quantity_table import quantity_table
    from nerfloss.experiments.report.table import show

    show(quantity_table())
    return 0
