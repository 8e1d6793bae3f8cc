"""``nerfloss replay``: repeat a training step that failed."""

import argparse
from pathlib import Path

SUMMARY = "repeat the step at which a run failed, and name what is not finite"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "replay",
        help=SUMMARY,
        description=SUMMARY.capitalize() + ". Exit status 0 if it fails as before, else 1.",
    )
    command.add_argument("file", type=Path, help="a run's failure.pt")
    command.add_argument("--device", default="auto", help="default: auto")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Replay and print. Raises ValueError for a file without a failed step."""
    from nerfloss.assembly.build import device_of, rebuild
    from nerfloss.cli.reference.replay_table import changed_weights, outcome, replay_table
    from nerfloss.diagnostics.replay import replay
    from nerfloss.experiments.report.table import show
    from nerfloss.training.checkpoint import CheckpointError
    from nerfloss.training.failure_snapshot import Failure

    device = device_of(options.device)
    try:
        failure = Failure.read(options.file, device)
    except CheckpointError as error:
        raise ValueError(str(error)) from error
    model, recipe = rebuild(failure.config, device, options.file)
    for note in changed_weights(failure):
        print(note)
    found = replay(failure, model, recipe)
    show(replay_table(failure, found))
    text, same = outcome(found)
    print(text)
    return 0 if same else 1
