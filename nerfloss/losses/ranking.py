"""Ranking terms: of the rays of one view, what was seen nearer is nearer.

Only the order of the observed depths counts (or, for ListNet, their differences): a depth network's
scale may be unknown. Rays without a depth (0) take no part, rays of different views are never
compared, and views may have any number of rays.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import not_negative, positive
from nerfloss.maths.segments import Segments, pair_blocks

PAIRS_AT_ONCE = 2**19  # bounds the memory, however many rays a view has


@requires(not_negative("margin"))
def depth_ranking(
    depth: Float[Tensor, "rays"],
    target_depth: Float[Tensor, "rays"],
    view: Int[Tensor, "rays"],
    *,
    margin: float = 1e-4,
) -> Float[Tensor, "rays"]:
    """Penalize pairs of rays of one view that lie in the wrong order; a mean per ray.

    ``max(0, d_i - d_j + margin)`` for every j that was seen behind i, and the same for every j seen
    before it; the ray's value is the mean over both, in scene units. Pairs seen at one depth do
    not count; a ray without any other has 0. All pairs are compared, in blocks that are computed
    again for the gradient.

    Reference: Wang et al., "SparseNeRF: Distilling Depth Ranking for Few-shot Novel View
    Synthesis", ICCV 2023, the local depth ranking term, over a view instead of patches.
    """
    known = (target_depth > 0).nonzero()[:, 0]
    groups = Segments.of(view[known]).index
    order = groups.argsort(stable=True)
    known, groups = known[order], groups[order]
    rays = (depth[known], target_depth[known], groups)
    # An empty piece, so that there is a gradient, of 0, even where nothing can be compared.
    values = [rays[0][:0]]
    for rows, columns in pair_blocks(groups, PAIRS_AT_ONCE):
        block = (*(x[rows] for x in rays), *(x[columns] for x in rays), margin)
        values.append(
            checkpoint(_wrong_order, *block, use_reentrant=False, preserve_rng_state=False)
        )
    return torch.zeros_like(depth).index_copy(0, known, torch.cat(values))


def _wrong_order(
    depth: Float[Tensor, "rows"],
    target_depth: Float[Tensor, "rows"],
    view: Int[Tensor, "rows"],
    depths: Float[Tensor, "columns"],
    target_depths: Float[Tensor, "columns"],
    views: Int[Tensor, "columns"],
    margin: float,
) -> Float[Tensor, "rows"]:
    """Each row's mean hinge over the columns of its view that were not seen at its depth."""
    # 1: seen behind the row; -1: before it; 0: not compared with it.
    behind = (target_depths - target_depth[:, None]).sign() * (views == view[:, None])
    counted = behind.abs()
    hinges = counted * (margin - behind * (depths - depth[:, None])).clamp_min(0)
    return hinges.sum(-1) / counted.sum(-1).clamp_min(1)


@requires(positive("temperature"))
def depth_listnet(
    depth: Float[Tensor, "rays"],
    target_depth: Float[Tensor, "rays"],
    view: Int[Tensor, "rays"],
    *,
    temperature: float = 1.0,
) -> Float[Tensor, "rays"]:
    """Cross entropy between which ray of a view is nearest, as observed and as rendered.

    ``-n P_i log Q_i`` per ray, with P and Q the softmax of ``-target_depth / temperature`` and of
    ``-depth / temperature`` over the view's n rays, so that its mean over these rays is the
    cross entropy of the lists; least, but not 0, where all depths are right up to one offset.
    ``temperature`` is in scene units: how far behind a ray still competes for being nearest.

    Reference: Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML
    2007, with top one probabilities.
    """
    known = (target_depth > 0).nonzero()[:, 0]
    groups = Segments.of(view[known])
    wanted = groups.log_softmax(-target_depth[known] / temperature).exp()
    found = groups.log_softmax(-depth[known] / temperature)
    values = -groups.sizes()[groups.index] * wanted * found
    return torch.zeros_like(depth).index_copy(0, known, values)


@requires(positive("temperature"))
def depth_listmle(
    depth: Float[Tensor, "rays"],
    target_depth: Float[Tensor, "rays"],
    view: Int[Tensor, "rays"],
    *,
    temperature: float = 1.0,
) -> Float[Tensor, "rays"]:
    """Negative log likelihood of a view's observed order, nearest first, given rendered depths.

    Per ray ``-s_i + log sum_k exp s_k`` with ``s = -depth / temperature``, k running over the ray
    and all that were seen behind it: how surely it is picked as the nearest of those. A view's
    values sum to the likelihood of its list. Rays seen at one depth keep the order of the batch.
    ``temperature`` is in scene units.

    Reference: Xia et al., "Listwise Approach to Learning to Rank: Theory and Algorithm", ICML
    2008, the likelihood loss.
    """
    known = (target_depth > 0).nonzero()[:, 0]
    groups = Segments.of(view[known])
    scores = -depth[known] / temperature
    order = groups.order(target_depth[known].argsort(descending=True, stable=True))
    row = groups.index[order]
    sizes = groups.sizes()
    column = torch.arange(len(order), device=order.device) - (sizes.cumsum(0) - sizes)[row]
    # A row per view, farthest first: what was seen behind a ray is what comes before it. The
    # zeros that fill up the rows come last and are never looked at.
    longest = int(sizes.max()) if len(sizes) else 0
    rows = scores.new_zeros(groups.count, longest).index_put((row, column), scores[order])
    behind = rows.logcumsumexp(1)[row, column]
    return torch.zeros_like(depth).index_copy(0, known[order], behind - scores[order])
