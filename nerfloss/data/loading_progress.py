"""Lines in the log while many images are read."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

log = logging.getLogger(__name__)

Item = TypeVar("Item")
# Seconds without a line. Shorter work is silent.
EVERY = 10.0


def logged_progress(items: Iterable[Item], count: int, what: str) -> Iterator[Item]:
    """Yield the items, and log from time to time how many of ``count`` have been yielded."""
    begin = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said < EVERY and not (done == count and said > begin):
            continue
        said, rest = now, (now - begin) / done * (count - done)
        end = f"about {rest:.0f} s left" if done < count else f"{now - begin:.0f} s"
        log.info("%s: %d of %d, %s", what, done, count, end)
