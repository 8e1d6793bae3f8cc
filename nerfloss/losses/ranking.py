"""Ranking terms: the order of depths within each view.

Only the order of the observed depths counts (for ListNet, their differences), so their scale may be
unknown. Rays without an observed depth (0) are ignored, rays of different views are never compared,
and views may have any number of rays.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import not_negative, positive
from nerfloss.maths.segments import Segments, pair_blocks

PAIRS_AT_ONCE = 2**19  # bounds the memory for any number of rays


@requires(not_negative("margin"))
def depth_ranking(
    depth: Float[Tensor, "rays"],
    target_depth: Float[Tensor, "rays"],
    view: Int[Tensor, "rays"],
    *,
    margin: float = 1e-4,
) -> Float[Tensor, "rays"]:
    """Return the mean hinge of each ray over the rays of its view, for pairs in the wrong order.

    ``max(0, d_i - d_j + margin)`` for every j observed behind i, and the reverse for every j
    observed before it; the value is the mean over both, in scene units. Pairs with equal observed
    depths are ignored; a ray without any other has 0. All pairs are compared, in blocks that are
    recomputed in the backward pass.

    Reference: Wang et al., "SparseNeRF: Distilling Depth Ranking for Few-shot Novel View
    Synthesis", ICCV 2023, the local depth ranking term, over a view instead of patches.
    """
    known = (target_depth > 0).nonzero()[:, 0]
    groups = Segments.of(view[known]).index
    order = groups.argsort(stable=True)
    known, groups = known[order], groups[order]
    rays = (depth[known], target_depth[known], groups)
    # An empty tensor, so that there is a gradient (0) even where nothing is compared.
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
    """Return each row's mean hinge over the columns of its view with another observed depth."""
    # 1: observed behind the row; -1: before it; 0: not compared with it.
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
    """Return the ListNet cross entropy between observed and rendered order of a view's rays.

    ``-n P_i log Q_i`` per ray, with P and Q the softmax of ``-target_depth / temperature`` and of
    ``-depth / temperature`` over the view's n rays, so that the mean over these rays is the cross
    entropy of the lists. Its minimum, where all depths are right up to one offset, is not 0.
    ``temperature`` is in scene units: differences of depth that are much larger do not matter.

    Reference: Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML
    2007, with top one probabilities.
    """
    known = (target_depth > 0).nonzero()[:, 0]
    groups = Segments.of(view[known])
    observed = groups.log_softmax(-target_depth[known] / temperature).exp()
    rendered = groups.log_softmax(-depth[known] / temperature)
    values = -groups.sizes()[groups.index] * observed * rendered
    return torch.zeros_like(depth).index_copy(0, known, values)


@requires(positive("temperature"))
def depth_listmle(
    depth: Float[Tensor, "rays"],
    target_depth: Float[Tensor, "rays"],
    view: Int[Tensor, "rays"],
    *,
    temperature: float = 1.0,
) -> Float[Tensor, "rays"]:
    """Return the negative log likelihood of a view's observed order, given the rendered depths.

    Per ray ``-s_i + log sum_k exp s_k`` with ``s = -depth / temperature``, k running over the ray
    and all that were observed behind it. A view's values sum to the negative log likelihood of its
    list. Rays with equal observed depths keep the order of the batch. ``temperature`` is in scene
    units.

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
    # A row per view, farthest first, so that the rays behind a ray precede it. The zeros that pad
    # the rows come last and are not read.
    longest = int(sizes.max()) if len(sizes) else 0
    rows = scores.new_zeros(groups.count, longest).index_put((row, column), scores[order])
    behind = rows.logcumsumexp(1)[row, column]
    return torch.zeros_like(depth).index_copy(0, known[order], behind - scores[order])
