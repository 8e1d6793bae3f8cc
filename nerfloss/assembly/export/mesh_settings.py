"""Settings of an exported mesh, checked before anything is read."""

from dataclasses import dataclass

from nerfloss.evaluation.mesh_components import COMPONENTS
from nerfloss.evaluation.surfaces.file_axes import AXES

CULLS = ("masks", "views", "region", "none")
TEXTURE_SOURCES = ("model", "photographs")
METHODS = ("auto", "level_set", "tsdf")


@dataclass(frozen=True)
class Axes:
    """The axis that is up in the written file, None as in the scene's files, and a unit's scale."""

    up: str | None = None
    unit_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.up is not None and self.up not in AXES:
            raise ValueError(f"--up {self.up} is none of {', '.join(AXES)}")
        if not 0 < self.unit_scale < float("inf"):
            raise ValueError(f"--unit-scale must be a positive number, got {self.unit_scale}")


@dataclass(frozen=True)
class MeshSettings:
    """Choices for an exported mesh.

    ``resolution`` and ``components`` extract it anew (None: as the run did, whose mesh.ply is taken
    if there is one). ``faces`` is the most that it may have, ``fill_holes`` the largest hole that
    is closed, in units of the written file. ``cull`` names rules that cut parts away. ``method``
    is ``level_set`` of the field, ``tsdf`` (fusion of rendered depth), or ``auto``: the second for
    densities, the first for signed distances. ``texture`` is the number of texels along a side of
    the image that holds the colours; None: vertices hold them. ``texture_from`` is the source of
    its colours, the ``model`` (as does None) or the training ``photographs``.
    """

    resolution: int | None = None
    components: str | None = None
    method: str = "auto"
    cull: tuple[str, ...] = ()
    faces: int | None = None
    fill_holes: float = 0.0
    watertight: bool = False
    texture: int | None = None
    texture_from: str | None = None
    axes: Axes = Axes()

    def __post_init__(self) -> None:
        for name, value, known in [
            ("components", self.components or "all", COMPONENTS),
            ("method", self.method, METHODS),
            ("texture-from", self.texture_from or "model", TEXTURE_SOURCES),
            *(("cull", rule, CULLS) for rule in self.cull),
        ]:
            if value not in known:
                raise ValueError(f"--{name} {value} is none of {', '.join(known)}")
        if "none" in self.cull and len(self.cull) > 1:
            raise ValueError("--cull none cuts nothing away: give it alone, or leave it out")
        if self.resolution is not None and self.resolution < 1:
            raise ValueError(f"--resolution must be at least 1, got {self.resolution}")
        # A closed surface has four faces or more.
        if self.faces is not None and self.faces < 4:
            raise ValueError(f"--faces must be at least 4, got {self.faces}")
        if self.texture is not None and not 16 <= self.texture <= 16384:
            raise ValueError(f"--texture must be 16 to 16384 texels, got {self.texture}")
        if self.texture_from is not None and self.texture is None:
            raise ValueError("--texture-from needs --texture N, the number of texels along a side")
        if not self.fill_holes >= 0:
            raise ValueError(f"--fill-holes must be at least 0, got {self.fill_holes}")

    @property
    def anew(self) -> bool:
        """True if the settings ask for another surface than the one that the run wrote."""
        return self.resolution is not None or self.components is not None
