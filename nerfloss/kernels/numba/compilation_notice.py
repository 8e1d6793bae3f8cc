"""A notice while CPU kernels are compiled, which happens once per installation."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress

import rich
from numba.core.event import Event, Listener, install_listener
from rich.console import Console
from rich.errors import LiveError
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

log = logging.getLogger(__name__)

MESSAGE = "compiling CPU kernels, first run only"


@contextmanager
def compilation_notice(
    console: Console | None = None,
    *,
    during: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[None]:
    """Log one line when a kernel is compiled in this context; on a terminal also show progress.

    What the main thread compiles, it compiles in the context ``during()``, e.g. of a timer that
    excludes it: a budget in seconds must not depend on what an earlier run has left on the disk.

    Kernels that are loaded from the cache on disk cause neither. numba reports compilations, not
    calls, so a call of a kernel costs the same with and without the notice.
    """
    with install_listener("numba:compile", _Notice(console or rich.get_console(), during)):
        yield


class _Notice(Listener):
    """Count compilations, which nest: a kernel compiles the functions that it calls."""

    def __init__(
        self, console: Console, during: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._during, self._entered = during, ExitStack()
        self._lock = threading.Lock()
        self._depth = self._compiled = 0
        self._logged = False
        elapsed = TimeElapsedColumn()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), elapsed)
        # Output is not redirected: a module imported meanwhile would keep the redirected stream.
        self._progress = Progress(
            *columns,
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._visible = console.is_terminal
        self._task = self._progress.add_task(MESSAGE, start=False, total=None)

    def on_start(self, event: Event) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1 and threading.current_thread() is threading.main_thread():
                self._entered.enter_context(self._during())
            if not self._logged:
                self._logged = True
                self._progress.start_task(self._task)
                folder = event.data["dispatcher"].stats.cache_path  # pyright: ignore[reportOptionalSubscript]
                log.info("%s%s", MESSAGE, f" (kept in {folder})" if folder else "")
            if self._visible and self._depth == 1:
                with suppress(LiveError):  # rich before 14.1 has one live display at a time
                    self._progress.start()

    def on_end(self, event: Event) -> None:  # noqa: ARG002 (numba's signature)
        with self._lock:
            self._depth -= 1
            self._compiled += 1
            self._progress.update(
                self._task, description=f"{MESSAGE}: {self._compiled} functions so far"
            )
            if self._depth == 0:
                self._entered.close()
                if self._visible:
                    self._progress.stop()
