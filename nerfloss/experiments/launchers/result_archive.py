"""Transfer of a job's folder from a machine that does not share the sweep's file system."""

import io
import tarfile
import uuid
from dataclasses import dataclass
from pathlib import Path

_MARKER = ".home"


@dataclass(frozen=True)
class SweepFolder:
    """The sweep's folder, and a random token in it that detects whether a machine shares it."""

    folder: Path
    token: str

    def is_visible(self) -> bool:
        """Return True if this process sees the same folder, not another one of the same name."""
        try:
            return (self.folder / _MARKER).read_text() == self.token
        except OSError:
            return False


def mark_sweep_folder(folder: Path) -> SweepFolder:
    """Create ``folder`` if necessary, and write a new token into it."""
    folder.mkdir(parents=True, exist_ok=True)
    marked = SweepFolder(folder.resolve(), uuid.uuid4().hex)
    (folder / _MARKER).write_text(marked.token)
    return marked


def archive_of(folder: Path) -> bytes:
    """Return a gzipped tar archive of ``folder``; an empty one if it does not exist."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as archive:
        if folder.is_dir():
            archive.add(folder, arcname=".")
    return content.getvalue()


def extract(content: bytes, folder: Path) -> None:
    """Extract an archive into ``folder``; existing files are overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")
