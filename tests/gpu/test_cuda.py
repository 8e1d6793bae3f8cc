"""The same line on a CUDA device: it trains there, and to the same first steps as on a CPU."""

import pytest
import torch
from small_runs import assembled

pytestmark = pytest.mark.gpu


def test_a_run_trains_on_the_device(tmp_path):
    run = assembled(tmp_path, "device=cuda", "trainer.max_steps=5")
    assert run.train()
    assert run.model.field.box.is_cuda
    assert run.evaluate().values["psnr"] > 0


def test_the_first_loss_is_that_of_the_cpu(tmp_path):
    first = {}
    for device in ("cpu", "cuda"):
        run = assembled(tmp_path / device, f"device={device}", "sampler=uniform")
        field = run.model.field
        # The same parameters; samples differ by the device's own random numbers.
        field.load_state_dict(torch.load(_state(tmp_path, field), weights_only=True))
        report = run.trainer.train_step().report
        first[device] = report.total.item()
    assert first["cuda"] == pytest.approx(first["cpu"], rel=0.1)


def _state(folder, field):
    """A file with the parameters of the first field that asks."""
    path = folder / "field.pt"
    if not path.exists():
        torch.save(dict(field.state_dict()), path)
    return path


def test_the_first_loss_with_triton_is_that_of_the_reference(tmp_path):
    first = {}
    for backend in ("triton", "reference"):
        run = assembled(tmp_path / backend, "device=cuda", f"kernels.backend={backend}")
        report = run.trainer.train_step().report
        first[backend] = report.total.item()
    assert first["triton"] == pytest.approx(first["reference"], rel=1e-2)
