"""A model of a run at a moment of its training, with all that the viewer can show of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from nerfloss.assembly.rendering.run_video import video_renderer
from nerfloss.assembly.viewer.photograph_maps import PhotographMap, error_map
from nerfloss.assembly.viewer.progressive_rendering import ChunkRows
from nerfloss.assembly.viewer.view_modes import ShownModel
from nerfloss.data.scene import Scene
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.models import Model


def shown_model(
    model: Model, at: Mapping[str, Any], scene: Scene, evaluator: Evaluator
) -> ShownModel:
    """Return a model at a moment ``at`` of its training (``step``, ``progress``)."""
    video = video_renderer(model, at, scene, evaluator)
    chunk = ChunkRows(evaluator.chunk)

    def errors(_: str, index: int) -> Iterator[PhotographMap | None]:
        return error_map(shown.subject, shown.scene, index, shown.background, chunk)

    shown = ShownModel(video.subject, video.scene, at["step"], {"error": errors})
    return shown
