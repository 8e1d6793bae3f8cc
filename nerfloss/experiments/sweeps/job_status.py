"""Status of a job, read from its folder: not started, interrupted, failed or finished."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nerfloss.assembly.provenance import FAILED, config_hash, read_provenance


class ConfigurationMismatch(ValueError):
    """The folder of a job contains the run of another configuration."""


def scores_of(folder: Path) -> Mapping[str, float] | None:
    """Return the numbers in metrics.json; None for an unfinished run."""
    try:
        content = json.loads((folder / "metrics.json").read_text())
    except (FileNotFoundError, ValueError):  # a killed run may leave a partial file
        return None
    numbers = (int, float)
    return {k: v for k, v in content.items() if isinstance(v, numbers) and not isinstance(v, bool)}


def is_finished(folder: Path, config: Mapping[str, Any]) -> bool:
    """Return True if the folder contains the finished run of this configuration.

    Raises ConfigurationMismatch if it contains the run of another or an unknown configuration.
    """
    earlier, checkpoint = read_provenance(folder), checkpoint_of(folder)
    scores = scores_of(folder)
    if earlier is None:
        if scores is None and checkpoint is None:
            return False
        raise ConfigurationMismatch(
            f"{folder} contains a run without provenance.json, so its configuration is unknown: "
            f"sweep into another folder (hydra.sweep.dir=...), or delete this one"
        )
    if earlier.get("config_hash") != config_hash(config):
        raise ConfigurationMismatch(
            f"{folder} holds the run of another configuration (started by "
            f"'{earlier.get('command')}'): sweep into another folder (hydra.sweep.dir=...), or "
            f"delete this one to run it anew"
        )
    return scores is not None


def checkpoint_of(folder: Path) -> Path | None:
    """Return the last checkpoint, if there is one."""
    path = folder / "checkpoints" / "last.pt"
    return path if path.is_file() else None


def failure_of(folder: Path) -> str | None:
    """Return the error that ended the run; None if it did not fail."""
    record = read_provenance(folder)
    return str(record["error"]) if record is not None and record["status"] == FAILED else None


def objective_values(scores: Mapping[str, float], names: Sequence[str]) -> Any:
    """Return the objectives for the sweeper: one number or a tuple, None for missing scores."""
    values = tuple(scores.get(name) for name in names)
    return values[0] if len(values) == 1 else values or None
