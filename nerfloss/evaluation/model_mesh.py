"""The mesh of a model, or the reason why there is none: a failure costs no other score."""

import logging
from dataclasses import replace

from nerfloss.evaluation.errors import reason_for
from nerfloss.evaluation.inputs import EvaluatedModel
from nerfloss.evaluation.mesh_extraction import ExtractedMesh, MeshExtraction
from nerfloss.evaluation.stage_progress import Progress, silent
from nerfloss.evaluation.surface_scores import LESS_MEMORY

log = logging.getLogger(__name__)


def mesh_of_model(
    model: EvaluatedModel, extraction: MeshExtraction | None, progress: Progress = silent
) -> tuple[ExtractedMesh | None, str | None]:
    """Return the model's surface in scene units, or None and the reason."""
    if extraction is None:
        return None, "no mesh was asked for (eval.mesh=null)"
    if model.field is None:
        return None, "the model has no surface to extract"
    if not model.is_distance:
        extraction = replace(extraction, lipschitz=None)
    try:
        given = {"region": model.sampled_region(), "visible": model.visible}
        return extraction(model.field, model.box, **given, progress=progress), None
    except Exception as error:
        reason = reason_for(error, "mesh extraction", LESS_MEMORY)
        log.warning("no mesh: %s", reason)
        return None, reason
