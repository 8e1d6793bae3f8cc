"""Random numbers come from the passed generator, or from torch without one."""

import pytest
import torch

from nerfloss.maths.random_numbers import normal, uniform

LIKE = torch.empty(0, dtype=torch.float64)


@pytest.mark.parametrize(("draw", "mean", "deviation"), [(uniform, 0.5, 12**-0.5), (normal, 0, 1)])
def test_numbers_are_spread_as_they_are_named(draw, mean, deviation):
    found = draw((100, 1000), torch.Generator().manual_seed(0), LIKE)
    assert found.shape == (100, 1000)
    assert found.dtype == torch.float64
    assert float(found.mean()) == pytest.approx(mean, abs=0.01)
    assert float(found.std()) == pytest.approx(deviation, rel=0.01)


@pytest.mark.parametrize("draw", [uniform, normal])
def test_a_generator_s_seed_decides_and_torch_s_own_only_without_one(draw):
    def seeded():
        return draw((5,), torch.Generator().manual_seed(3), LIKE)

    assert torch.equal(seeded(), seeded())
    torch.manual_seed(3)
    first, second = (draw((5,), None, LIKE) for _ in range(2))
    assert torch.equal(first, seeded())
    assert not torch.equal(first, second)
