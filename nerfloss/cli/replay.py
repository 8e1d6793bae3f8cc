"""``nerfloss replay``: a step that failed, made again."""

import argparse
import sys
from pathlib import Path

SUMMARY = "repeat the step at which a run failed, and name what is not finite"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "replay",
        help=SUMMARY,
        description=SUMMARY.capitalize() + ". Exit status 0 where it fails as it did, 1 where not.",
    )
    command.add_argument("file", type=Path, help="a run's failure.pt")
    command.add_argument("--device", default="auto", help="default: auto")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Replay and print. Raises ValueError for a file that holds no failed step."""
    from nerfloss.assembly.build import device_of, rebuild
    from nerfloss.cli.reference.replay_table import replay_table, verdict
    from nerfloss.diagnostics.replay import replay
    from nerfloss.experiments.report.table import show
    from nerfloss.training.checkpoint import CheckpointError
    from nerfloss.training.failure_snapshot import Failure

    # As with python train.py: terms that lie in the working directory can be imported.
    sys.path.insert(0, str(Path.cwd()))
    device = device_of(options.device)
    try:
        failure = Failure.read(options.file, device)
    except CheckpointError as error:
        raise ValueError(str(error)) from error
    model, recipe = rebuild(failure.config, device)
    found = replay(failure, model, recipe)
    show(replay_table(failure, found))
    text, same = verdict(found)
    print(text)
    return 0 if same else 1
