"""Results to one place: a job's folder sent home by a machine that does not share the sweep's."""

import io
import tarfile
import uuid
from dataclasses import dataclass
from pathlib import Path

_MARK = ".home"


@dataclass(frozen=True)
class Home:
    """The sweep's folder, and a word in it by which other machines know whether they see it."""

    folder: Path
    word: str

    def is_here(self) -> bool:
        """Whether this process sees the folder itself, and not another one of the same name."""
        try:
            return (self.folder / _MARK).read_text() == self.word
        except OSError:
            return False


def home_at(folder: Path) -> Home:
    """Mark ``folder``, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    home = Home(folder.resolve(), uuid.uuid4().hex)
    (folder / _MARK).write_text(home.word)
    return home


def packed(folder: Path) -> bytes:
    """Everything in ``folder``; nothing where it does not exist."""
    parcel = io.BytesIO()
    with tarfile.open(fileobj=parcel, mode="w:gz", compresslevel=1) as archive:
        if folder.is_dir():
            archive.add(folder, arcname=".")
    return parcel.getvalue()


def unpack(parcel: bytes, folder: Path) -> None:
    """Put a parcel's files into ``folder``, over those of an earlier try."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(parcel), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")
