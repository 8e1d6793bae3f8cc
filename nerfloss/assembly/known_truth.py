"""All that a run's evaluation knows of its scene: surfaces, cameras, a benchmark's comparison."""

from dataclasses import replace
from functools import partial

from nerfloss.assembly.eval_adapter import ground_truth_of
from nerfloss.assembly.reference_scores import reference_scores_of
from nerfloss.assembly.scene_scan import rendered_cloud, scan_of
from nerfloss.data.scene import Scene
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.inputs import EvaluatedModel, GroundTruth
from nerfloss.evaluation.scored_views import ScoredViews


def known_truth(
    scene: Scene, subject: EvaluatedModel, evaluator: Evaluator, chosen: ScoredViews
) -> GroundTruth:
    """Return the ground truth of a scene for an evaluation of one model on ``chosen`` views."""
    cloud = partial(
        rendered_cloud, subject, scene.train, chunk=evaluator.chunk, seed=evaluator.seed
    )
    known = ground_truth_of(scene, subject.box)
    return replace(
        known,
        conventions={**known.conventions, **chosen.conventions},
        reference_scores=reference_scores_of(scene, evaluator),
        scan=scan_of(scene.train),
        cloud=cloud,
    )
