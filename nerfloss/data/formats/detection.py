"""Recognise the layout of a folder, and read it."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from nerfloss.data.errors import DataError, forbidden
from nerfloss.data.formats.colmap_choice import lies_deeper, model_folders
from nerfloss.data.formats.image_paths import PHOTOGRAPHS, is_file, is_folder
from nerfloss.data.formats.parsed_scene import ParsedScene, ParseSettings

# In this order: a nerfstudio folder may hold the COLMAP model that it was made of; that beside an
# LLFF file says more than the file. The files of Tanks and Temples lie beside a COLMAP model, and
# the names of DTU's images say nothing about the cameras of a folder with others.
LAYOUTS = {
    "nerfstudio": "nerfloss.data.formats.nerfstudio",
    "blender": "nerfloss.data.formats.blender_layout",
    "sdfstudio": "nerfloss.data.formats.sdfstudio",
    "blendedmvs": "nerfloss.data.formats.blendedmvs",
    "neus": "nerfloss.data.formats.neus_layout",
    "tanks_and_temples": "nerfloss.data.formats.tanks_and_temples",
    "colmap": "nerfloss.data.formats.colmap",
    "llff": "nerfloss.data.formats.llff",
    "dtu": "nerfloss.data.formats.dtu",
}


def layout_module(name: str) -> ModuleType:
    """Return the module with ``detect`` and ``parse`` of a layout. Raises ValueError if unknown."""
    if name not in LAYOUTS:
        choices = ", ".join(("auto", *LAYOUTS))
        raise ValueError(f"dataset.layout={name!r} is none of {choices}; choose one")
    return import_module(LAYOUTS[name])


def detect_layout(folder: Path) -> str:
    """Return the name of the first layout that a folder has. Raises DataError for none."""
    try:
        for name in LAYOUTS:
            if layout_module(name).detect(folder):
                if name == "colmap":
                    _refuse_several(folder)
                return name
    except PermissionError as error:
        raise forbidden(Path(error.filename or folder).parent) from error
    raise DataError(folder, _content(folder), _remedy(folder))


def parse_any(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read a folder in whatever layout it has."""
    return layout_module(detect_layout(folder)).parse(folder, settings)


def _refuse_several(folder: Path) -> None:
    """Raise DataError where a COLMAP model was found in one of several scenes inside."""
    while lies_deeper(folder):
        # Models of one reconstruction, as in sparse/0 and sparse/1, are no scenes.
        inside = [each for each in _scenes_inside(folder) if model_folders(each) != [each]]
        if len(inside) > 1:
            raise DataError(folder, f"{len(inside)} scenes and not one", _one_of(inside))
        if not inside:
            return
        folder = inside[0]


def _one_of(scenes: list[Path]) -> str:
    listed = ", ".join(str(path) for path in scenes[:3]) + (" ..." if scenes[3:] else "")
    return f"set dataset.path to a scene inside of it: {listed}"


def _content(folder: Path) -> str:
    if folder.is_file():
        return "a file of no known layout"
    names = sorted(each.name for each in folder.iterdir())
    listed = ", ".join(names[:6]) + (" ..." if len(names) > 6 else "") if names else "nothing"
    return f"no layout of {', '.join(LAYOUTS)} is recognised; it holds {listed}"


def _remedy(folder: Path) -> str:
    inside = _scenes_inside(folder)
    if inside:
        return _one_of(inside)
    parts = _partial_model(folder)
    if parts:
        return parts
    if folder.is_dir() and any(path.suffix.lower() in PHOTOGRAPHS for path in folder.rglob("*")):
        return (
            "photographs without poses become a scene by: nerfloss capture PHOTOGRAPHS -o SCENE "
            "(or dataset=photos)"
        )
    return "set dataset.path to the folder with transforms.json, sparse/0 or cameras_sphere.npz"


def _scenes_inside(folder: Path) -> list[Path]:
    """Return the folders directly inside that have a layout, in the order of their names."""
    if not folder.is_dir():
        return []
    inside = sorted(path for path in folder.iterdir() if is_folder(path))
    return [path for path in inside if _has_layout(path)]


def _has_layout(folder: Path) -> bool:
    try:
        return any(layout_module(name).detect(folder) for name in LAYOUTS)
    except PermissionError:
        return False


def _partial_model(folder: Path) -> str | None:
    """Return what to restore where a COLMAP model lacks one of its two files."""
    for place in (folder / "sparse" / "0", folder / "sparse", folder):
        for ending in (".bin", ".txt"):
            files = [place / f"{name}{ending}" for name in ("cameras", "images")]
            there = [is_file(file) for file in files]
            if there.count(True) == 1:
                missing, other = files[there.index(False)], files[there.index(True)]
                return f"restore {missing}, which a COLMAP model needs beside {other.name}"
    return None
