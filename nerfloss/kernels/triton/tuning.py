"""How Triton's kernels share out their work, and which are used: to be measured, not derived.

`benchmarks/gpu.py` tries other ways.
"""

from dataclasses import dataclass

from nerfloss.kernels.grid_layout import GridLayout


@dataclass(frozen=True)
class Tuning:
    """Points per program and warps that share them, the order of programs, and copies of rows.

    One point per thread: its eight independent loads keep the cache busy. ``level_outer`` works on
    all points of a level before the next one, so that one level's rows stay in the cache, instead
    of on all levels of a block of points.

    A level where more than ``crowded`` additions meet in a row on average is scattered into copies
    of it, at most ``copies`` and ``private_rows`` rows in all, which are added up at the end.
    """

    block: int = 128
    warps: int = 4
    level_outer: bool = True
    crowded: int = 64
    copies: int = 32
    private_rows: int = 2**20  # 8 MB for two float32

    def copies_of(self, layout: GridLayout, points: int) -> tuple[int, ...]:
        """How many copies of its rows each level is scattered into; 1: into the table itself."""
        found = []
        for grid in layout.grids:
            crowded = 8 * points > self.crowded * grid.entries
            fitting = max(1, self.private_rows // grid.entries)
            found.append(min(self.copies, 1 << fitting.bit_length() - 1) if crowded else 1)
        return tuple(found)


MEASURED = Tuning()
