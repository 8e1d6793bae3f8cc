"""Synthetic batches: rays towards the box and random observations, without a dataset."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from nerfloss.geometry import Rays, Samples
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe.batch_requirements import fewest_rays, smallest_patch
from nerfloss.recipe.term import Term
from nerfloss.testing.quantities import SIZES, fake

RAYS = 24
PATCH = 4  # pixels per side, unless a term needs larger ones
# Size of the perturbation of the parameters, relative and absolute: whole layers are initialized to
# 0, where derivatives vanish.
RELATIVE, ABSOLUTE = 0.05, 1e-3


@dataclass(frozen=True)
class SyntheticBatch:
    """Samples, observations, step and progress, in double precision."""

    samples: Samples
    given: Mapping[str, Any]


def synthetic_batch(
    model: Any, terms: Sequence[Term], *, step: int, seed: int = 0
) -> SyntheticBatch:
    """Return rays and observations for all of the terms; convert the model to double precision.

    Perturbs the model's parameters first. The sampler places the samples in single precision.
    """
    generator = torch.Generator().manual_seed(seed)
    needs = frozenset().union(*(term.needs for term in terms))
    sizes = _sizes(terms, any(name.startswith("patch_") for name in needs))
    if model.appearance is not None:
        width, height = sizes["width"], sizes["height"]
        model.appearance.set_images(torch.tensor([[width, height]] * sizes["views"]))
    if model.cameras is not None:
        model.cameras.allocate(SIZES["views"], SIZES["views"])
        model.cameras.double()
    _perturb(model, generator)
    model.advance(step)
    model.sampler.refresh(model.field, step, generator)
    rays = _rays(model.field.box, sizes["rays"], generator)
    with torch.no_grad():
        samples = model.sampler(model.field, rays, generator)
    model.field.double()
    model.sampler.double()
    if model.appearance is not None:
        model.appearance.double()
    given = {
        name: fake(name, dtype=torch.float64, sizes=sizes) for name in observable_quantities(needs)
    }
    return SyntheticBatch(_doubled(samples), {**given, "step": step, "progress": 0.5})


def observable_quantities(needs: Collection[str]) -> list[str]:
    """Return the names of the quantities that a dataset and a batch can provide for ``needs``."""
    patches = {"patch_shape"} if any(name.startswith("patch_") for name in needs) else set()
    return sorted(
        name for name in VOCABULARY if name.startswith(("target_", "view_")) or name in patches
    )


def _sizes(terms: Sequence[Term], patches: bool) -> dict[str, int]:
    rays = max(RAYS, *(fewest_rays(term.fn) for term in terms))
    if not patches:
        return {**SIZES, "rays": rays}
    side = max(PATCH, *(smallest_patch(term.fn) for term in terms))
    count = max(SIZES["patches"], -(-rays // side**2))
    made = {"patches": count, "height": side, "width": side, "rays": count * side**2}
    return {**SIZES, **made}


def _perturb(model: Any, generator: torch.Generator) -> None:
    parameters: list[nn.Parameter] = [p for g in model.parameter_groups().values() for p in g]
    with torch.no_grad():
        for each in parameters:
            size = (RELATIVE * each.square().mean().sqrt()).clamp_min(ABSOLUTE)
            each.add_(size * torch.randn(each.shape, generator=generator))


def _rays(box: Tensor, count: int, generator: torch.Generator) -> Rays:
    """Return rays from all directions towards random points of the inner half of the box."""
    middle, half = box.mean(0), 0.5 * (box[1] - box[0])
    aims = middle + half * (torch.rand(count, 3, generator=generator) - 0.5)
    origins = middle + 2 * half.norm() * normalize(
        torch.randn(count, 3, generator=generator), dim=1
    )
    return Rays(
        origins=origins,
        directions=normalize(aims - origins, dim=1),
        pixel=0.5 + torch.randint(0, 8, (count, 2), generator=generator),
        view=torch.randint(0, SIZES["views"], (count,), generator=generator),
        background=torch.rand(count, 3, generator=generator),
    )


def _doubled(samples: Samples) -> Samples:
    rays = samples.rays
    floats = ("origins", "directions", "pixel", "background")
    return Samples(
        replace(rays, **{name: getattr(rays, name).double() for name in floats}),
        samples.t_starts.double(),
        samples.t_ends.double(),
        {name: value.double() for name, value in samples.more.items()},
    )
