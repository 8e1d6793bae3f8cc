"""Faulty terms, for tests of the checks."""

import torch

from nerfloss.losses.requirements import requires


def not_a_number(opacity):
    """NaN as a value. Reference: none, for tests."""
    return opacity.sum() * float("nan")


def vertical(opacity):
    """Finite, with an infinite derivative at 0: as the square root of something that can be 0."""
    return (opacity * 0).sqrt()


def flat(opacity):
    """No gradient anywhere. Reference: none, for tests."""
    return 0 * opacity


def spoils_a_view(opacity, view, step):
    """NaN for the rays of view 1, from the third step on. Reference: none, for tests."""
    return torch.where((view == 1) & torch.tensor(step >= 2), float("nan"), opacity)


def steep_in_a_view(opacity, view, step):
    """No derivative for the rays of view 1, from the third step on. Reference: none, for tests."""
    return ((opacity + 1) * ((view != 1) | torch.tensor(step < 2))).sqrt()


class _HalfTheGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * x  # the derivative of the square is 2 x


def half_the_gradient(rgb, target_rgb):
    """A square whose backward pass lacks its factor of two. Reference: none, for tests."""
    return _HalfTheGradient.apply(rgb - target_rgb)


@requires(approximate_gradient="off by a tenth")
def careless(rgb, target_rgb):
    """Off by a tenth, and says that it is approximate. Reference: none, for tests."""
    return 0.8 * (rgb - target_rgb).square() + 0.2 * half_the_gradient(rgb, target_rgb)


def stops(rgb, opacity):
    """Stop a gradient by no_grad and by detach. Reference: none, for tests."""
    with torch.no_grad():
        share = opacity[:, None] ** 2
        share = share / share.sum()
    return share * rgb * rgb.detach()


def draws(rgb, generator=None):
    """Weigh by random numbers. Reference: none, for tests."""
    return rgb * torch.rand(rgb.shape, generator=generator)


def raises(rgb):
    """Cannot be computed. Reference: none, for tests."""
    raise ArithmeticError(f"no answer for {tuple(rgb.shape)}")


def rough(opacity):
    """A quantity that is always 0, where its derivative is infinite."""
    return (opacity * 0).sqrt()


def of_rough(rough):
    """Harmless in itself. Reference: none, for tests."""
    return rough + 1
