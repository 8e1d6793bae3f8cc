"""Launch settings of Triton's kernels; `benchmarks/gpu.py` compares others."""

from dataclasses import dataclass

from nerfloss.kernels.grid_layout import GridLayout


@dataclass(frozen=True)
class Tuning:
    """Points (``block``) and ``warps`` per program, the order of programs, and copies of rows.

    One point per thread: its eight independent loads hide the latency. With ``level_outer`` all
    points of a level are processed before the next level, so that its rows stay in the cache;
    else all levels of a block of points.

    A level with more than ``crowded`` additions per row on average is scattered into copies of its
    rows, at most ``copies`` and ``private_rows`` rows in all, which are summed at the end.
    """

    block: int = 128
    warps: int = 4
    level_outer: bool = True
    crowded: int = 64
    copies: int = 32
    private_rows: int = 2**20  # 8 MB for two float32

    def copies_of(self, layout: GridLayout, points: int) -> tuple[int, ...]:
        """Return the number of copies of each level's rows; 1: the table itself."""
        copies = []
        for grid in layout.grids:
            crowded = 8 * points > self.crowded * grid.entries
            fitting = max(1, self.private_rows // grid.entries)
            copies.append(min(self.copies, 1 << fitting.bit_length() - 1) if crowded else 1)
        return tuple(copies)


DEFAULT_TUNING = Tuning()
