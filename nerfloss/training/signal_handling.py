"""Ending a run politely: Ctrl-C and SIGTERM become a flag that the loop reads between steps."""

import contextlib
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class SignalHandler:
    """Note requests to stop while the ``with`` block runs, and restore the old handlers after it.

    The first Ctrl-C or SIGTERM sets ``requested``; a Ctrl-C after that raises KeyboardInterrupt at
    once, while another SIGTERM changes nothing (a scheduler sends several before it kills).
    Signals reach the main thread only: in any other the block runs without handlers.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether somebody asked the run to stop; ``reason`` names the signal."""
        return self.reason is not None

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.requested:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.reason = signal.Signals(number).name
        # Neither print nor logging: the signal may have come while they were writing.
        with contextlib.suppress(OSError):
            os.write(2, b"\nstopping after this step and saving; Ctrl-C again aborts at once\n")
