"""Settings that several datasets share, with their checks and the parts that they name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import trimesh
from jaxtyping import Float

from nerfloss.data.errors import existing
from nerfloss.data.formats.meshes import read_mesh
from nerfloss.data.formats.point_files import point_quantities, read_points
from nerfloss.data.image_storage import check_image_storage
from nerfloss.data.scene import check_background
from nerfloss.data.sparse_points import SparsePoints


@dataclass(frozen=True)
class SceneSettings:
    """Settings of every dataset.

    ``background`` is the colour behind masked training views (`Scene`). With ``masks`` false the
    training views are composited on the background and have no masks; the test views keep theirs
    for the metrics. ``mesh`` names a file with the ground-truth mesh, in the coordinates of the
    data. ``image_storage`` sets where the images are kept (`Views`).

    Raises ValueError for a value that is not among the choices.
    """

    background: str = "auto"
    masks: bool | str = True
    mesh: str | None = None
    image_storage: str = "auto"

    mask_choices: ClassVar[tuple[bool | str, ...]] = (True, False)

    def __post_init__(self) -> None:
        check_background(self.background)
        check_image_storage(self.image_storage)
        if self.masks not in self.mask_choices:
            choices = ", ".join(str(choice).lower() for choice in self.mask_choices)
            raise ValueError(f"dataset.masks={self.masks!r} is none of {choices}; choose one")

    def load_mesh(self) -> Callable[[], trimesh.Trimesh] | None:
        """Read the ground-truth mesh and return a function that returns it; None if not set.

        Raises DataError for a file that cannot be used.
        """
        if self.mesh is None:
            return None
        mesh = read_mesh(self.mesh)
        return lambda: mesh


@dataclass(frozen=True)
class FileSettings:
    """Settings of datasets that are read from files.

    ``path`` is the folder of the scene. ``hold_out`` selects the test views (`split_views`).
    ``downscale`` averages square blocks of pixels with this edge length. ``points`` names a PLY
    file of sparse surface points, in the coordinates of the data.
    """

    path: str | None = None
    hold_out: Mapping[str, Any] | Sequence[str] | str | int | None = None
    downscale: int = 1
    points: str | None = None

    content: ClassVar[str]  # of the folder, for messages

    def folder(self) -> Path:
        """Return the folder of the scene. Raises DataError if it is not set or missing."""
        return existing(self.path, self.content)

    def offered(self, masks: bool) -> frozenset[str]:
        """Return the names of the quantities of the views; points are known from their header."""
        points = point_quantities(self.points) if self.points else frozenset()
        return points | {"target_rgb"} | ({"target_mask"} if masks else set())

    def load_points(self, to_world: Float[np.ndarray, "4 4"]) -> SparsePoints | None:
        """Read the sparse points and map them to scene units; None if not set."""
        return None if self.points is None else read_points(self.points, to_world)
