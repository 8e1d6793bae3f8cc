"""What an evaluation found: numbers, their conventions, and why some are missing."""

import json
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trimesh

from nerfloss.evaluation.mesh_files import write_mesh
from nerfloss.files import atomic_write

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Score:
    """One metric's value, or None and the reason; what a reader must know to compare it."""

    value: float | None
    conventions: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            object.__setattr__(self, "reason", self.reason or f"the value is {self.value}")
            object.__setattr__(self, "value", None)


def mean_score(parts: Iterable[Score], conventions: Mapping[str, Any]) -> Score:
    """Mean over the views that have a value; why the others have none stands beside it."""
    parts = list(parts)
    values = [part.value for part in parts if part.value is not None]
    reasons = dict.fromkeys(part.reason for part in parts if part.value is None)
    reason = "; ".join(str(text) for text in reasons) if parts else "there are no views"
    if values and reason:
        reason = f"left out of the mean, {len(parts) - len(values)} of {len(parts)} views: {reason}"
    return Score(
        math.fsum(values) / len(values) if values else None,
        {**conventions, "views": len(values)},
        reason or None,
    )


@dataclass(frozen=True)
class Evaluation:
    """Scores by name, a row per view, and the mesh in world units (None where there is none)."""

    scores: Mapping[str, Score]
    views: tuple[Mapping[str, Any], ...] = ()
    mesh: trimesh.Trimesh | None = None

    @property
    def values(self) -> dict[str, float]:
        """The numbers there are, by name."""
        return {name: s.value for name, s in self.scores.items() if s.value is not None}

    def as_json(self) -> dict[str, Any]:
        """The content of metrics.json: numbers by name at the top, null where there is none.

        Beside them ``conventions`` and ``reasons`` by the same names, and ``views``, a row each.
        """
        scores = self.scores.items()
        return {
            **{name: score.value for name, score in scores},
            "conventions": {name: dict(score.conventions) for name, score in scores},
            "reasons": {name: score.reason for name, score in scores if score.reason},
            "views": [dict(row) for row in self.views],
        }

    def write(self, folder: Path) -> None:
        """Write metrics.json and, where there is a mesh, mesh.ply and mesh.glb.

        A mesh that the disk does not take is a warning; the numbers have to be kept.
        """
        if self.mesh is not None:
            for ending in ("ply", "glb"):
                try:
                    write_mesh(self.mesh, folder / f"mesh.{ending}")
                except OSError as error:
                    log.warning("no mesh: %s", error)
        text = json.dumps(self.as_json(), indent=2, allow_nan=False, default=str)
        atomic_write(folder / "metrics.json", f"{text}\n".encode())
