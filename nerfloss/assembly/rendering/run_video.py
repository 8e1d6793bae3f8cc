"""Videos of a run: the renderer of its model, and the orbit that an evaluation writes."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nerfloss.assembly.eval_adapter import evaluated_model
from nerfloss.assembly.refined_evaluation import refined_scene
from nerfloss.assembly.rendering.render_video import RenderedVideo, VideoRenderer, VideoSettings
from nerfloss.data.camera_paths.choose_path import PathSettings, choose_path
from nerfloss.data.scene import Scene
from nerfloss.evaluation.errors import reason_for
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.evaluation.view_appearance import FIT_LEFT_HALF
from nerfloss.files import relative_to_cwd
from nerfloss.models import Model

log = logging.getLogger(__name__)


def video_renderer(
    model: Model, at: Mapping[str, Any], scene: Scene, evaluator: Evaluator
) -> VideoRenderer:
    """Return the renderer of a model at a moment ``at`` of its training (``step``, ``progress``).

    The cameras of the scene become those that the model has refined. Frames have the mean
    appearance of the training images, or with ``eval.appearance=identity`` none.
    """
    scene, appearance = refined_scene(scene, model), evaluator.appearance
    if appearance == FIT_LEFT_HALF:  # no image to fit to
        appearance = "mean"
    subject = evaluated_model(model, at, scene.train, appearance=appearance)
    state = {"step": at["step"], "model": model.state_dict()}
    return VideoRenderer(subject, scene, state, ChunkSize(evaluator.chunk, "eval.chunk"))


def write_orbit(
    model: Model, at: Mapping[str, Any], scene: Scene, evaluator: Evaluator, folder: Path
) -> RenderedVideo | None:
    """Write an orbit to ``folder``/renders/orbit if ``eval.video`` asks for it.

    None, with a warning, where that fails: scores are written before, and it costs none of them.
    """
    if not evaluator.video:
        return None
    where = folder / "renders" / "orbit"
    try:
        renderer = video_renderer(model, at, scene, evaluator)
        path = choose_path("orbit", renderer.scene, PathSettings())
        for note in path.notes:
            log.info("%s", note)
        done = renderer(path, where, VideoSettings())
    except Exception as error:
        log.warning("no video: %s", reason_for(error, "rendering the orbit"))
        return None
    log.info("wrote %s", ", ".join(str(relative_to_cwd(file)) for file in done.files))
    return done
