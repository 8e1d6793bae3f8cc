"""Extract a triangle mesh from an implicit function: marching cubes, connected parts, colours."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from skimage.measure import marching_cubes
from torch import Tensor

from nerfloss.evaluation.crossed_cells import check_crossed_cells, crossed_cells
from nerfloss.evaluation.errors import EmptyMesh, UndefinedMetric
from nerfloss.evaluation.mesh_components import (
    COMPONENTS,
    ComponentReport,
    Components,
    VisiblePoints,
    select_components,
)
from nerfloss.evaluation.octree_sampling import sample_near_surface
from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.evaluation.region import Region
from nerfloss.evaluation.sparse_lattice import (
    COARSEST,
    FieldSampler,
    ImplicitFunction,
    SparseLattice,
)
from nerfloss.evaluation.stage_progress import Progress, one_step, silent
from nerfloss.files import format_bytes
from nerfloss.memory import free_memory

log = logging.getLogger(__name__)

LARGE_SHARE = 0.2  # of the area, from which dropped parts are warned of

# Colours of points of the surface with outward normals, seen along directions.
Colors = Callable[
    [Float[Tensor, "points 3"], Float[Tensor, "points 3"], Float[Tensor, "points 3"]],
    Float[Tensor, "points 3"],
]
# Cells by which a rendered surface may be off the extracted one.
TOLERANCE = 3.0
# For ten faces per cell of one side of the box, at 200 bytes each with what is derived from them.
BYTES_PER_SQUARE_CELL = 2000


@dataclass(frozen=True)
class ExtractedMesh:
    """A mesh in scene units, and the connected parts that were dropped."""

    mesh: trimesh.Trimesh
    components: ComponentReport


@dataclass(frozen=True)
class MeshExtraction:
    """Extraction of the level set of a function that is negative inside.

    ``resolution`` is the number of cells along the longest side of the box, rounded up to a
    multiple of 16. ``level`` is the value on the surface. ``lipschitz`` bounds the length of the
    function's gradient (1 for an exact distance): whatever lies further from the surface than it
    allows is not evaluated. None suits densities: every second node is evaluated, and all of them
    where these differ in sign. ``components`` says which connected parts are kept (``supported``,
    ``largest`` or ``all``, see `select_components`). ``chunk`` is the number of points that are
    evaluated at once.
    """

    resolution: int = 256
    level: float = 0.0
    lipschitz: float | None = 2.0
    components: str = "supported"
    chunk: int = 2**17

    def __post_init__(self) -> None:
        if self.resolution < 1 or self.chunk < 1:
            raise ValueError(
                f"eval.mesh.resolution and eval.mesh.chunk must be at least 1, got "
                f"{self.resolution} and {self.chunk}"
            )
        if self.components not in COMPONENTS:
            raise ValueError(
                f"eval.mesh.components={self.components!r} is none of {', '.join(COMPONENTS)}"
            )

    def __call__(
        self,
        implicit: ImplicitFunction,
        box: Float[Tensor, "2 3"],
        *,
        region: Region | None = None,
        visible: VisiblePoints | None = None,
        progress: Progress = silent,
    ) -> ExtractedMesh:
        """Extract the surface inside the box and the ``region`` of it, faces outward.

        Raises EmptyMesh where the level is not met, UndefinedMetric where values are not finite or
        memory does not suffice.
        """
        lattice = SparseLattice.over(box.detach().double().cpu().numpy(), self.resolution)
        check_memory(lattice, self.resolution)
        sampler = FieldSampler(
            lambda points: implicit(points) - self.level,
            lattice,
            box.device,
            ChunkSize(self.chunk, "eval.mesh.chunk"),
            region,
        )
        values = sample_near_surface(sampler, self.lipschitz, progress)
        with one_step(progress, "faces and connected parts"):
            mesh, report = select_components(
                self._marching_cubes(values, lattice),
                cast(Components, self.components),
                visible=visible,
                tolerance=TOLERANCE * float(lattice.spacing.max()),
                device=box.device,
            )
        searched = 1.0 if region is None else region.volume_fraction
        log.info("mesh: %s; extracted within %.1f %% of the box", report, 100 * searched)
        if report.rule == "supported" and report.dropped_area > LARGE_SHARE:
            log.warning(
                "mesh: %.0f %% of its area was in parts that are tiny, or that the training views "
                "do not show, as cavities, or walls before the cameras: look at the images, and "
                "at the whole mesh (eval.mesh.components=all)",
                100 * report.dropped_area,
            )
        return ExtractedMesh(mesh, report)

    def _marching_cubes(
        self, values: Float[np.ndarray, "x y z"], lattice: SparseLattice
    ) -> trimesh.Trimesh:
        low, high = float(values.min()) + self.level, float(values.max()) + self.level
        if not np.isfinite([low, high]).all():
            raise UndefinedMetric(
                f"the field is not finite everywhere in the box (it ranges from {low} to {high}), "
                "so it has no surface; the training log shows where the run diverged"
            )
        if low >= self.level or high <= self.level:
            raise EmptyMesh(
                f"the field has no surface at level {self.level:g} inside the box: its values "
                f"there range from {low:.4g} to {high:.4g}"
            )
        check_crossed_cells(crossed_cells(values < 0), lattice)
        vertices, faces, _, _ = marching_cubes(
            values, 0.0, spacing=tuple(lattice.spacing), allow_degenerate=False
        )
        return trimesh.Trimesh(vertices + lattice.low, faces, process=False)


def memory_needed(lattice: SparseLattice) -> int:
    """Return an estimate of the memory that extracting a mesh takes, in bytes."""
    return lattice.bytes_needed + BYTES_PER_SQUARE_CELL * int(lattice.cells.max()) ** 2


def check_memory(lattice: SparseLattice, resolution: int) -> None:
    """Raise UndefinedMetric, with a resolution that fits, where the memory does not suffice."""
    free, needed = free_memory(torch.device("cpu")), memory_needed(lattice)
    if free is None or needed <= free:
        return
    # The memory grows with the second to third power of the resolution: the root is safe.
    fits = int(resolution * (free / needed) ** 0.5) // COARSEST * COARSEST
    raise UndefinedMetric(
        f"a mesh at eval.mesh.resolution={resolution} needs about {format_bytes(needed)} of memory "
        f"and {format_bytes(free)} are free; use eval.mesh.resolution={max(fits, COARSEST)}"
    )


def with_vertex_colors(
    mesh: trimesh.Trimesh, colors: Colors, *, device: torch.device, chunk: int = 2**17
) -> trimesh.Trimesh:
    """Return the mesh with a colour per vertex, seen along the inverted normal."""
    points = torch.from_numpy(np.array(mesh.vertices, dtype=np.float32))
    normals = torch.from_numpy(np.array(mesh.vertex_normals, dtype=np.float32))
    rgba = np.full((len(points), 4), 255, dtype=np.uint8)

    def evaluate(rows: slice) -> None:
        at, normal = points[rows].to(device), normals[rows].to(device)
        value = colors(at, normal, -normal)
        rgba[rows, :3] = (value.clamp(0, 1) * 255).round().byte().cpu().numpy()

    with torch.no_grad():
        ChunkSize(chunk, "eval.mesh.chunk")(evaluate, len(points))
    return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=rgba, process=False)


def transformed(mesh: trimesh.Trimesh, transform: Float[np.ndarray, "4 4"]) -> trimesh.Trimesh:
    """Return the mesh in another frame; faces stay outward, also through a reflection."""
    moved = mesh.copy()
    moved.apply_transform(transform)
    return moved
