"""``nerfloss list``: the parts that a run can be composed of, one line each."""

import argparse

SUMMARY = "list datasets, models, recipes, terms, balancers, samplers ... with one line each"
# Plain names of groups; any group of conf/ can be listed by its own name as well.
NAMES = {
    "datasets": "dataset",
    "models": "model",
    "recipes": "loss",
    "terms": "loss/term",
    "balancers": "loss/balancer",
    "samplers": "sampler",
    "initializations": "initialization",
    "batches": "batch",
    "appearances": "appearance",
    "cameras": "cameras",
    "experiments": "experiment",
    "hardware": "hardware",
}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser("list", help=SUMMARY, description=SUMMARY.capitalize() + ".")
    command.add_argument(
        "kind", nargs="?", help=f"{', '.join(NAMES)}, or a group of conf/; without it all but terms"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a table for each kind. Raises ValueError for an unknown one."""
    from nerfloss.cli.reference.part_table import part_table
    from nerfloss.experiments.report.table import show

    for kind, group in _asked(options.kind).items():
        show(part_table(kind, group))
    return 0


def _asked(kind: str | None) -> dict[str, str]:
    from nerfloss.assembly.config_groups import closest, config_groups

    groups = config_groups()
    if kind is None:
        return {name: group for name, group in NAMES.items() if name != "terms" and group in groups}
    group = NAMES.get(kind, NAMES.get(f"{kind}s", kind))
    if group not in groups:
        known = [*NAMES, *groups]
        hint = closest(kind, known) or f": take one of {', '.join(known)}"
        raise ValueError(f"nothing to list by the name '{kind}'{hint}")
    return {kind: group}
