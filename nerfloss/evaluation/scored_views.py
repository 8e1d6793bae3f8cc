"""Which views of a split are scored: all, or as many as cost no more than the training did."""

from collections.abc import Sequence
from dataclasses import dataclass

# A ray is trained on at the cost of about four that are rendered (forward and backward pass, Adam).
RENDERED_PER_TRAINED_RAY = 4
# Rays that are rendered in any case: about half a minute on one CPU core.
ALWAYS_RENDERED = 4_000_000
# However large: fewer say nothing of the spread over views.
LEAST_VIEWS = 3


@dataclass(frozen=True)
class ScoredViews:
    """Indices of the views that are scored, of a split of ``total`` views."""

    indices: tuple[int, ...]
    total: int

    @property
    def conventions(self) -> dict[str, str]:
        """Return what is stated beside scores: which views, where not all are scored."""
        if len(self.indices) == self.total:
            return {}
        listed = ", ".join(map(str, self.indices[:10])) + (
            ", ..." if len(self.indices) > 10 else ""
        )
        return {"scored_views": f"{len(self.indices)} of {self.total}, evenly spaced: {listed}"}

    def message(self, asked: int | str) -> str:
        """Return which views are scored, and where they are not what was ``asked`` for, why."""
        why = "; rendering all takes longer than the training did: eval.views=all scores all"
        return self.conventions.get("scored_views", "all") + (why if asked == "auto" else "")


def check_views(asked: int | str) -> None:
    """Raise ValueError for an ``eval.views`` that is neither auto, all, nor a positive number."""
    if asked not in ("auto", "all") and not (isinstance(asked, int) and asked >= 1):
        raise ValueError(f"eval.views={asked} must be auto, all, or a number of views from 1 on")


def scored_views(
    pixels: Sequence[int], asked: int | str = "auto", *, trained_rays: int = 0
) -> ScoredViews:
    """Choose the views to score from the number of pixels of each.

    ``asked`` is ``all``, a number of views, or ``auto``: all, unless their rays are more than four
    million and more than four times the ``trained_rays``; then as many as that allows, at least
    three. They are evenly spaced, and the same for runs with as many trained rays.
    """
    total = len(pixels)
    count = total
    if isinstance(asked, int):
        count = min(asked, total)
    elif asked == "auto" and total:
        allowed = max(ALWAYS_RENDERED, RENDERED_PER_TRAINED_RAY * trained_rays)
        if sum(pixels) > allowed:
            count = min(total, max(LEAST_VIEWS, int(allowed * total / sum(pixels))))
    indices = tuple((2 * number + 1) * total // (2 * count) for number in range(count))
    return ScoredViews(indices, total)
