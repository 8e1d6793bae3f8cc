"""Files of estimated depth and normals in a scene's folder, and the frames that they belong to.

The folder of a map says what it is, so that depth without a scale is never read as metric depth.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from nerfloss.data.formats.parsed_scene import Frame, NormalConvention, ParsedScene

# Folders in that of the scene, by what a network estimates.
FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "depth": "estimated_relative_depth",
        "disparity": "estimated_disparity",
        "normal": "estimated_normal",
    }
)


def prior_file(folder: Path, kind: str, name: str) -> Path:
    """Return the file of a map (``depth``, ``disparity`` or ``normal``) of the view ``name``."""
    return folder / FOLDERS[kind] / f"{name}.npy"


def with_priors(parsed: ParsedScene) -> ParsedScene:
    """Return the scene with the estimated maps that lie in its folder; each kind adds a note.

    Maps that the layout itself names come first. Estimated normals, in OpenCV camera axes, are left
    out of scenes that have others.
    """
    own = any(frame.normal for frame in parsed.frames)
    frames, notes, normal = list(parsed.frames), [], parsed.normal
    for kind, folder in FOLDERS.items():
        field = "relative_depth" if kind == "depth" else kind
        found = [prior_file(parsed.folder, kind, frame.name) for frame in frames]
        count = sum(path.is_file() for path in found)
        if not count:
            continue
        if kind == "normal" and own:
            notes.append(f"{folder}/ is not used: the scene has normals of its own")
            continue
        frames = [_with(*pair, field) for pair in zip(frames, found, strict=True)]
        target = f"target_{field}"
        meaning = "" if kind == "normal" else ", known up to a scale and a shift per view"
        notes.append(f"{target} of {count} of {len(frames)} views: {folder}/{meaning}")
        normal = NormalConvention("camera", estimated=True) if kind == "normal" else normal
    notes = (*parsed.notes, *notes)
    return replace(parsed, frames=tuple(frames), normal=normal, notes=notes)


def _with(frame: Frame, path: Path, field: str) -> Frame:
    given = {
        "relative_depth": frame.relative_depth,
        "disparity": frame.disparity,
        "normal": frame.normal,
    }
    return frame if given[field] or not path.is_file() else replace(frame, **{field: path})
