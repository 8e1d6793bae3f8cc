"""Too little memory for an evaluation: smaller chunks give the same numbers."""

import functools
import logging

import numpy as np
import pytest
import torch
from exact_ball import Ball, model_of, view_of

from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.inputs import GroundTruth
from nerfloss.evaluation.mesh_extraction import MeshExtraction
from nerfloss.evaluation.metrics.image import psnr
from nerfloss.evaluation.oom_retry import FEWEST, ChunkSize
from nerfloss.memory import OutOfMemory

MESSAGE = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB."
MAX_ROWS = 1500


def limited_to_rows(function, max_rows=MAX_ROWS):
    """Return the function for a device on which more than ``max_rows`` rows do not fit."""

    @functools.wraps(function)
    def called(rows, *more):
        if len(rows) > max_rows:
            raise torch.OutOfMemoryError(MESSAGE)
        return function(rows, *more)

    return called


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_a_view_is_rendered_in_smaller_chunks_to_the_same_images(caplog, monkeypatch):
    views = [view_of(Ball(), name=name) for name in ("a.png", "b.png")]
    evaluator = Evaluator(metrics={"psnr": psnr, "l1": mean_error}, mesh=None, chunk=4096)
    expected = evaluator(model_of(Ball()), views, GroundTruth()).values
    small = Ball()
    monkeypatch.setattr(small, "render", limited_to_rows(small.render))
    assert evaluator(model_of(small), views, GroundTruth()).values == expected
    # 4096, 2048, 1024: learned from the first view, and still known at the second.
    assert warnings_of(caplog) == [
        "out of memory with eval.chunk=4096, continuing with 2048",
        "out of memory with eval.chunk=2048, continuing with 1024",
    ]
    assert max(rays for rays, _ in small.asked) == 1024
    assert sum(rays for rays, _ in small.asked) == 2 * 4096


def mean_error(rgb, target_rgb):
    return (0.5 * rgb - target_rgb).abs().mean()


def test_a_mesh_is_extracted_and_coloured_in_smaller_chunks(caplog):
    ball = Ball()
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    expected = MeshExtraction(resolution=32)(ball.sdf, box).mesh
    found = MeshExtraction(resolution=32)(limited_to_rows(ball.sdf), box).mesh
    np.testing.assert_array_equal(found.vertices, expected.vertices)
    assert any("eval.mesh.chunk" in said for said in warnings_of(caplog))


def test_what_does_not_fit_even_in_the_smallest_chunk_names_the_setting(monkeypatch):
    small = Ball()
    monkeypatch.setattr(small, "render", limited_to_rows(small.render, max_rows=FEWEST - 1))
    with pytest.raises(
        OutOfMemory, match=r"even with eval\.chunk=256 \(asked for 4096\): CUDA out"
    ):
        Evaluator(metrics={"psnr": psnr}, mesh=None, chunk=4096)(
            model_of(small), [view_of(Ball())], GroundTruth()
        )


def test_a_chunk_that_was_small_to_begin_with_is_not_made_larger():
    def never(_):
        raise torch.OutOfMemoryError(MESSAGE)

    with pytest.raises(OutOfMemory, match=r"eval\.chunk=100"):
        ChunkSize(100, "eval.chunk")(never, 1000)


def test_other_errors_are_not_tried_again():
    calls = []

    def wrong(some):
        calls.append(some)
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        ChunkSize(1024, "eval.chunk")(wrong, 4096)
    assert len(calls) == 1


def test_a_metric_without_the_memory_for_a_view_gets_a_reason_and_the_others_a_value():
    def greedy(rgb):  # noqa: ARG001
        raise torch.OutOfMemoryError(MESSAGE)

    evaluator = Evaluator(metrics={"greedy": greedy, "l1": mean_error}, mesh=None)
    scores = evaluator(model_of(Ball()), [view_of(Ball())], GroundTruth()).scores
    assert scores["greedy"].value is None
    assert "'~eval.metrics.greedy'" in str(scores["greedy"].reason)
    assert scores["l1"].value is not None


def test_a_metric_that_raises_gets_a_reason_and_costs_no_other_score(caplog):
    def broken(rgb):
        return rgb.mean() / undefined_name  # the mistake of a user

    evaluator = Evaluator(metrics={"broken": broken, "l1": mean_error}, mesh=None)
    scores = evaluator(model_of(Ball()), [view_of(Ball())], GroundTruth()).scores
    assert scores["broken"].value is None
    assert "the metric 'broken' failed: NameError" in str(scores["broken"].reason)
    assert "NameError" in caplog.text
    assert scores["l1"].value is not None
