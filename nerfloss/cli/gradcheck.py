"""``nerfloss gradcheck``: every term's gradient beside finite differences."""

import argparse
import sys
from pathlib import Path

SUMMARY = "check the gradient of every term of a recipe against finite differences"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "gradcheck",
        help=SUMMARY,
        description=SUMMARY.capitalize() + ". Exit status 1 where one is wrong.",
    )
    command.add_argument("overrides", nargs="*", help="as for train.py, e.g. loss=neus_full")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check and print. Raises ValueError for overrides that fit no configuration."""
    import torch

    from nerfloss.assembly.build import build_model, compose_train, seed_everything
    from nerfloss.assembly.instantiation import build
    from nerfloss.cli.reference.gradient_table import gradient_table
    from nerfloss.diagnostics.gradient_check import check_recipe
    from nerfloss.experiments.report.table import show

    # As with python train.py: terms that lie in the working directory can be imported.
    sys.path.insert(0, str(Path.cwd()))
    cfg = compose_train(options.overrides)
    seed_everything(cfg.seed)
    # In double precision there is nothing for a GPU to gain.
    model, recipe = build_model(cfg, torch.device("cpu")), build(cfg.loss)
    found = check_recipe(recipe, model, step=cfg.trainer.max_steps)
    show(gradient_table(found))
    return int(any(term.wrong for term in found.values()))
