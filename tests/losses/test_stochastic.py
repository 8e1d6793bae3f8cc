"""S3IM: equal to SSIM of the composed image, for any number of rays."""

import pytest
import torch
from torch.nn.functional import conv2d

from nerfloss.losses.stochastic import _orders, s3im


def rays(count, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(count, 3, generator=generator, dtype=torch.float64)
    noise = torch.rand(count, 3, generator=generator, dtype=torch.float64)
    return 0.7 * target + 0.3 * noise, target


def reference(ours, theirs, kernel, stride):
    """SSIM of two images [3, height, width] as S3IM's paper computes it, textbook moments."""
    line = torch.tensor([-((i - kernel // 2) ** 2) / (2 * 1.5**2) for i in range(kernel)])
    line = line.double().exp()
    window = (line[:, None] * line / line.sum() ** 2)[None, None]

    def mean(x):
        return conv2d(x[:, None], window, stride=stride, padding=(kernel - 1) // 2)

    m_a, m_b = mean(ours), mean(theirs)
    v_a, v_b = mean(ours**2) - m_a**2, mean(theirs**2) - m_b**2
    c = mean(ours * theirs) - m_a * m_b
    top = (2 * m_a * m_b + 0.01**2) * (2 * c + 0.03**2)
    return (top / ((m_a**2 + m_b**2 + 0.01**2) * (v_a + v_b + 0.03**2))).mean()


def laid_out(colours, order, height):
    width = len(order) // height
    image = [
        [colours[order[row * width + column]] for column in range(width)] for row in range(height)
    ]
    return torch.stack([torch.stack(line) for line in image]).movedim(-1, 0)


@pytest.mark.parametrize(
    ("count", "repeats", "patch_height", "kernel", "stride"),
    [(256, 3, 16, 4, 4), (100, 3, 16, 4, 4), (77, 10, 64, 4, 4), (128, 2, 16, 5, 2)],
)
def test_s3im_is_the_ssim_of_the_rays_in_several_orders(
    count, repeats, patch_height, kernel, stride
):
    ours, theirs = rays(count)
    order = _orders(count, repeats, 0)
    images = (laid_out(x, order, patch_height) for x in (ours, theirs))
    found = s3im(
        ours, theirs, kernel=kernel, stride=stride, repeats=repeats, patch_height=patch_height
    )
    torch.testing.assert_close(1 - found, reference(*images, kernel, stride))


def test_the_first_copy_keeps_the_order_and_every_copy_has_every_ray():
    orders = _orders(50, 10, 0).reshape(10, 50)
    assert orders[0].tolist() == list(range(50))
    assert all(sorted(order.tolist()) == list(range(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 10


@pytest.mark.parametrize("count", [1, 2, 5, 63, 1000, 4097])
def test_s3im_takes_any_number_of_rays(count):
    ours, theirs = (x.float() for x in rays(count))
    ours.requires_grad_()
    value = s3im(ours, theirs)
    value.backward()
    assert value.ndim == 0
    assert 0 < value < 2
    assert ours.grad.isfinite().all()
    assert ours.grad.abs().sum() > 0


def test_s3im_is_0_at_the_target_and_a_step_against_its_gradient_lowers_it():
    ours, theirs = rays(300)
    assert abs(float(s3im(theirs, theirs))) < 1e-12
    ours.requires_grad_()
    before = s3im(ours, theirs)
    (slope,) = torch.autograd.grad(before, ours)
    assert s3im(ours - 0.01 * slope / slope.abs().max(), theirs) < before


def test_s3im_hardly_depends_on_the_permutations():
    ours, theirs = rays(4096)
    values = [float(s3im(ours, theirs, seed=seed)) for seed in range(4)]
    assert len(set(values)) == 4
    assert max(values) - min(values) < 0.01 * min(values)
    assert values[0] == float(s3im(ours, theirs))


def test_too_few_rays_for_a_window_are_refused():
    one = torch.rand(1, 3)
    with pytest.raises(
        ValueError, match=r"kernel=4 needs more than 1 ray.* raise trainer.batch_size.rays"
    ):
        s3im(one, one, repeats=1)
