"""``nerfloss gradcheck``: every term's gradient beside finite differences."""

import argparse
import sys
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb and its options."""
    summary = "check the gradient of every term of a recipe, on quantities and through the field"
    verb = verbs.add_parser(
        "gradcheck",
        help=summary,
        description=summary.capitalize() + ". Exit status 1 where one is wrong.",
    )
    verb.add_argument("overrides", nargs="*", help="as for train.py, e.g. loss=neus_full")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Check and print. Raises ValueError for overrides that fit no configuration."""
    import torch

    from nerfloss.assembly.build import build, build_model, compose_train, seed_everything
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
