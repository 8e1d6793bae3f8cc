"""Too little memory in training: what to lower is said, and the last checkpoint goes on."""

import logging

import pytest
import torch
from small_runs import assembled, history

from nerfloss.memory import OutOfMemory, free_memory, ran_out
from nerfloss.training import checkpoint

SAID = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB."


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_errors_of_every_kind_are_told_apart():
    assert ran_out(torch.OutOfMemoryError(SAID))
    assert ran_out(MemoryError())
    assert ran_out(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert ran_out(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    assert not ran_out(RuntimeError("shapes do not match"))
    assert not ran_out(OutOfMemory("lower eval.chunk"))


def test_the_memory_of_this_machine_is_known_and_not_all_taken():
    free = free_memory(torch.device("cpu"))
    assert free is None or 2**20 < free < 2**50


def out_of_memory_at(run, step):
    """Let the field of a run find no memory at a step."""
    advance = run.model.field.advance

    def advance_or_fail(at):
        if run.trainer.step == step:
            raise torch.OutOfMemoryError(SAID)
        advance(at)

    run.model.field.advance = advance_or_fail
    return run


SHORT = ["trainer.max_steps=10", "trainer.checkpoint_every=3", "trainer.preview_every=99"]


def test_training_names_what_to_lower_and_goes_on_from_the_last_checkpoint(tmp_path):
    run = out_of_memory_at(assembled(tmp_path, *SHORT), 7)
    with pytest.raises(OutOfMemory) as raised:
        run.train()
    said = str(raised.value)
    assert "Tried to allocate 2.00 GiB" in said
    assert "trainer.batch_size.samples=512" in said
    assert "model.field.network.grid.log2_table=10" in said
    assert "sampler.resolution=96" in said
    assert f"trainer.resume={tmp_path} trainer.batch_size.samples=256" in said
    saved = checkpoint.load(tmp_path / "checkpoints" / "last.pt")
    assert saved["step"] == 6

    again = assembled(tmp_path, *SHORT, "trainer.batch_size.samples=256")
    again.load(tmp_path / "checkpoints" / "last.pt")
    assert again.trainer.rays == saved["rays"] // 2, "less from the first step on"
    assert again.train()
    assert history(tmp_path)[-1]["step"] == "10"


def test_a_run_that_saved_nothing_yet_is_told_so(tmp_path):
    with pytest.raises(OutOfMemory, match="nothing was saved yet"):
        out_of_memory_at(assembled(tmp_path, *SHORT), 1).train()


def test_a_preview_without_memory_is_a_warning(tmp_path, caplog):
    run = assembled(tmp_path, "trainer.max_steps=3", "trainer.preview_every=2")

    def render_quantities(*_, **__):
        raise OutOfMemory("out of memory even with eval.chunk=256")

    object.__setattr__(run.evaluator, "render_quantities", render_quantities)
    assert run.train()
    assert any("no preview at step 2: out of memory" in said for said in warnings_of(caplog))
