"""The views of a scene that an evaluation scores, and what it says of them."""

import logging

from nerfloss.data.scene import Scene
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.inputs import EvaluatedModel
from nerfloss.evaluation.scored_views import ScoredViews, scored_views

log = logging.getLogger(__name__)


def chosen_views(scene: Scene, evaluator: Evaluator, trained_rays: int) -> ScoredViews:
    """Return which views of the evaluated split are scored; by a benchmark's protocol all are."""
    cameras = (scene.train if evaluator.split == "train" else scene.test).cameras
    pixels = [width * height for width, height in map(cameras.size, range(len(cameras)))]
    asked = evaluator.views if evaluator.protocol is None else "all"
    return scored_views(pixels, asked, trained_rays=trained_rays)


def log_what_is_scored(subject: EvaluatedModel, evaluator: Evaluator, chosen: ScoredViews) -> None:
    """Log the appearance of the scored views, and which they are where others are left out."""
    split = evaluator.split
    if subject.appearance is not None:
        log.info("appearance of the %s views: %s", split, subject.appearance.description)
    if chosen.conventions:
        log.info("%s views that are scored: %s", split, chosen.message(evaluator.views))
