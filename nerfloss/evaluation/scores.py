"""Results of an evaluation: scores, their conventions, and reasons where a value is missing."""

import json
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trimesh

from nerfloss.evaluation.errors import reason_for
from nerfloss.evaluation.mesh_files import write_mesh
from nerfloss.files import atomic_write

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Score:
    """One metric's value, or None and the reason; ``conventions`` state how it was measured."""

    value: float | None
    conventions: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            object.__setattr__(self, "reason", self.reason or f"the value is {self.value}")
            object.__setattr__(self, "value", None)


def mean_score(parts: Iterable[Score], conventions: Mapping[str, Any]) -> Score:
    """Return the mean over the views that have a value, and the reasons of those that have none."""
    parts = list(parts)
    values = [part.value for part in parts if part.value is not None]
    reasons = dict.fromkeys(part.reason for part in parts if part.value is None)
    reason = "; ".join(str(text) for text in reasons) if parts else "there are no views"
    if values and reason:
        reason = f"not in the mean: {len(parts) - len(values)} of {len(parts)} views: {reason}"
    return Score(
        math.fsum(values) / len(values) if values else None,
        {**conventions, "views": len(values)},
        reason or None,
    )


@dataclass(frozen=True)
class Evaluation:
    """Scores by name, a row per view, and the mesh, if any, in the data's own coordinates."""

    scores: Mapping[str, Score]
    views: tuple[Mapping[str, Any], ...] = ()
    mesh: trimesh.Trimesh | None = None

    @property
    def values(self) -> dict[str, float]:
        """Values by name, without those that are missing."""
        return {name: s.value for name, s in self.scores.items() if s.value is not None}

    def as_json(self) -> dict[str, Any]:
        """Return the content of metrics.json: values by name, null where one is missing.

        ``conventions`` and ``reasons`` have the same names; ``views`` has a row per view.
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

        A mesh that cannot be written is a warning, with its reason in metrics.json.
        """
        failed = {} if self.mesh is None else write_meshes(self.mesh, folder)
        content = self.as_json()
        content["reasons"] |= failed
        text = json.dumps(content, indent=2, allow_nan=False, default=str)
        atomic_write(folder / "metrics.json", f"{text}\n".encode())


def write_meshes(mesh: trimesh.Trimesh, folder: Path) -> dict[str, str]:
    """Write mesh.ply and mesh.glb; return the reason for each that could not be written."""
    reasons = {}
    for name in ("mesh.ply", "mesh.glb"):
        try:
            write_mesh(mesh, folder / name)
        except Exception as error:
            reason = str(error) if isinstance(error, OSError) else reason_for(error, name)
            log.warning("no %s: %s", name, reason)
            reasons[name] = reason
    return reasons
