"""The generalization gap is the PSNR of training views minus that of test views."""

import pytest
import torch
from small_scenes import small_scene

from nerfloss.assembly.generalization import GAP, generalization_gap
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.inputs import EvaluatedModel
from nerfloss.evaluation.metrics.image import psnr
from nerfloss.evaluation.scores import Evaluation, Score

BOX = torch.tensor([[-1.0] * 3, [1.0] * 3])


@pytest.mark.parametrize(("test_psnr", "warned"), [(25.0, True), (34.5, False)])
def test_the_gap_is_training_minus_test(monkeypatch, caplog, test_psnr, warned):
    scene = small_scene("sphere", views=5, test_views=1, size=16).resolve_background({"sdf"})
    evaluator = Evaluator(metrics={"psnr": psnr})
    rendered = []

    def render_quantities(_self, _model, view, *, metrics, for_image_grid):
        assert list(metrics) == ["psnr"]
        assert not for_image_grid
        rendered.append(view.name)
        target = view.as_image(view.batch.targets["target_rgb"])
        return {"rgb": target + 0.01, "target_rgb": target}

    monkeypatch.setattr(Evaluator, "render_quantities", render_quantities)
    found = Evaluation({"psnr": Score(test_psnr)})
    subject = EvaluatedModel(lambda *_: {}, frozenset({"rgb"}), BOX)
    gap = generalization_gap(evaluator, subject, scene, found)[GAP]
    assert gap.value == pytest.approx(40 - test_psnr, abs=1e-3)
    assert (f"{40 - test_psnr:.1f} dB better than test views" in caplog.text) == warned
    assert gap.conventions["training_views"] == len(rendered) == 3
    assert gap.conventions["better"] is None
    assert rendered == list(scene.train.names[::2])


def test_without_a_psnr_of_test_views_there_is_no_gap():
    scene = small_scene("sphere", views=4, test_views=1, size=16)
    subject = EvaluatedModel(lambda *_: {}, frozenset({"rgb"}), BOX)
    assert generalization_gap(Evaluator(), subject, scene, Evaluation({})) == {}
    train = Evaluator(metrics={"psnr": psnr}, split="train")
    assert generalization_gap(train, subject, scene, Evaluation({"psnr": Score(25.0)})) == {}
