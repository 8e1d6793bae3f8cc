"""Writing to a disk that may be full: what it cannot take is lost, and the run goes on."""

import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


class BestEffortWriter:
    """Calls what writes ``name``, and says once that it could not.

    Every later call is made again: there may be room by then. What a run needs to go on is in its
    checkpoint, and the rows that come after that are written anew when it does.
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
