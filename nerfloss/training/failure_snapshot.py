"""Snapshot of a failed training step: everything needed to repeat it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nerfloss.geometry import Rays
from nerfloss.training import checkpoint

FILE = "failure.pt"


@dataclass(frozen=True)
class Failure:
    """Inputs and states of a failed step.

    Args:
        config: the run's configuration as text.
        step: the number of steps completed before.
        at: the position on the schedules, ``step`` and ``progress``.
        seed: the seed of the step's generator.
        generator, torch_rng: states of the step's and of torch's generator after sampling.
        model: state of the model; its parameters are those before the step. A sampler without
            parameters is left out.
        recipe: state of the recipe before the step.
        rays: the rays of all processes.
        samples: the intervals along the rays. A sampler with parameters samples again in a replay,
            because gradients pass through it.
        targets: the target values of the rays.
        fault: kind and location of the non-finite value, as plain values.
        interventions: the newest change of each weight that was not the configured one, as plain
            values; none in files of earlier versions.
    """

    config: str
    step: int
    at: Mapping[str, Any]
    seed: int
    generator: Tensor
    torch_rng: Tensor
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    rays: Rays
    samples: Mapping[str, Any]
    targets: Mapping[str, Any]
    fault: Mapping[str, Any]
    interventions: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def read(cls, path: Path | str, device: torch.device | str = "cpu") -> "Failure":
        """Read a failed step, its tensors on ``device``.

        Raises FileNotFoundError for a missing file, CheckpointError for a damaged or foreign one
        and ValueError for a checkpoint.
        """
        state = checkpoint.load(path)
        if "fault" not in state:
            raise ValueError(f"{path} is a checkpoint, no failed step: give a run's {FILE}")
        moved = {name: _to(device, state[name]) for name in ("rays", "samples", "targets")}
        return cls(**{**state, **moved, "rays": Rays(**moved["rays"])})

    def write(self, path: Path) -> None:
        """Write the snapshot atomically. Raises OSError where that fails."""
        state = {each.name: getattr(self, each.name) for each in fields(self)}
        state["rays"] = {each.name: getattr(self.rays, each.name) for each in fields(self.rays)}
        checkpoint.save(path, state)


def _to(device: torch.device | str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _to(device, each) for name, each in value.items()}
    return value.to(device) if isinstance(value, Tensor) else value
