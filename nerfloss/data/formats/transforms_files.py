"""The image files of a transforms file: where they lie, smaller copies, and their names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_paths import FileFinder, is_folder, without_ending
from nerfloss.data.formats.parsed_scene import ParseSettings
from nerfloss.data.formats.remarks import Remarks

# Folders of smaller masks and maps, as nerfstudio names them.
SMALLER_MAPS = {"mask": "masks", "depth": "depths", "normal": "normals"}


def name_of_view(path: str) -> str:
    """Return a path as the name of a view, which leads out of no folder that is written to."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return str(PurePosixPath(*(part for part in parts if part not in ("/", "..", "."))))


@dataclass(frozen=True)
class ImageFile:
    """The file of one image: ``path`` is read, ``full`` is the image at full size, if it is there.

    ``name`` is the path without its ending, relative to the folder of the transforms file, in the
    folder of the full images. ``smaller`` is True for a copy from another folder.
    """

    path: Path
    name: str
    full: Path | None = None
    smaller: bool = False


@dataclass
class ImageFiles:
    """Find the files of one transforms file in its folder, as the settings ask.

    ``settings.images`` names a folder that replaces the first folder of each path;
    ``settings.downscale`` that with the ending _2, _4, ..., where it exists.
    """

    folder: Path
    settings: ParseSettings
    finder: FileFinder = field(init=False)
    renamed: list[tuple[str, str]] = field(init=False, default_factory=list)
    used: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        named = self.settings.images
        also = () if named is None else (self.folder / named,)
        self.finder = FileFinder(self.folder, outside=self.settings.outside, also=also)
        if named is not None and not is_folder(self.folder / named):
            found = f"no such folder, but dataset.images={named}"
            raise DataError(
                self.folder / named, found, "name a folder beside the file, or unset it"
            )

    def find(self, name: str) -> ImageFile | None:
        """Return the image of a frame; None if it is missing."""
        full = self.finder.find(name)
        wanted = without_ending(str(PurePosixPath(name.replace("\\", "/"))))
        for folder in self._folders(wanted):
            path = self._in(folder, name)
            if path is not None:
                self.used.add(folder)
            if path is not None or folder == self.settings.images:
                # Images from a folder that the user names may have any size.
                return path and ImageFile(path, self._name(full, wanted), full, smaller=True)
        if full is None:
            return None
        if PurePosixPath(name.replace("\\", "/")).name not in (full.name, full.stem):
            self.renamed.append((name, full.name))
        return ImageFile(full, self._name(full, wanted))

    def find_map(self, name: str, endings: Sequence[str], *, key: str) -> Path | None:
        """Return a mask, depth or normal map: the smaller one where the images are smaller."""
        if self.used and self.settings.images is None:
            first = PurePosixPath(name).parts[0] if name else ""
            step = self.settings.downscale
            usual = [f"{many}_{step}" for one, many in SMALLER_MAPS.items() if one in first.lower()]
            for folder in (f"{first}_{step}", *usual):
                path = is_folder(self.folder / folder) and self._in(folder, name, endings)
                if path:
                    return path
        return self.finder.find(name, endings, key=key)

    def beside(self, name: str) -> str:
        """Return a description of what lies where an image is missing."""
        folders = self._folders(name)
        if folders:
            name = str(PurePosixPath(folders[0], *PurePosixPath(name).parts[1:] or (name,)))
        return self.finder.beside(name)

    def describe(self, remarks: Remarks) -> None:
        """Add what was assumed to find the files."""
        if self.renamed:
            wanted, found = self.renamed[0]
            remarks.add(f"{len(self.renamed)} images have another name: {found} for {wanted}")
        for path, names in self.finder.choices.items():
            remarks.add(f"{Path(path).name} fits {' and '.join(names)}: {names[0]} is used")
        if self.finder.moved:
            name, tail = next(iter(self.finder.moved.items()))
            remarks.add(f"paths of another machine, as {name}: found as {tail}")
        for folder in sorted(self.used):
            remarks.add(f"the images are those in {folder}/")

    def _folders(self, name: str) -> list[str]:
        """Return the folders that replace the first folder of a path, best first."""
        if self.settings.images is not None:
            return [self.settings.images]
        if self.settings.downscale <= 1:
            return []
        parts = PurePosixPath(name).parts
        first = parts[0] if len(parts) > 1 else "images"
        names = dict.fromkeys([f"{first}_{self.settings.downscale}"])
        names.update(dict.fromkeys([f"images_{self.settings.downscale}"]))
        return [each for each in names if is_folder(self.folder / each)]

    def _in(self, folder: str, name: str, endings: Sequence[str] | None = None) -> Path | None:
        """Return the file at the same place in another folder, or directly in it."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        places = [PurePosixPath(folder, *parts[1:])] if len(parts) > 1 else []
        for place in (*places, PurePosixPath(folder, *parts[-1:])):
            options = () if endings is None else (endings,)
            path = self.finder.find(str(place), *options)
            if path is not None:
                return path
        return None

    def _name(self, full: Path | None, wanted: str) -> str:
        """Return the name of an image: from its file where that is known, else as written."""
        if full is not None and full.is_relative_to(self.folder):
            wanted = without_ending(full.relative_to(self.folder).as_posix())
        return name_of_view(wanted)
