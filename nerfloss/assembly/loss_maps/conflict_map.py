"""Conflict of two terms as a map: where on a view they pull the model in opposite directions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.assembly.loss_maps.chosen_terms import chosen_terms, reason_against
from nerfloss.assembly.loss_maps.map_drawing import evaluated
from nerfloss.assembly.loss_maps.pixel_layout import PixelLayout
from nerfloss.assembly.loss_maps.pixel_values import NotDrawable
from nerfloss.assembly.loss_maps.term_inputs import TermInputs
from nerfloss.assembly.loss_maps.view_quantities import ViewQuantities
from nerfloss.evaluation.image_rendering import View
from nerfloss.evaluation.stage_progress import Progress, silent
from nerfloss.models import Model
from nerfloss.recipe import LossRecipe

BLOCK = 4  # pixels


@dataclass(frozen=True)
class ConflictMap:
    """Agreement of the weighted gradients of two terms, for each block of a view, on the CPU.

    ``cosine`` is that between the gradients, in [-1, 1]; NaN where one of them is 0 or says
    nothing. ``conflict`` is ``max(0, -cosine)`` times the smaller of the two lengths: what the
    weaker term loses; 0 where they agree. ``lengths`` are those of the two gradients. ``block`` is
    the height and width of a block in pixels.
    """

    names: tuple[str, str]
    weights: tuple[float, float]
    block: tuple[int, int]
    cosine: Float[Tensor, "height width"]
    conflict: Float[Tensor, "height width"]
    lengths: tuple[Float[Tensor, "height width"], Float[Tensor, "height width"]]


def conflict_map(
    model: Model,
    recipe: LossRecipe,
    at: Mapping[str, Any],
    view: View,
    names: tuple[str, str],
    *,
    given: Mapping[str, Any] | None = None,
    block: int = BLOCK,
    progress: Progress = silent,
) -> ConflictMap:
    """Return where on a view two terms fight, for a model at a moment ``at`` of its training.

    For each block of ``block`` x ``block`` pixels (for terms on patches: each patch) g is the
    gradient, by all parameters of the model, of the term's weight times its mean over the rays of
    the block; compared are the g of the two terms. Parameters, as terms meet nowhere else: one may
    act on the colour, the other on the Laplacian of the distance. These are the gradients that
    balancers such as PCGrad compare, here for a part of a batch. Takes two backward passes per
    block. ``at``, ``view`` and ``given`` are those of `term_maps`; nothing changes in model and
    recipe.

    Raises ValueError for a name that is no term or given twice, a term of weight 0 around this step
    or without a map, and a ``block`` below 1.

    Reference: Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, section 2.2.
    """
    step = int(at["step"])
    known = ViewQuantities(model, view, {**at, **(given or {})}, view.height * view.width)
    both = [TermInputs(term) for term in chosen_terms(recipe, step, names).values()]
    weights = [each.term.weight_around(step) for each in both]
    _check(names, both, weights, known, block)
    layout = _layout(both, known, block)
    parameters = [
        parameter
        for group in model.parameter_groups().values()
        for parameter in group
        if parameter.requires_grad
    ]
    pixels = view.height * view.width
    images = {name: torch.full((pixels,), torch.nan) for name in ("dot", "first", "second")}
    blocks = len(layout.index)
    for done, index in enumerate(layout.chunks(layout.index.shape[1])):
        progress(f"blocks of {view.name}: {' and '.join(names)}", done, blocks)
        slopes = _gradients(names, both, weights, known, index, parameters)
        for image, value in zip(images.values(), _products(*slopes), strict=True):
            image[index] = value
    progress(f"blocks of {view.name}: {' and '.join(names)}", blocks, blocks)
    first, second = images["first"], images["second"]
    shortest, product = torch.minimum(first, second), first * second
    cosine = torch.where(product > 0, (images["dot"] / product).clamp(-1, 1), torch.nan)
    conflict = torch.where(product > 0, (-cosine).clamp_min(0) * shortest, shortest)
    shape = (view.height, view.width)
    size = layout.patch
    assert size is not None
    return ConflictMap(
        names,
        (weights[0], weights[1]),
        size,
        cosine.reshape(shape),
        conflict.reshape(shape),
        (first.reshape(shape), second.reshape(shape)),
    )


def _gradients(
    names: Sequence[str],
    terms: Sequence[TermInputs],
    weights: Sequence[float],
    known: ViewQuantities,
    index: Tensor,
    parameters: Sequence[torch.nn.Parameter],
) -> list[list[Tensor | None]]:
    """Return each term's weighted gradient for the rays of a block; None where it is zero."""
    needs = set().union(*(each.term.needs for each in terms)) | {"weights"}
    slopes: list[list[Tensor | None]] = []
    with torch.enable_grad():
        quantities = known.of_rays(index, needs)
        for name, term, weight in zip(names, terms, weights, strict=True):
            try:
                found = evaluated(term, quantities, len(index))
            except NotDrawable as reason:
                raise ValueError(f"'{name}' has no map of conflicts: {reason}") from None
            kept = found.kept.sum()
            loss = weight * found.sums.sum() / kept
            if not kept or not loss.requires_grad:
                slopes.append([None] * len(parameters))
                continue
            slopes.append(
                list(torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True))
            )
    return slopes


def _products(
    first: Sequence[Tensor | None], second: Sequence[Tensor | None]
) -> tuple[float, float, float]:
    """Return the product of two gradients and their lengths."""
    dot = sum(
        float((a * b).sum())
        for a, b in zip(first, second, strict=True)
        if a is not None and b is not None
    )
    return dot, _length(first), _length(second)


def _length(slopes: Sequence[Tensor | None]) -> float:
    return math.sqrt(sum(float(slope.square().sum()) for slope in slopes if slope is not None))


def _check(
    names: Sequence[str],
    terms: Sequence[TermInputs],
    weights: Sequence[float],
    known: ViewQuantities,
    block: int,
) -> None:
    if block < 1:
        raise ValueError(f"a block of conflicts has at least 1 pixel a side, got {block}")
    if len(set(names)) < 2:
        raise ValueError(f"a conflict is between two terms, got '{names[0]}' twice")
    for name, term, weight in zip(names, terms, weights, strict=True):
        if not weight > 0:
            raise ValueError(
                f"'{name}' has weight 0 at step {known.given['step']}, so it pulls nowhere: "
                f"compare terms that are active"
            )
        if reason := reason_against(term, known):
            raise ValueError(f"'{name}' has no map of conflicts: {reason}")


def _layout(terms: Sequence[TermInputs], known: ViewQuantities, block: int) -> PixelLayout:
    size = (min(block, known.view.height), min(block, known.view.width))
    if any(each.on_patches for each in terms):
        size = known.given["patch_shape"]
    return PixelLayout.of_patches(known.view.height, known.view.width, size, size)
