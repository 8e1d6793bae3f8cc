"""Best-effort writes: where the disk is full, output is dropped and the run continues."""

import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


class BestEffortWriter:
    """Call a function that writes ``name``; log a warning at its first OSError.

    Later calls are tried again, since there may be space by then. What a run needs to resume is in
    its checkpoint, and a resumed run writes the rows after that again.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._warned = False

    def __call__(self, write: Callable[..., None], *given: Any) -> None:
        try:
            write(*given)
        except OSError as error:
            if not self._warned:
                log.warning("%s lacks what could not be written: %s", self.name, error)
            self._warned = True
