"""Progress of long work: the name of the present stage, how much is done, and of how much."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Show no progress."""


@contextmanager
def one_step(progress: Progress, stage: str) -> Iterator[None]:
    """Tell the begin and the end of a stage that cannot be counted."""
    progress(stage, 0, 1)
    yield
    progress(stage, 1, 1)
