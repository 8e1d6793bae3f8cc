"""Gradients term by term: equal to those of the total, wherever they end up."""

import torch
from torch import nn

from nerfloss.recipe.term_gradients import CombinedGradient, loss_jacobian


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 2))


def losses(net, gain):
    values = net(torch.linspace(-1, 1, 15).reshape(5, 3))
    return {
        "first": values[:, 0].square().mean(),
        "second": gain * values[:, 1].exp().mean(),
        "constant": torch.tensor(3.0),
    }


def test_each_row_is_the_gradient_of_one_loss():
    net, gain = network(), nn.Parameter(torch.tensor(2.0))
    shared = list(net.parameters())
    rows, reached = loss_jacobian(losses(net, gain), shared)
    for index, loss in enumerate(losses(net, gain).values()):
        if index == 2:
            assert not rows[index].any()
            continue
        expected = torch.autograd.grad(loss, shared, retain_graph=True)
        torch.testing.assert_close(rows[index], torch.cat([g.flatten() for g in expected]))
    assert reached == [True] * 4


def test_the_sum_of_the_rows_is_the_gradient_of_the_total():
    net, gain = network(), nn.Parameter(torch.tensor(2.0))
    unused = nn.Parameter(torch.zeros(2))
    shared = [*net.parameters(), unused]
    sum(losses(net, gain).values()).backward()
    expected = [each.grad for each in (*shared, gain)]
    for each in (*shared, gain):
        each.grad = None
    CombinedGradient(losses(net, gain), shared, [gain], lambda rows: rows.sum(0)).backward()
    assert unused.grad is None
    for each, gradient in zip((*shared, gain), expected, strict=True):
        if gradient is not None:
            torch.testing.assert_close(each.grad, gradient)


def test_the_graph_can_be_retained():
    net, gain = network(), nn.Parameter(torch.tensor(2.0))
    found = losses(net, gain)
    rows, _ = loss_jacobian(found, list(net.parameters()), retain_graph=True)
    again, _ = loss_jacobian(found, list(net.parameters()))
    assert torch.equal(rows, again)
