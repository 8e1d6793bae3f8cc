"""``nerfloss gradcheck``: compare the gradient of each term with finite differences."""

import argparse

SUMMARY = "check the gradient of every term of a recipe against finite differences"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "gradcheck",
        help=SUMMARY,
        description=SUMMARY.capitalize() + ". Exit status 1 if a gradient is wrong.",
    )
    command.add_argument("overrides", nargs="*", help="as for nerfloss train, e.g. loss=neus_full")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check and print. Raises ValueError for overrides that fit no configuration."""
    import torch

    from nerfloss.assembly.build import build_model, compose_train, seed_everything
    from nerfloss.assembly.instantiation import build
    from nerfloss.cli.reference.gradient_table import gradient_table
    from nerfloss.diagnostics.gradient_check import check_recipe
    from nerfloss.experiments.report.table import show

    cfg = compose_train(options.overrides)
    seed_everything(cfg.seed)
    # Double precision is no faster on most GPUs.
    model, recipe = build_model(cfg, torch.device("cpu")), build(cfg.loss)
    found = check_recipe(recipe, model, step=cfg.trainer.max_steps)
    show(gradient_table(found))
    return int(any(term.wrong for term in found.values()))
