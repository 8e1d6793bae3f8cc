"""Host copies follow their device tensors without needless synchronisation."""

import torch
from small_runs import assembled

from nerfloss.kernels.async_host_copy import AsyncScalar, HostCopy, StaleScalar
from nerfloss.samplers.cached_grid import CachedGrid


def test_a_host_copy_follows_every_change_of_its_tensor():
    here, box = HostCopy(), torch.tensor([[0.0, 0, 0], [1, 1, 1]])
    assert torch.equal(here(box), box)
    box.copy_(2 * box)
    assert torch.equal(here(box), torch.tensor([[0.0, 0, 0], [2, 2, 2]]))
    box[1, 0] = 7.0
    assert here(box)[1, 0] == 7.0
    other = torch.ones(2, 3)
    assert torch.equal(here(other), other)
    assert torch.equal(here(box), box)


def test_a_tensor_that_does_not_change_is_copied_once():
    class Device(torch.Tensor):
        """Count the copies to the host."""

        copies = 0

        def cpu(self):
            type(self).copies += 1
            return super().cpu()

    here, box = HostCopy(), torch.ones(2, 3).as_subclass(Device)
    for _ in range(5):
        here(box)
    assert Device.copies == 1
    box.mul_(2)
    here(box)
    assert Device.copies == 2


def test_on_a_cpu_numbers_are_read_at_once():
    late = StaleScalar()
    assert [late(torch.tensor(x)) for x in (1.0, 2.0, 3.0)] == [1.0, 2.0, 3.0]
    assert int(AsyncScalar(torch.tensor(7))) == 7
    assert float(AsyncScalar(torch.tensor(0.5, requires_grad=True))) == 0.5


def test_a_loaded_cache_counts_as_refreshed():
    old, new = CachedGrid(8), CachedGrid(8)
    box = torch.tensor([[0.0, 0, 0], [1, 2, 4]])
    assert not new.initialized
    assert new.cell(box) == 1 / 8
    old.filled.fill_(True)
    new.load_state_dict(old.state_dict())
    assert new.initialized
    assert new.cell(2 * box) == 2 / 8


def test_a_prefetched_step_has_its_number_of_samples(tmp_path):
    run = assembled(tmp_path)
    for step in range(2):
        begun = run.trainer.inputs.take(step, 50)
        assert int(begun.count) == int(begun.samples.occupied.sum()) > 0
        run.trainer.inputs.prefetch(step + 1, 50)
