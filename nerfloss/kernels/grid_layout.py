"""The memory layout of a multi-resolution grid: resolution, offset and hashing of its levels."""

from dataclasses import dataclass
from functools import cached_property

# One factor per axis, multiplied modulo 2^32 and joined by xor, as in instant-ngp. The first is 1
# so that neighbours along x stay neighbours in memory.
HASH_FACTORS = (1, 2654435761, 805459861)


@dataclass(frozen=True)
class Level:
    """One resolution: ``resolution`` cells along each axis of the unit cube.

    Its features are the rows ``offset : offset + entries`` of the table. Where it is ``dense``
    every vertex owns a row, x running fastest; else rows are shared by hashing, and ``entries`` is
    a power of two.
    """

    resolution: int
    offset: int
    entries: int
    dense: bool


@dataclass(frozen=True)
class GridLayout:
    """Grids of increasing resolution over the unit cube, stored in one table ``entries features``.

    Resolutions grow geometrically from ``base_resolution`` to ``max_resolution`` cells per axis. A
    level whose vertices fit into ``2^log2_hashmap_size`` rows is stored densely, the others share
    that many rows.

    Reference: Müller et al., "Instant Neural Graphics Primitives with a Multiresolution Hash
    Encoding", SIGGRAPH 2022.
    """

    levels: int = 8
    features: int = 2
    log2_hashmap_size: int = 16
    base_resolution: int = 16
    max_resolution: int = 256

    def __post_init__(self) -> None:
        for name in ("levels", "features", "log2_hashmap_size", "base_resolution"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"a grid needs {name} >= 1, got {name}={value}")
        if self.log2_hashmap_size > 30:
            raise ValueError(
                "a grid needs log2_hashmap_size <= 30, got "
                f"log2_hashmap_size={self.log2_hashmap_size}"
            )
        if self.max_resolution < self.base_resolution:
            raise ValueError(
                "a grid needs base_resolution <= max_resolution, got "
                f"base_resolution={self.base_resolution}, max_resolution={self.max_resolution}"
            )
        if self.entries >= 2**32:
            raise ValueError(f"a grid needs less than 2^32 rows, got {self.entries}: {self}")

    @cached_property
    def grids(self) -> tuple[Level, ...]:
        """Return the levels, coarsest first."""
        growth = (self.max_resolution / self.base_resolution) ** (1 / max(1, self.levels - 1))
        grids, offset = [], 0
        for level in range(self.levels):
            resolution = round(self.base_resolution * growth**level)
            vertices = (resolution + 1) ** 3
            dense = vertices <= 2**self.log2_hashmap_size
            entries = vertices if dense else 2**self.log2_hashmap_size
            grids.append(Level(resolution, offset, entries, dense))
            offset += entries
        return tuple(grids)

    @property
    def entries(self) -> int:
        """Return the number of rows of the table."""
        return self.grids[-1].offset + self.grids[-1].entries

    @property
    def channels(self) -> int:
        """Return the number of features per point, over all levels."""
        return self.levels * self.features
