"""``nerfloss terms``: list the loss terms and recipes, or explain one."""

import argparse

SUMMARY = "list the loss terms and recipes with what they need, or explain one"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser("terms", help=SUMMARY, description=SUMMARY.capitalize() + ".")
    command.add_argument("name", nargs="?", help="a term or recipe to explain, e.g. eikonal")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the tables."""
    from nerfloss.assembly.config_files import conf_dir
    from nerfloss.cli.reference.term_help import explain, list_terms
    from nerfloss.experiments.report.table import show

    if options.name:
        print(explain(options.name, conf_dir()), end="")
        return 0
    for table in list_terms(conf_dir()):
        show(table)
    return 0
