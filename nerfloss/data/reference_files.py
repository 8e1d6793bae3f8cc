"""Files with the reference geometry of a benchmark's scene, for its evaluation protocol."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class ReferenceFiles:
    """The files of a benchmark that its evaluation needs; None for those that are not there.

    ``points`` is the scanned point cloud. ``to_reference`` maps the coordinates of the scene's
    files to those of ``points``; None: it is not known. DTU: ``observed`` is ObsMask (where the
    scanner saw the scene), ``plane`` the plane of the table; both in the coordinates of ``points``.
    Tanks and Temples: ``crop`` is the volume that is scored, in the coordinates of ``points``,
    ``alignment`` the file of ``to_reference``, ``trajectory`` the poses for which that holds. No
    file has been read, but for ``crop``, ``alignment`` and ``trajectory`` by the reader of the
    layout.
    """

    points: Path | None = None
    to_reference: Float[np.ndarray, "4 4"] | None = None
    observed: Path | None = None
    plane: Path | None = None
    crop: Path | None = None
    alignment: Path | None = None
    trajectory: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are there."""
        named = (self.points, self.observed, self.plane, self.crop, self.alignment, self.trajectory)
        return tuple(path for path in named if path is not None)
