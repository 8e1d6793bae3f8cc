"""A step that no dataset is needed for: rays that look at the box, and made-up observations."""

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
PATCH = 4  # pixels a side, where no term wants larger ones
# Parameters move this far from where they begin, relative to their size: at the beginning
# whole layers are 0, and derivatives with them.
MOVED, LEAST = 0.05, 1e-3


@dataclass(frozen=True)
class SyntheticBatch:
    """Samples and observations, in double precision, and where on its schedules a step is."""

    samples: Samples
    given: Mapping[str, Any]


def make_up_step(model: Any, terms: Sequence[Term], *, step: int, seed: int = 0) -> SyntheticBatch:
    """Rays and observations for all of the terms, and the model in double precision.

    The model's parameters are moved a little first, as by some steps of training. Samples are
    placed by its sampler before that is cast.
    """
    generator = torch.Generator().manual_seed(seed)
    needs = frozenset().union(*(term.needs for term in terms))
    sizes = _sizes(terms, any(name.startswith("patch_") for name in needs))
    _move(model, generator)
    model.field.advance(step)
    model.sampler.refresh(model.field, step, generator)
    rays = _rays(model.field.box, sizes["rays"], generator)
    with torch.no_grad():
        samples = model.sampler(model.field, rays, generator)
    model.field.double()
    model.sampler.double()
    given = {name: fake(name, dtype=torch.float64, sizes=sizes) for name in observed_by(needs)}
    return SyntheticBatch(_doubled(samples), {**given, "step": step, "progress": 0.5})


def observed_by(needs: Collection[str]) -> list[str]:
    """What a dataset would have to give: everything that can be observed, as needs may derive."""
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


def _move(model: Any, generator: torch.Generator) -> None:
    parameters: list[nn.Parameter] = [p for g in model.parameter_groups().values() for p in g]
    with torch.no_grad():
        for each in parameters:
            size = (MOVED * each.square().mean().sqrt()).clamp_min(LEAST)
            each.add_(size * torch.randn(each.shape, generator=generator))


def _rays(box: Tensor, count: int, generator: torch.Generator) -> Rays:
    """Rays from all around at random points of the inner half of the box."""
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
