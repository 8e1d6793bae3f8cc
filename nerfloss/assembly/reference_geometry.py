"""Read the geometry with which a benchmark compares: DTU's scans, Tanks and Temples' scans."""

import re
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.formats.crop_volume import read_crop_corners, read_similarity
from nerfloss.data.reference_files import ReferenceFiles
from nerfloss.evaluation.protocols.dtu import DtuReference
from nerfloss.evaluation.protocols.tanks_and_temples import THRESHOLDS, Crop, TanksReference

MATLAB = "restore the file from the benchmark's SampleSet"
DTU_FILES = {
    "points": "stl065_total.ply",
    "observed": "ObsMask65_10.mat",
    "plane": "Plane65.mat",
}
TANKS_FILES = {"points": "Barn.ply", "crop": "Barn.json"}
LEVELS = 4  # folders above a scan's points in which ObsMask/ is looked for
TRANSFORM = "_trans.txt"


def read_points(path: Path) -> Float[np.ndarray, "points 3"]:
    """Return the vertices of a cloud or a mesh. Raises DataError for a file without any."""
    if not path.is_file():
        raise DataError(path, "no such file", "give the file of the benchmark's scanned points")
    try:
        found = trimesh.load(path, process=False)
    except Exception as error:  # each format of trimesh raises errors of its own
        why = " ".join(str(error).split())[:200]
        raise DataError(path, f"cannot be read ({why})", "restore the file") from error
    if not isinstance(found, trimesh.PointCloud | trimesh.Trimesh) or len(found.vertices) == 0:
        raise DataError(path, "holds no points", "give the file of the benchmark's scanned points")
    points = np.asarray(found.vertices, dtype=np.float64)
    if not np.isfinite(points).all():
        raise DataError(path, "holds points that are not finite", "restore the file")
    return points


def dtu_files_beside(points: Path) -> ReferenceFiles:
    """Return the files of DTU's evaluation for a scan's points ``stl065_total.ply``.

    ObsMask/ObsMask65_10.mat and ObsMask/Plane65.mat are looked for beside it and up to four folders
    above. Raises DataError where the name has no number, or a file is missing.
    """
    match = re.search(r"(\d+)", points.stem)
    if match is None:
        remedy = "name it as the benchmark does, e.g. stl065_total.ply: the number is the scan's"
        raise DataError(points, "no number in its name", remedy)
    names = {"observed": f"ObsMask{int(match[1])}_10.mat", "plane": f"Plane{int(match[1])}.mat"}
    folders = list(points.absolute().parents)[: LEVELS + 1]
    found = {}
    for key, name in names.items():
        places = [folder / inner / name for folder in folders for inner in ("", "ObsMask")]
        found[key] = next((place for place in places if place.is_file()), None)
        if found[key] is None:
            remedy = f"put the benchmark's ObsMask/{name} beside it, or into a folder above"
            raise DataError(points, f"no {name} for it", remedy)
    return ReferenceFiles(points=points, to_reference=np.eye(4), **found)


def read_dtu(files: ReferenceFiles) -> DtuReference:
    """Read DTU's reference. Raises DataError for a missing or damaged file."""
    require_files(files, "dtu", "")
    assert files.points
    assert files.observed
    assert files.plane
    observed, plane = _matlab(files.observed), _matlab(files.plane)
    mask, box = _array(observed, "ObsMask", files.observed), _array(observed, "BB", files.observed)
    resolution = _array(observed, "Res", files.observed)
    table = _array(plane, "P", files.plane)
    if mask.ndim != 3 or box.shape != (2, 3) or resolution.size != 1:
        found = f"ObsMask {list(mask.shape)}, BB {list(box.shape)}, Res {list(resolution.shape)}"
        raise DataError(files.observed, found, MATLAB)
    if table.size != 4:
        raise DataError(files.plane, f"P has {table.size} numbers, not 4", MATLAB)
    return DtuReference(
        read_points(files.points),
        mask.astype(bool),
        box.astype(np.float64),
        float(resolution.reshape(())),
        table.astype(np.float64).reshape(4),
    )


def require_files(
    files: ReferenceFiles, surface: str, scene: str, threshold: float | None = None
) -> None:
    """Raise DataError where a file of a comparison is missing, or a scene's threshold unknown."""
    names = DTU_FILES if surface == "dtu" else TANKS_FILES
    lacking = [text for name, text in names.items() if getattr(files, name) is None]
    if lacking:
        found = f"not there: {', '.join(lacking)}"
        remedy = f"add the benchmark's files, or name its points: eval.reference={names['points']}"
        raise DataError(f"reference geometry for eval.protocol={surface}", found, remedy)
    if surface == "tanks_and_temples" and threshold is None and scene not in THRESHOLDS:
        found = f"no threshold is known for a scene '{scene}'"
        raise DataError(str(files.points), found, f"its name is one of {', '.join(THRESHOLDS)}")


def tanks_files_beside(points: Path) -> ReferenceFiles:
    """Return the files of Tanks and Temples' evaluation for a scene's points ``Barn.ply``.

    ``Barn.json`` (the crop volume) has to be beside it, ``Barn_trans.txt`` (the alignment) may be.
    """
    crop, transform = points.with_suffix(".json"), points.with_name(points.stem + TRANSFORM)
    if not crop.is_file():
        raise DataError(points, f"no {crop.name} beside it", "add the benchmark's crop volume")
    known = transform.is_file()
    return ReferenceFiles(
        points=points,
        crop=crop,
        alignment=transform if known else None,
        to_reference=read_similarity(transform) if known else None,
    )


def read_tanks(files: ReferenceFiles, scene: str, threshold: float | None = None) -> TanksReference:
    """Read the reference of a scene; its threshold is the benchmark's, or the given one.

    Raises DataError for a missing file, and for a scene whose threshold is not known.
    """
    require_files(files, "tanks_and_temples", scene, threshold)
    assert files.points
    assert files.crop
    tau = THRESHOLDS[scene] if threshold is None else threshold
    start = np.eye(4) if files.to_reference is None else files.to_reference
    crop = Crop.of_corners(read_crop_corners(files.crop))
    return TanksReference(read_points(files.points), crop, tau, start)


def _matlab(path: Path) -> dict:
    from scipy.io import loadmat

    try:
        return loadmat(path)
    except Exception as error:  # its reader raises errors of many kinds for damaged files
        why = " ".join(str(error).split())[:120]
        raise DataError(path, f"cannot be read ({why})", MATLAB) from error


def _array(content: dict, name: str, path: Path) -> np.ndarray:
    if name not in content:
        there = ", ".join(key for key in content if not key.startswith("__"))
        raise DataError(path, f"no '{name}' in it, which holds {there or 'nothing'}", MATLAB)
    return np.asarray(content[name])
