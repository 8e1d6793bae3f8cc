"""Say what of a scene the layout that it is converted to cannot hold."""

from pathlib import Path

from nerfloss.data.formats.parsed_scene import ParsedPoints, ParsedScene

POINTS = "points.ply"
PROGRAMS = {"nerfstudio": "nerfstudio", "colmap": "COLMAP", "neus": "NeuS"}


def left_out(parsed: ParsedScene, target: str, folder: Path) -> tuple[str, ...]:
    """Return a line for each kind of data that ``target``, written to a folder, cannot hold."""
    notes, program, points = [], PROGRAMS[target], parsed.points
    maps = any(frame.depth or frame.normal for frame in parsed.frames)
    if maps and target != "nerfstudio":
        notes.append(f"{program} has no maps of depth and normals: they are left out")
    if any(frame.relative_depth or frame.disparity for frame in parsed.frames):
        notes.append(f"{program} has no depth without a scale: the estimates are left out")
    if any(frame.object_mask for frame in parsed.frames) and target == "nerfstudio":
        notes.append(
            "nerfstudio has no object masks: it does not read object_masks/, which nerfloss does"
        )
    if points is not None and target == "colmap" and has_more(points):
        notes.append(
            f"COLMAP has no normals and confidence of points: they are in {POINTS}; "
            f"dataset.points={folder / POINTS} uses them, and not which view sees which point"
        )
    tracked = points is not None and (points.observations is not None or points.error is not None)
    if tracked and target != "colmap":
        notes.append(
            f"{program} does not hold which view sees which point, and the points' errors: they "
            "are left out"
        )
    return tuple(notes)


def has_more(points: ParsedPoints) -> bool:
    """Return True for points with what a COLMAP model has no place for."""
    return points.normals is not None or points.confidence is not None


def region_settings(parsed: ParsedScene, target: str) -> tuple[str, ...]:
    """Return the setting of a stated region and of ``up``, where the target's files hold neither.

    NeuS has the region as scale_mat, nerfstudio the direction up.
    """
    words = []
    if parsed.region is not None and target != "neus":
        center = ",".join(f"{value:.9g}" for value in parsed.region[:3, 3])
        radius = float((parsed.region[:3, 0] ** 2).sum() ** 0.5)
        words += [f"center:[{center}]", f"radius:{radius:.9g}"]
    if parsed.up is not None and target != "nerfstudio":
        words.append("up:[" + ",".join(f"{value:.9g}" for value in parsed.up) + "]")
    return (f"dataset.region={{{','.join(words)}}}",) if words else ()
