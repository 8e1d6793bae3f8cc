"""Find the file that a layout names, with or without its ending, in another case, or moved."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from nerfloss.data.errors import DataError

HEIC_ENDINGS = (".heic", ".heif")
# Of what cameras write and people export. In order of preference where several files differ by
# their ending only.
PHOTOGRAPHS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".avif",
    *HEIC_ENDINGS,
)
IMAGE_ENDINGS = (*PHOTOGRAPHS, ".jp2", ".gif", ".tga", ".ppm", ".pgm", ".exr")
MAP_ENDINGS = (".npy", ".npz", *IMAGE_ENDINGS)  # of depth and normal maps


def find_image(folder: Path, name: str, endings: Sequence[str] = IMAGE_ENDINGS) -> Path | None:
    """Return the file in ``folder`` that ``name`` means, None if there is none.

    The name may lack its ending, or have another ending or another case than the file, backslashes,
    or be a path of another computer, of which the last parts exist in ``folder``. To find many
    files, keep one `FileFinder`, which lists each folder once.
    """
    return FileFinder(folder).find(name, endings)


def without_ending(path: str | PurePosixPath) -> str:
    """Return a path without its last ending, if that is the ending of an image or a map.

    ``render.0003.png`` is ``render.0003``, and ``render.0003`` stays.
    """
    pure = PurePosixPath(path)
    return str(pure.with_suffix("") if pure.suffix.lower() in MAP_ENDINGS else pure)


class FileFinder:
    """The files under one folder; each folder is listed once.

    ``choices`` has an entry for each name that several files fit, and ``moved`` each name of a path
    of another computer. Files outside of ``folder`` and of the folders ``also`` are refused unless
    ``outside``: names are read from files, which may be anyone's. A symbolic link in the folder
    counts as the file in it, wherever it leads.
    """

    def __init__(self, folder: Path, *, outside: bool = False, also: Sequence[Path] = ()) -> None:
        self.folder = folder
        self.inside = None if outside else tuple(map(os.path.abspath, (folder, *also)))
        self.choices: dict[str, tuple[str, ...]] = {}
        self.moved: dict[str, str] = {}
        self._listings: dict[Path, dict[str, list[str]]] = {}

    def find(
        self, name: str, endings: Sequence[str] = IMAGE_ENDINGS, *, key: str = "file_path"
    ) -> Path | None:
        """Return the file that ``name`` means, as `find_image` does.

        Raises DataError, with ``key``, for a file outside of the folders.
        """
        pure = PurePosixPath(name.replace("\\", "/"))
        if not pure.name or "\0" in name:
            return None
        exact = self.folder / name
        found = exact if is_file(exact) else self._find_in(self.folder, pure.parts, endings)
        refused = found if found is not None and not self._is_inside(found) else None
        if found is not None and refused is None:
            return found
        if pure.is_absolute() or ".." in pure.parts or ":" in pure.parts[0]:
            for first in range(1, len(pure.parts)):
                tail = pure.parts[first:]
                found = None if ".." in tail else self._find_in(self.folder, tail, endings)
                if found is not None:
                    self.moved[name] = str(PurePosixPath(*tail))
                    return found
        if refused is not None:
            raise DataError(
                self.folder,
                f"{key} '{name}' of its views lies outside of this folder",
                "copy the file into the folder, or set dataset.outside=true if you trust whoever "
                "made the scene",
            )
        return None

    def _is_inside(self, path: Path) -> bool:
        # Lexically: symbolic links are the user's own.
        place = Path(os.path.abspath(path))
        return self.inside is None or any(place.is_relative_to(each) for each in self.inside)

    def beside(self, name: str) -> str:
        """Return a description of what lies where a file of this name is missing."""
        parts = PurePosixPath(name.replace("\\", "/")).parts[:-1]
        folder = self.folder.joinpath(*parts) if "\0" not in name else self.folder
        names = sorted({each for group in self._listing(folder).values() for each in group})
        shown = PurePosixPath(*parts) if parts else PurePosixPath(self.folder.name)
        if not names:
            return f"{shown}/ {_why_nothing(folder)}"
        more = f", ... ({len(names)} entries)" if len(names) > 3 else ""
        return f"{shown}/ holds {', '.join(names[:3])}{more}"

    def _find_in(self, folder: Path, parts: Sequence[str], endings: Sequence[str]) -> Path | None:
        """Return the file at ``parts`` below ``folder``, folders compared without case."""
        for part in parts[:-1]:
            exact = folder / part
            if part not in (".", "..", "/") and not is_folder(exact):
                others = self._listing(folder).get(_key(part), [])
                exact = folder / others[0] if len(others) == 1 else exact
            folder = exact
        listing, last = self._listing(folder), parts[-1]
        same = self._pick(folder, last, listing.get(_key(last), []))
        if same is not None:
            return same
        stems = [last]
        if PurePosixPath(last).suffix.lower() in endings:
            stems.append(PurePosixPath(last).stem)
        for stem in stems:
            keys = [_key(stem + ending) for ending in endings]
            found = [each for key in keys for each in listing.get(key, [])]
            picked = self._pick(folder, stem, found)
            if picked is not None:
                return picked
        return None

    def _pick(self, folder: Path, wanted: str, names: Sequence[str]) -> Path | None:
        """Return the first file, those that have ``wanted``'s case before others."""
        files = [name for name in names if is_file(folder / name)]
        if not files:
            return None
        files.sort(key=lambda name: not name.startswith(wanted))
        if len(files) > 1:
            self.choices[str(PurePosixPath(folder / wanted))] = tuple(files)
        return folder / files[0]

    def _listing(self, folder: Path) -> dict[str, list[str]]:
        """Return the entries of a folder by the keys of their names; none if it is missing."""
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            try:
                names = sorted(os.listdir(folder))
            except (OSError, ValueError):
                names = []
            for name in names:
                listing.setdefault(_key(name), []).append(name)
            self._listings[folder] = listing
        return self._listings[folder]


def _why_nothing(folder: Path) -> str:
    """Return why a folder lists no names."""
    if not is_folder(folder):
        return "does not exist"
    try:
        os.scandir(folder).close()
    except OSError as error:
        return f"may not be read: {error.strerror}"
    return "is empty"


def _key(name: str) -> str:
    """Return a name without case; composed, as macOS decomposes the accents of its names."""
    return unicodedata.normalize("NFC", name).casefold()


def is_file(path: Path) -> bool:
    """Return True for a file; False, too, for a path that no file system accepts."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Return True for a folder; False, too, for a path that no file system accepts."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
