"""The COLMAP models of a folder, and the one that is used."""

from pathlib import Path

from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_files import Model
from nerfloss.data.formats.colmap_images import natural
from nerfloss.data.formats.colmap_model import model_file, read_images

# Where programs put the models: COLMAP, nerfstudio, gaussian-splatting, Neuralangelo.
PLACES = ("sparse", "colmap/sparse", "dense/sparse", "undistorted/sparse", "distorted/sparse")
DEPTH = 4  # folders below the scene in which a model is looked for


def largest_model(folder: Path, notes: list[str]) -> Model:
    """Return the model with the most images; a note names it where there are several.

    A broken model is left out, with a note, if its file is smaller than that of the largest one.
    Raises DataError if there is no model, and for one that is broken and may be the largest.
    """
    models, broken = [], []
    for place in model_folders(folder) if folder.is_dir() else []:
        path = model_file(place, "images")
        assert path is not None
        try:
            models.append(Model(place, read_images(path)))
        except DataError as error:
            broken.append((path, error))
    if not models and not broken:
        found = "no COLMAP model (cameras, images and points3D, .bin or .txt)"
        raise DataError(folder, found, "set dataset.path to the folder that holds sparse/0")
    best = max(models, key=lambda model: len(model.images), default=None)
    if best is None:
        raise broken[0][1]
    used = model_file(best.folder, "images")
    for path, error in broken:
        if used is None or path.stat().st_size >= used.stat().st_size:
            raise error
        notes.append(f"a smaller model is broken and not used: {error}")
    if not best.images:
        raise DataError(best.folder, "the model has no images", "run the mapper again")
    if len(models) > 1:
        sizes = ", ".join(f"{each.folder.name}: {len(each.images)} images" for each in models)
        notes.append(f"{len(models)} models ({sizes}): the largest, {best.folder}, is used")
    return best


def model_folders(folder: Path) -> list[Path]:
    """Return the folders with the files of a model, in natural order."""

    def holds(place: Path) -> bool:
        return all(model_file(place, name) is not None for name in ("cameras", "images"))

    if holds(folder):
        return [folder]
    for name in PLACES:
        place = folder / name
        found = [place, *(each for each in _folders(place))]
        if models := [each for each in found if holds(each)]:
            return models
    level = [folder]
    for _ in range(DEPTH):
        level = [each for place in level for each in _folders(place)]
        if models := [each for each in level if holds(each)]:
            return models
    return []


def lies_deeper(folder: Path) -> bool:
    """Return True if models were found by search, in none of the places where programs put them."""
    places = {folder, *(folder / name for name in PLACES)}
    models = model_folders(folder)
    return bool(models) and not any({model, model.parent} & places for model in models)


def _folders(place: Path) -> list[Path]:
    try:
        inside = [each for each in place.iterdir() if each.is_dir() and each.name[0] != "."]
    except OSError:
        return []
    return sorted(inside, key=lambda each: natural(each.name))
