"""Where code that a configuration names, for instance a user's own loss, has failed."""

import sysconfig
import traceback
from pathlib import Path

import nerfloss

# Folders of code that the user has not written: ours and Python's, and those of packages.
_FOREIGN = tuple(
    str(Path(folder).resolve())
    for folder in (
        *nerfloss.__path__,
        Path(nerfloss.__path__[0]).parent / "hydra_plugins",
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib")),
    )
)
_OF_PACKAGES = {"site-packages", "dist-packages"}


def own_calls(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the calls in a traceback that lie in the user's own files, outermost first."""
    frames = traceback.walk_tb(error.__traceback__)
    summaries = traceback.extract_tb(error.__traceback__)
    return [
        summary
        for (frame, _), summary in zip(frames, summaries, strict=True)
        if frame.f_globals.get("__name__") != "__main__" and _is_own(summary.filename)
    ]


def own_traceback(error: BaseException) -> str | None:
    """Return the error with the user's own lines that led to it; None where no line is."""
    if not (calls := own_calls(error)):
        return None
    listed = "".join(traceback.format_list(calls))
    reason = "".join(traceback.format_exception_only(error)).rstrip()
    return f"error in your own code:\n{listed}{reason}\n(--traceback shows every call)"


def own_place(error: BaseException) -> str:
    """Return the innermost of the user's own lines, e.g. `` (losses.py, line 4)``, or ''."""
    calls = own_calls(error)
    return f" ({Path(calls[-1].filename).name}, line {calls[-1].lineno})" if calls else ""


def _is_own(file: str) -> bool:
    if file.startswith("<"):
        return False
    path = Path(file).resolve()
    installed = _OF_PACKAGES.intersection(path.parts)
    return not installed and not any(path.is_relative_to(folder) for folder in _FOREIGN)
