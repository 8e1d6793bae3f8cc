"""Progress bars of the long stages of a command, shown on a terminal only."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class StageBars:
    """Bars by the name of a stage, shown on stderr inside of a ``with`` block.

    Called with a stage, how much of it is done, and of how much. Each block begins anew, so that
    lines can be printed between two of them.
    """

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._tasks = {}

    def __enter__(self) -> "StageBars":
        console = Console(stderr=True)
        columns = TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn()
        shown = console.is_terminal
        self._bar = Progress(*columns, TimeElapsedColumn(), console=console, disable=not shown)
        self._tasks = {}
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        place: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._bar is None:
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage, total=total)
        self._bar.update(self._tasks[stage], completed=done, total=total)
