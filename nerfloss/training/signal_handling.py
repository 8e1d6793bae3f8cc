"""Signal handling: Ctrl-C and SIGTERM set a flag that the training loop reads between steps."""

import contextlib
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class SignalHandler:
    """Record requests to stop during the ``with`` block, and restore the old handlers after it.

    The first Ctrl-C or SIGTERM sets ``reason`` to the name of the signal. A Ctrl-C after that
    raises KeyboardInterrupt at once; another SIGTERM is ignored, since schedulers send several
    before they kill a process. Python delivers signals to the main thread only: in any other
    thread the block runs without handlers.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "SignalHandler":
        self.reason = None
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
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

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.reason is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.reason = signal.Signals(number).name
        # Neither print nor logging: the signal may have interrupted a write of theirs.
        with contextlib.suppress(OSError):
            os.write(2, b"\nstopping after this step and saving; Ctrl-C again aborts at once\n")
