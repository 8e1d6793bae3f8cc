"""Score a mesh of any program against a true surface by the geometry metrics of conf/eval."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from nerfloss.assembly.mask_culling import cull_by_masks
from nerfloss.assembly.reference_geometry import dtu_files_beside, tanks_files_beside
from nerfloss.assembly.reference_scores import reference_scores
from nerfloss.data.errors import DataError
from nerfloss.data.scene import Scene
from nerfloss.evaluation.mesh_extraction import transformed
from nerfloss.evaluation.metrics.metadata import SCENE_UNITS, settings_used
from nerfloss.evaluation.protocols.protocol import Protocol
from nerfloss.evaluation.scores import Evaluation, Score
from nerfloss.evaluation.surface_samples import Surface, SurfacePair
from nerfloss.evaluation.surface_scores import score_surface
from nerfloss.experiments.judging.judge_images import Judgement

# Thresholds of conf/eval are in units of a scene whose object fits the unit ball.
APART = 0.5  # distance of the centres, over the truth's extent, that suggests another frame
SCALE = 1.5  # ratio of the extents that suggests another unit
# Beyond these no score means anything, and nearest neighbours, all equally far, take hours.
FAR, OTHER_UNIT = 5.0, 10.0


def judge_mesh(
    mesh: Path,
    truth: Path,
    metrics: Mapping[str, Callable[..., Any]],
    *,
    points: int = 200_000,
    seed: int = 0,
    scale: float = 1.0,
) -> Judgement:
    """Return the scores of a mesh against the true one, in the units of the truth's file.

    The mesh is multiplied by ``scale`` first. Thresholds of conf/eval, which are those of a scene
    in the unit ball, are multiplied by half the diagonal of the truth's bounding box. Raises
    DataError for files that hold no triangles, and for a mesh that is far from the truth or of
    another magnitude.
    """
    _check_positive(points=points, scale=scale)
    ours, true = read_surface(mesh).apply_scale(scale), read_surface(truth)
    problems = [*_misfit(mesh, ours, true), *_equal(ours, true)]
    radius = float(np.linalg.norm(true.extents)) / 2
    scaled = {name: _scaled(metric, radius) for name, metric in metrics.items()}
    # Different seeds: with one, equal meshes are sampled at equal points.
    pair = SurfacePair(Surface(ours, points, seed), Surface(true, points, seed + 1))
    conventions = {"radius": radius}
    found = score_surface(scaled, pair, reason=None, conventions=conventions)
    scores = {name: _in_units_of_files(score) for name, score in found.items()}
    notes = [
        f"thresholds are 1 % and 2 % of {radius:.4g}, half the diagonal of the truth's box",
        f"{points} points on each surface, uniform by area, seeds {seed} and {seed + 1}",
    ]
    notes += [f"the mesh is multiplied by {scale:g}"] if scale != 1 else []
    return Judgement(Evaluation(scores), tuple(notes), tuple(problems), {"scale": scale})


def judge_by_protocol(
    mesh: Path,
    truth: Path,
    protocol: Protocol,
    *,
    scene: str,
    views: Scene | None = None,
    scale: float = 1.0,
    seed: int = 0,
) -> Judgement:
    """Return the scores of a mesh by a benchmark's comparison with scanned points.

    ``truth`` is the file of the scanned points; what else the benchmark has is found beside it.
    ``views`` are of a scene with the coordinates of the mesh, and cull it by their masks. Raises
    DataError for missing files, and ValueError for a protocol of images only.
    """
    if protocol.surface is None:
        raise ValueError(f"the protocol '{protocol.name}' is of images: take dtu, or --renders")
    _check_positive(scale=scale)
    files = (dtu_files_beside if protocol.surface == "dtu" else tanks_files_beside)(truth)
    ours = read_surface(mesh).apply_scale(scale)
    culled = "not culled" if views is None else "by the masks of the views"
    if views is not None:
        local = transformed(ours, np.linalg.inv(views.to_world))
        ours = transformed(cull_by_masks(local, views.train), views.to_world)
    conventions = {"culled": culled} if protocol.surface == "dtu" else {}
    scores = reference_scores(
        ours, protocol, files, scene=scene, seed=seed, conventions=conventions
    )
    notes = [f"protocol {protocol.title}: {protocol.source}"]
    notes += [f"  {key}: {value}" for key, value in {**protocol.fixes, **conventions}.items()]
    notes.append(f"  reference: {', '.join(str(path) for path in files.files)}")
    facts = {"scale": scale, "protocol": protocol.title}
    return Judgement(Evaluation(scores), tuple(notes), (), facts)


def read_surface(path: Path) -> trimesh.Trimesh:
    """Read the triangles of a file; several parts of a scene are joined.

    Raises DataError for a file that cannot be read or holds no triangles, or none with an area.
    """
    if not path.is_file():
        raise DataError(path, "no such file", "give the file of a mesh, e.g. .ply, .obj or .glb")
    try:
        found = trimesh.load(path, process=False)
        found = found.to_mesh() if isinstance(found, trimesh.Scene) else found
    except Exception as error:  # each format of trimesh raises errors of its own
        why = " ".join(str(error).split())[:200]
        raise DataError(path, f"cannot be read as a mesh ({why})", "export it as .ply") from error
    if not isinstance(found, trimesh.Trimesh) or len(found.faces) == 0:
        remedy = "give a mesh; a protocol such as --protocol dtu takes a cloud as the truth"
        raise DataError(path, "holds points and no triangles", remedy)
    if not np.isfinite(found.vertices).all():
        bad = int((~np.isfinite(found.vertices)).any(1).sum())
        raise DataError(path, f"{bad} vertices are not finite", "export the mesh again")
    if (lost := int(((found.faces < 0) | (found.faces >= len(found.vertices))).any(1).sum())) > 0:
        missing = f"{lost} triangles name vertices that it does not have"
        raise DataError(path, missing, "export the mesh again")
    if not found.area > 0:
        raise DataError(path, "no triangle of it has an area", "export the mesh again")
    return found


def _check_positive(**settings: int | float) -> None:
    for name, value in settings.items():
        if not 0 < value < np.inf:
            raise ValueError(f"--{name} {value:g}: it is a positive number")


def _equal(ours: trimesh.Trimesh, true: trimesh.Trimesh) -> list[str]:
    """Return a sentence where the mesh is the true one."""
    same = np.array_equal(ours.vertices, true.vertices) and np.array_equal(ours.faces, true.faces)
    return ["the mesh equals the true one: is it a reconstruction?"] if same else []


def _scaled(metric: Callable[..., Any], radius: float) -> Callable[..., Any]:
    settings = settings_used(metric)
    if "threshold" not in settings:
        return metric
    return partial(metric, threshold=settings["threshold"] * radius)


def _in_units_of_files(score: Score) -> Score:
    units = str(score.conventions.get("units", "")).replace(SCENE_UNITS, "units of the files")
    return replace(score, conventions={**score.conventions, "units": units})


def _misfit(path: Path, ours: trimesh.Trimesh, true: trimesh.Trimesh) -> list[str]:
    """Return sentences on boxes that differ as those of other frames or units do.

    Raises DataError where they have nothing to do with each other.
    """
    extent = float(np.linalg.norm(true.extents))
    ratio = float(np.linalg.norm(ours.extents)) / max(extent, 1e-12)
    offset = np.linalg.norm(ours.bounds.mean(0) - true.bounds.mean(0)) / max(extent, 1e-12)
    found = (
        f"the mesh's box is {ratio:.3g} times the truth's, its centre {offset:.3g} of that "
        f"diagonal away"
    )
    if not 1 / OTHER_UNIT <= ratio <= OTHER_UNIT or offset > FAR:
        remedy = "bring both into one frame and unit; --scale multiplies the mesh"
        raise DataError(path, found, remedy)
    if not 1 / SCALE <= ratio <= SCALE or offset > APART:
        return [f"{found}: both have to be in one frame and unit"]
    return []
