"""What a job's folder says of it: not begun, begun, finished; and whether it is this job at all."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nerfloss.assembly.provenance import FAILED, config_hash, read_provenance


class OtherRun(ValueError):
    """A folder in which a job is to work holds the run of another configuration."""


def scores_of(folder: Path) -> Mapping[str, float] | None:
    """The numbers in metrics.json; None where a run has not come to its end."""
    try:
        content = json.loads((folder / "metrics.json").read_text())
    except (FileNotFoundError, ValueError):  # a killed run may leave half a file
        return None
    numbers = (int, float)
    return {k: v for k, v in content.items() if isinstance(v, numbers) and not isinstance(v, bool)}


def is_finished(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether the run of this configuration ended in this folder, so that it need not run again.

    Raises OtherRun where the folder's results are those of another configuration, or where nothing
    says of which.
    """
    earlier, checkpoint = read_provenance(folder), checkpoint_of(folder)
    scores = scores_of(folder)
    if earlier is None:
        if scores is None and checkpoint is None:
            return False
        raise OtherRun(
            f"{folder} holds a run, but no provenance.json that says of which configuration: "
            f"sweep into another folder (hydra.sweep.dir=...), or delete this one"
        )
    if earlier.get("config_hash") != config_hash(config):
        raise OtherRun(
            f"{folder} holds the run of another configuration (it was begun by "
            f"'{earlier.get('command')}'): sweep into another folder (hydra.sweep.dir=...), or "
            f"delete this one to run it anew"
        )
    return scores is not None


def checkpoint_of(folder: Path) -> Path | None:
    """Where a run that has begun goes on."""
    path = folder / "checkpoints" / "last.pt"
    return path if path.is_file() else None


def failure_of(folder: Path) -> str | None:
    """The error that ended the run in this folder; None if none did."""
    record = read_provenance(folder)
    return str(record["error"]) if record is not None and record["status"] == FAILED else None


def told(scores: Mapping[str, float], names: Sequence[str]) -> Any:
    """The scores that a sweeper is told: one number, or a tuple; None for those without a value."""
    values = tuple(scores.get(name) for name in names)
    return values[0] if len(values) == 1 else values or None
