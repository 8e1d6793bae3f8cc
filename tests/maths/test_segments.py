"""Groups of different sizes: sums, and pairs within groups."""

import itertools

import pytest
import torch

from nerfloss.maths.segments import Segments, pair_blocks

LABELS = torch.tensor([7, 2, 7, 100, 2, 7, -5, 7])


def test_labels_are_numbered_and_counted():
    groups = Segments.of(LABELS)
    assert groups.count == 4
    assert groups.sizes().tolist() == [1, 2, 4, 1]
    assert groups.sum(torch.arange(8.0)).tolist() == [6, 5, 14, 3]


def test_log_softmax_is_torchs_within_each_group():
    scores = 1000 * torch.rand(8, dtype=torch.float64)
    found = Segments.of(LABELS).log_softmax(scores)
    for label in LABELS.unique():
        own = label == LABELS
        torch.testing.assert_close(found[own], scores[own].log_softmax(0))


def test_items_are_ordered_group_after_group():
    order = Segments.of(LABELS).order(torch.arange(8).flip(0))
    assert order.tolist() == [6, 4, 1, 7, 5, 2, 0, 3]


@pytest.mark.parametrize(("pairs", "least"), [(1, 1), (12, 1), (30, 2), (10**6, 3), (10**6, 256)])
def test_blocks_hold_every_pair_of_a_group_and_every_row_once(pairs, least):
    groups = Segments.of(LABELS).index.sort().values
    rows, found = [], set()
    for block, columns in pair_blocks(groups, pairs, least):
        inside = range(8)[block], range(8)[columns]
        assert len(inside[0]) * len(inside[1]) <= pairs or len(inside[0]) == 1
        rows += inside[0]
        found |= set(itertools.product(*inside))
    assert rows == list(range(8))
    every = itertools.product(range(8), repeat=2)
    assert {(i, j) for i, j in every if groups[i] == groups[j]} <= found


def test_large_groups_are_compared_with_themselves_and_hardly_more():
    groups = torch.arange(20).repeat_interleave(100)
    blocks = pair_blocks(groups, 2**19, 64)
    work = sum((b.stop - b.start) * (c.stop - c.start) for b, c in blocks)
    assert work == 20 * 100**2


def test_no_items_have_no_groups_and_no_pairs():
    none = Segments.of(torch.zeros(0, dtype=torch.long))
    assert none.count == 0
    assert pair_blocks(none.index, 10) == []
