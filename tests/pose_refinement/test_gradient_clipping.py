"""Clipping limits the gradients of single rays, and nothing else."""

import torch

from nerfloss.pose_refinement.gradient_clipping import with_clipped_gradient


def gradient(incoming, factor):
    rows = torch.ones_like(incoming, requires_grad=True)
    found = with_clipped_gradient(rows, factor)
    assert torch.equal(found, rows)
    found.backward(incoming)
    return rows.grad


def test_a_gradient_keeps_its_direction_and_gets_the_length_of_the_limit():
    incoming = torch.tensor([[3.0, 4.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    found = gradient(incoming, 2)
    # The median of 5, 1 and 1 is 1: rays without a gradient do not count.
    assert torch.allclose(found, torch.tensor([[1.2, 1.6], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]))


def test_without_a_factor_gradients_are_those_of_the_loss():
    incoming = torch.tensor([[300.0, 400.0], [0.0, 1.0]])
    assert torch.equal(gradient(incoming, None), incoming)


def test_gradients_of_zero_stay_zero():
    assert torch.equal(gradient(torch.zeros(3, 2), 2), torch.zeros(3, 2))


def test_a_gradient_that_is_not_finite_is_not_hidden():
    incoming = torch.tensor([[torch.inf, 1.0], [0.0, 1.0], [1.0, 0.0]])
    assert not gradient(incoming, 2)[0].isfinite().all()
