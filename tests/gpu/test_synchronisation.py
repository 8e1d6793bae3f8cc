"""Device synchronisations of the training loop, counted by file and line."""

import collections
import contextlib
import warnings

import pytest
import torch
from small_runs import assembled
from small_scenes import small_scene

from nerfloss.data.pixel_samplers.uniform import UniformPixelSampler
from nerfloss.kernels.async_host_copy import AsyncScalar, HostCopy, StaleScalar

pytestmark = [
    pytest.mark.gpu,
    # What torch says once of this way to look, and what is an error in these tests.
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype"),
]
CUDA = torch.device("cuda")


@contextlib.contextmanager
def waiting(mode):
    """Set the action at a synchronisation: "error" or "warn"."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@contextlib.contextmanager
def waits():
    """Counts, by file and line, how often the block waits for the GPU."""
    found = collections.Counter()
    with warnings.catch_warnings(record=True) as said, waiting("warn"):
        warnings.simplefilter("always")
        yield found
    # Of torch's; where Python stands then is the line that waits.
    for each in said:
        if "called a synchronizing" in str(each.message):
            found[f"{each.filename}:{each.lineno}"] += 1


@pytest.mark.parametrize("image_storage", ["device", "host"])
def test_drawing_a_batch_does_not_synchronise_for_any_image_storage(image_storage):
    views = small_scene("craters", views=4, test_views=1, size=20).train
    placed = views.images_to(CUDA) if image_storage == "device" else views
    batches = UniformPixelSampler(placed, device=CUDA, background="random", near_mask=4, seed=3)
    expected = UniformPixelSampler(views, background="random", near_mask=4, seed=3).draw(1, 300)
    batches.draw(0, 300)
    torch.cuda.synchronize()
    with waiting("error"):
        batch = batches.draw(1, 300)
    assert batch.rays.origins.is_cuda
    assert torch.equal(batch.targets["target_rgb"].cpu(), expected.targets["target_rgb"])
    assert torch.equal(batch.rays.pixel.cpu(), expected.rays.pixel)


def test_batches_have_the_same_bits_from_the_device_and_from_the_host():
    views = small_scene("craters", views=4, test_views=1, size=20).train
    here, there = (UniformPixelSampler(v, device=CUDA) for v in (views.images_to(CUDA), views))
    for step in range(3):
        one, other = here.draw(step, 200), there.draw(step, 200)
        for name in one.targets:
            assert torch.equal(one.targets[name], other.targets[name])
        assert torch.equal(one.rays.directions, other.rays.directions)


def test_asynchronous_host_copies_do_not_synchronise():
    value, box, here, late = (
        torch.arange(3, device=CUDA).sum(),
        torch.ones(2, 3, device=CUDA),
        HostCopy(),
        StaleScalar(),
    )
    here(box)
    late(value)
    torch.cuda.synchronize()
    with waiting("error"):
        number = AsyncScalar(value)
        assert late(value + 4) == 3
        assert here(box).sum() == 6
    assert int(number) == 3


def test_a_step_does_not_synchronise(tmp_path):
    settings = ["device=cuda", "trainer.max_steps=60", "dataset.size=64"]
    settings += ["model.renderer.color_threshold=0"]  # as hardware=gpu has it
    run = assembled(tmp_path, *settings, "trainer.batch_size.samples=4096")
    assert run.train()
    trainer = run.trainer
    trainer.train_step()
    # A step in which no cache is due to be renewed.
    trainer.step = 61
    trainer.inputs.reset(trainer.inputs.refreshed)
    trainer.inputs.prefetch(trainer.step, trainer.rays)
    torch.cuda.synchronize()
    with waits() as found:
        trainer.train_step()
    listed = "\n".join(f"{count} x {place}" for place, count in found.items())
    assert not found, f"the step waits at\n{listed}"
