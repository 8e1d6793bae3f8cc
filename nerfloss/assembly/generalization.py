"""The generalization gap: how much better the training views are rendered than the test views."""

import logging
from dataclasses import replace

from nerfloss.assembly.eval_adapter import views_of
from nerfloss.data.scene import Scene
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.inputs import EvaluatedModel
from nerfloss.evaluation.scores import Evaluation, Score, mean_score
from nerfloss.evaluation.view_scores import score_view

log = logging.getLogger(__name__)

GAP = "generalization_gap"
VIEWS = 4  # training views at most, evenly spread, whose PSNR stands for all
MOST_PIXELS = 500_000  # of each: of larger images every n-th row and column
LARGE = 6.0  # dB, from which it is warned of: errors of test views are twice as large


def generalization_gap(
    evaluator: Evaluator, subject: EvaluatedModel, scene: Scene, found: Evaluation
) -> dict[str, Score]:
    """Return the PSNR of some training views minus that of the test views, in dB.

    A large gap is overfitting to the training views. It has no better direction: a model that
    learned nothing has none. Nothing is returned where the test views have no PSNR.
    """
    test = found.values.get("psnr")
    if test is None or evaluator.split != "test" or "psnr" not in evaluator.metrics:
        return {}
    shared = {"units": "dB", "better": None, "definition": "training minus test PSNR"}
    if subject.appearance is not None:
        # Test views are rendered with an appearance that was not learned for them.
        reason = "the appearance of images differs between training and test views"
        return {GAP: Score(None, shared, reason)}
    metrics = {"psnr": evaluator.metrics["psnr"]}
    every = -(-len(scene.train) // VIEWS)
    scores = []
    for whole in views_of(scene, "train", range(0, len(scene.train), every)):
        view = whole.thinned(MOST_PIXELS)
        images = evaluator.render_quantities(subject, view, metrics=metrics, for_image_grid=False)
        scores.append(score_view(metrics, images, subject.offers)["psnr"])
    mean = mean_score(scores, {**shared, "training_views": len(scores)})
    gap = None if mean.value is None else mean.value - test
    if gap is not None and gap > LARGE:
        log.warning(
            "training views are rendered %.1f dB better than test views: the field has learned "
            "what holds for its own views only. Test views may see what no training view sees, "
            "cameras may be wrong ('nerfloss inspect' checks them), or surroundings may lack a "
            "model (background=contracted). More photographs help, sometimes "
            "model.renderer.direction_noise=0.1; more steps do not",
            gap,
        )
    return {GAP: replace(mean, value=gap)}
