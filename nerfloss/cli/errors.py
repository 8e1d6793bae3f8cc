"""Errors as a user sees them: one message for a mistake in the input, a traceback for a bug.

An exception that a ``raise`` statement of this package raises carries a message for the user; so do
Hydra's errors about the configuration, missing packages and files that cannot be opened. Everything
else is a bug: in code that a configuration names, of which the lines are printed, or here, and then
the whole traceback is.
"""

import dis
import os
import sys
import traceback
from importlib import metadata
from types import TracebackType

from nerfloss.cli.own_code import own_place, own_traceback
from nerfloss.files import printable

MISTAKE, BUG, INTERRUPTED = 2, 1, 130
VARIABLE = "NERFLOSS_TRACEBACK"
_PACKAGES = ("nerfloss", "hydra_plugins")
_ALWAYS_BUGS = (AssertionError, NotImplementedError, AttributeError)


def print_error(error: BaseException) -> int:
    """Print an error on stderr as a message or with its traceback; return the exit status."""
    message = message_of(error)
    text = own_traceback(error) if message is None else message
    if text is None or os.environ.get(VARIABLE):
        traceback.print_exception(error)
    else:
        print(printable(text, keep="\n\t"), file=sys.stderr)
    return BUG if message is None else MISTAKE


def message_of(error: BaseException) -> str | None:
    """Return the message for a mistake of the user; None for a bug."""
    from nerfloss.cli.hydra_messages import hydra_message

    if (text := hydra_message(error)) is not None:
        return f"error: {text}"
    # One that is raised here names what needs the package, and the extra, itself.
    if isinstance(error, ModuleNotFoundError) and not (
        _is_ours(error.name or "") or _raised_here(error)
    ):
        return f"error: {_missing_package(error)}"
    if isinstance(error, OSError) and error.filename is not None and not _raised_here(error):
        return f"error: {error.filename}: {error.strerror}"
    if not _raised_here(error):
        return None
    kind = type(error)
    notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return f"{kind.__name__ if _is_ours(kind.__module__) else 'error'}: {text}{notes}"


def short_message(error: BaseException) -> str:
    """Return one line about an error of any kind."""
    text = message_of(error) or f"{type(error).__name__}: {error}{own_place(error)}"
    return " ".join(text.split())


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _PACKAGES


def _raised_here(error: BaseException) -> bool:
    """Tell whether a ``raise`` statement of this package raised the error."""
    place = _innermost(error.__traceback__)
    if place is None or isinstance(error, _ALWAYS_BUGS):
        return False
    code = place.tb_frame.f_code
    raised = dis.opname[code.co_code[place.tb_lasti]] == "RAISE_VARARGS"
    return raised and _is_ours(place.tb_frame.f_globals.get("__name__", ""))


def _innermost(place: TracebackType | None) -> TracebackType | None:
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place


def _missing_package(error: ModuleNotFoundError) -> str:
    name = (error.name or "").partition(".")[0]
    extras = _extras_with(name)
    package = f"'nerfloss[{extras[0]}]'" if extras else name
    return f"the package '{name}' is not installed: pip install {package}"


def _extras_with(module: str) -> list[str]:
    """Return the extras of nerfloss that install a module, by the distribution's name."""
    try:
        required = metadata.requires("nerfloss") or []
    except metadata.PackageNotFoundError:
        return []
    name = module.replace("_", "-").lower()
    found = []
    for line in required:
        package, _, marker = line.partition(";")
        extra = marker.partition("extra ==")[2].strip().strip("'\"")
        if extra and package.strip().lower().startswith(name):
            found.append(extra)
    return found
