"""Write files atomically: a reader sees the old content or the new one, never a part."""

import os
import shutil
import unicodedata
from pathlib import Path

# Control and format characters, and halves of pairs: they move the cursor, hide or reverse text.
_UNSEEN = ("Cc", "Cf", "Cs")


class WriteError(OSError):
    """A file could not be written; its previous content is unchanged."""


def atomic_write(path: Path, content: bytes | memoryview, *, durable: bool = False) -> None:
    """Write to a temporary file in the same folder, then rename it over the destination.

    With ``durable`` the content survives a power failure after this returns. Raises WriteError, an
    OSError that states the required space, and leaves no partial file.
    """
    # A fixed name: the next write overwrites the remains of a killed run.
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        _remove(unfinished)
        raise _unwritten(path, len(content), error) from error
    if durable:
        _flush_folder(path.parent)


def _unwritten(path: Path, size: int, error: OSError) -> WriteError:
    try:
        free = f"{format_bytes(shutil.disk_usage(path.parent).free)} are free"
    except OSError:
        free = "free space unknown"
    previous = "; the previous file is unchanged" if path.exists() else ""
    return WriteError(
        error.errno,
        f"{path} could not be written: {error.strerror or error} "
        f"({format_bytes(size)} are needed, {free}{previous}): free disk space, or check the disk",
    )


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the folder is missing or read-only
        return


def _flush_folder(folder: Path) -> None:
    """Flush a folder to disk, so that a rename in it is durable; a no-op except on POSIX."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def relative_to_cwd(path: Path) -> Path:
    """Return a path relative to the working directory if it lies in it, else unchanged."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def format_bytes(count: float | int) -> str:
    """Return a number of bytes with a unit that keeps it short, e.g. ``3.2 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def printable(text: str, *, keep: str = "") -> str:
    """Return text with control and format characters as escapes, such as ``\\x1b``.

    A terminal obeys them: a name in a stranger's file could clear the screen, or look like another.
    Characters in ``keep`` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        each
        if each in keep or unicodedata.category(each) not in _UNSEEN
        else each.encode("unicode_escape", "backslashreplace").decode("ascii")
        for each in text
    )
