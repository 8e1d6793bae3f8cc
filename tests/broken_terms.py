"""Terms that break in known ways, for tests of the guards."""

import torch

from nerfloss.losses.requirements import requires


def not_a_number(opacity):
    """NaN as a value. Reference: none, this is a trap."""
    return opacity.sum() * float("nan")


def vertical(opacity):
    """Finite, with an infinite slope at 0: as the square root of something that can be 0."""
    return (opacity * 0).sqrt()


def flat(opacity):
    """No gradient anywhere. Reference: none, this is a trap."""
    return 0 * opacity


def spoils_a_view(opacity, view, step):
    """NaN for the rays of view 1, from the third step on. Reference: none, this is a trap."""
    return torch.where((view == 1) & torch.tensor(step >= 2), float("nan"), opacity)


def steep_in_a_view(opacity, view, step):
    """No slope at all for the rays of view 1, from the third step on. Reference: none, a trap."""
    return ((opacity + 1) * ((view != 1) | torch.tensor(step < 2))).sqrt()


class _HalfTheSlope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * x  # the square's slope is 2 x


def half_the_slope(rgb, target_rgb):
    """A square whose backward pass lacks its factor of two. Reference: none, this is a trap."""
    return _HalfTheSlope.apply(rgb - target_rgb)


@requires(approximate_gradient="off by a tenth")
def careless(rgb, target_rgb):
    """Off by a tenth, and says that it is approximate. Reference: none, this is for tests."""
    return 0.8 * (rgb - target_rgb).square() + 0.2 * half_the_slope(rgb, target_rgb)


def stops(rgb, opacity):
    """Stops a gradient twice, in both ways. Reference: none, this is for tests."""
    with torch.no_grad():
        share = opacity[:, None] ** 2
        share = share / share.sum()
    return share * rgb * rgb.detach()


def draws(rgb, generator=None):
    """Weighs at random. Reference: none, this is for tests."""
    return rgb * torch.rand(rgb.shape, generator=generator)


def raises(rgb):
    """Cannot be computed. Reference: none, this is a trap."""
    raise ArithmeticError(f"no answer for {tuple(rgb.shape)}")


def rough(opacity):
    """A quantity without a slope at 0, where it always is."""
    return (opacity * 0).sqrt()


def of_rough(rough):
    """Harmless in itself. Reference: none, this is for tests."""
    return rough + 1
