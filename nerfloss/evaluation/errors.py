"""Errors of metrics without a value, and the reason that a report gives for any error."""

import logging

from nerfloss.memory import OutOfMemory, ran_out

log = logging.getLogger(__name__)


class UndefinedMetric(ValueError):
    """The metric has no value for this input; the message is the reason that the report gives."""


class EmptyMesh(UndefinedMetric):
    """The mesh has no surface to measure or to export."""


def reason_for(error: Exception, task: str, remedy: str = "") -> str:
    """Return why a ``task`` has no result, in one line; the traceback is logged for debugging.

    The messages of UndefinedMetric and OutOfMemory are reasons as they are. ``remedy`` says what to
    do where memory ran out.
    """
    if isinstance(error, UndefinedMetric | OutOfMemory):
        return str(error)
    log.debug("%s failed", task, exc_info=error)
    first_line = (str(error).strip().splitlines() or [""])[0]
    if ran_out(error):
        return f"out of memory in {task}{f': {remedy}' if remedy else ''}"
    return f"{task} failed: {type(error).__name__}: {first_line}".rstrip(": ")
