"""Scores of a mesh by a benchmark's comparison of surfaces, with their conventions."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from nerfloss.assembly.mask_culling import cull_by_masks
from nerfloss.assembly.reference_geometry import (
    dtu_files_beside,
    read_dtu,
    read_tanks,
    require_files,
    tanks_files_beside,
)
from nerfloss.data.reference_files import ReferenceFiles
from nerfloss.data.scene import Scene
from nerfloss.evaluation.errors import reason_for
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.mesh_extraction import transformed
from nerfloss.evaluation.protocols.dtu import DtuReference, dtu_scores
from nerfloss.evaluation.protocols.protocol import Protocol, protocol_named
from nerfloss.evaluation.protocols.tanks_and_temples import TanksReference, tanks_scores
from nerfloss.evaluation.scores import Score

log = logging.getLogger(__name__)

DTU, TANKS = "dtu", "tanks_and_temples"
NAMES = {
    DTU: ("dtu", "dtu_accuracy", "dtu_completeness"),
    TANKS: ("tanks_fscore", "tanks_precision", "tanks_recall"),
}


def reference_scores(
    mesh: trimesh.Trimesh,
    protocol: Protocol,
    files: ReferenceFiles,
    *,
    scene: str,
    seed: int = 0,
    conventions: Mapping[str, Any] | None = None,
) -> dict[str, Score]:
    """Return the scores of a mesh, in the coordinates of the reference or aligned with it.

    Raises DataError for missing or damaged files; what cannot be measured is the scores' reason.
    """
    shared = {**protocol.conventions, "seed": seed, **(conventions or {})}
    reference = read_dtu(files) if protocol.surface == DTU else read_tanks(files, scene)
    try:
        if isinstance(reference, DtuReference):
            return _of_dtu(mesh, reference, seed, shared)
        given = {**shared, "alignment": "identity" if files.to_reference is None else "known"}
        return _of_tanks(mesh, reference, seed, given)
    except (MemoryError, RuntimeError, ValueError) as error:
        why = reason_for(error, f"the comparison by {protocol.name}")
        names = NAMES[protocol.surface or DTU]
        return {name: Score(None, shared, why) for name in names}


def reference_scores_of(
    scene: Scene, evaluator: Evaluator
) -> Callable[[trimesh.Trimesh], dict[str, Score]] | None:
    """Return the comparison that a run's protocol asks for, None where it asks for none.

    The mesh is given in the coordinates of the data. Where the training views have masks, DTU's
    comparison is of what lies in all of them.
    """
    protocol = protocol_named(evaluator.protocol)
    if protocol is None or protocol.surface is None:
        return None
    files = _files(scene, evaluator, protocol)
    masked = protocol.surface == DTU and scene.train.mask is not None

    def compare(mesh: trimesh.Trimesh) -> dict[str, Score]:
        conventions = {}
        if protocol.surface == DTU:
            conventions["culled"] = "by the masks of the training views" if masked else "no masks"
        try:
            if masked:
                local = transformed(mesh, np.linalg.inv(scene.to_world))
                mesh = transformed(cull_by_masks(local, scene.train), scene.to_world)
            return reference_scores(
                mesh,
                protocol,
                files,
                scene=scene.name,
                seed=evaluator.seed,
                conventions=conventions,
            )
        except ValueError as error:
            why = str(error)
            return {name: Score(None, conventions, why) for name in NAMES[str(protocol.surface)]}

    return compare


def check_protocol(scene: Scene, evaluator: Evaluator) -> None:
    """Raise ValueError, before training, where a run contradicts the protocol of its evaluation."""
    protocol = protocol_named(evaluator.protocol)
    if protocol is None:
        return
    if protocol.surface is None and "layout" not in scene.conventions:
        raise ValueError(
            f"eval.protocol={protocol.name} is of scenes on disk, and this one is synthetic: set "
            "eval.protocol=null"
        )
    if protocol.surface is not None and evaluator.mesh is None:
        raise ValueError(
            f"eval.protocol={protocol.name} compares the mesh, and eval.mesh=null extracts none: "
            "drop one of the two settings"
        )
    protocol.check({**scene.conventions, "split": evaluator.split})
    width, height = scene.test.cameras.size(0)
    if protocol.image_size is not None and {width, height} != {protocol.image_size}:
        log.warning(
            f"eval.protocol={protocol.name}: published figures are of images of "
            f"{protocol.image_size} pixels a side, these have {width} x {height}: do not compare "
            "them"
        )
    log.info("eval.protocol=%s fixes %s", protocol.name, protocol.conventions["protocol_rules"])
    if protocol.surface is not None:
        require_files(_files(scene, evaluator, protocol), protocol.surface, scene.name)


def _files(scene: Scene, evaluator: Evaluator, protocol: Protocol) -> ReferenceFiles:
    """Return the files of the scene's reference geometry, or those that ``reference`` names."""
    if evaluator.reference is None:
        return scene.reference or ReferenceFiles()
    beside = dtu_files_beside if protocol.surface == DTU else tanks_files_beside
    return beside(Path(evaluator.reference).expanduser())


def _of_dtu(
    mesh: trimesh.Trimesh, reference: DtuReference, seed: int, shared: Mapping[str, Any]
) -> dict[str, Score]:
    found = dtu_scores(mesh, reference, seed=seed)
    given = {**shared, "units": "mm", "better": "lower"}
    counts = {"points": found.predicted, "scanned_points": found.scanned}
    values = (found.overall, found.accuracy, found.completeness)
    return {
        name: Score(value, {**given, **counts})
        for name, value in zip(NAMES[DTU], values, strict=True)
    }


def _of_tanks(
    mesh: trimesh.Trimesh, reference: TanksReference, seed: int, shared: Mapping[str, Any]
) -> dict[str, Score]:
    found = tanks_scores(mesh, reference, seed=seed)
    given = {**shared, "units": "", "better": "higher", "threshold": reference.threshold}
    given |= {"points": found.predicted, "scanned_points": found.scanned}
    values = (found.fscore, found.precision, found.recall)
    return {name: Score(value, given) for name, value in zip(NAMES[TANKS], values, strict=True)}
