"""Too little memory: the error names the setting to lower, and no result so far is lost."""

import json
import logging

import pytest
import torch
from small_runs import assembled, history

from nerfloss.memory import OutOfMemory, free_memory, ran_out
from nerfloss.training import checkpoint

MESSAGE = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB."


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_out_of_memory_errors_are_recognised():
    assert ran_out(torch.OutOfMemoryError(MESSAGE))
    assert ran_out(MemoryError())
    assert ran_out(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert ran_out(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    assert not ran_out(RuntimeError("shapes do not match"))
    assert not ran_out(OutOfMemory("lower eval.chunk"))


def test_free_memory_is_known_or_none():
    free = free_memory(torch.device("cpu"))
    assert free is None or 2**20 < free < 2**50


def out_of_memory_at(run, step):
    """Return the run, its field out of memory at a step."""
    advance = run.model.field.advance

    def advance_or_fail(at):
        if run.trainer.step == step:
            raise torch.OutOfMemoryError(MESSAGE)
        advance(at)

    run.model.field.advance = advance_or_fail
    return run


SHORT = ["trainer.max_steps=10", "trainer.checkpoint_every=3", "trainer.preview_every=99"]


def test_training_names_the_settings_to_lower_and_resumes(tmp_path):
    run = out_of_memory_at(assembled(tmp_path, *SHORT), 7)
    with pytest.raises(OutOfMemory) as raised:
        run.train()
    said = str(raised.value)
    assert "Tried to allocate 2.00 GiB" in said
    assert "trainer.batch_size.samples=512" in said
    assert "model.field.network.grid.log2_hashmap_size=10" in said
    assert "sampler.resolution=96" in said
    assert f"trainer.resume={tmp_path} trainer.batch_size.samples=256" in said
    saved = checkpoint.load(tmp_path / "checkpoints" / "last.pt")
    assert saved["step"] == 6

    again = assembled(tmp_path, *SHORT, "trainer.batch_size.samples=256")
    again.load(tmp_path / "checkpoints" / "last.pt")
    assert again.trainer.rays == saved["rays"] // 2, "less from the first step on"
    assert again.train()
    assert history(tmp_path)[-1]["step"] == "10"


def test_without_a_checkpoint_the_error_says_that_nothing_was_saved(tmp_path):
    with pytest.raises(OutOfMemory, match="nothing was saved yet"):
        out_of_memory_at(assembled(tmp_path, *SHORT), 1).train()


def test_a_preview_without_memory_is_a_warning(tmp_path, caplog):
    run = assembled(tmp_path, "trainer.max_steps=3", "trainer.preview_every=2")

    def render_quantities(*_, **__):
        raise OutOfMemory("out of memory even with eval.chunk=256")

    object.__setattr__(run.evaluator, "render_quantities", render_quantities)
    assert run.train()
    assert any("no preview at step 2: out of memory" in said for said in warnings_of(caplog))


def test_a_mesh_too_large_for_memory_leaves_the_image_scores(tmp_path, caplog):
    run = assembled(tmp_path, "eval.mesh.resolution=100000", "eval.images=false")
    run.evaluate()
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["psnr"] > 0
    assert content["chamfer_l1"] is None
    assert "eval.mesh.resolution=100000 needs about" in content["reasons"]["chamfer_l1"]
    assert any("are free; use eval.mesh.resolution=" in said for said in warnings_of(caplog))
    assert "Traceback" not in caplog.text
