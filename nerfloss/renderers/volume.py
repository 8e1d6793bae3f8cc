"""The volume renderer: a field along sampled rays, answering the quantities asked for by name."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.geometry import Samples
from nerfloss.kernels import point_ops
from nerfloss.kernels.compositing import composited
from nerfloss.quantities import derived, patches
from nerfloss.quantities.field import Field
from nerfloss.quantities.resolve import Quantities, Rule, obtainable, primitives, rules_in
from nerfloss.quantities.signature import inputs_of, settings_of
from nerfloss.renderers.packed import Packed, select, spread

RAYS_GIVE = frozenset({"origins", "directions", "pixel", "view", "background"})
SAMPLES_GIVE = frozenset({"t_starts", "t_ends", "occupied"})
RUN_GIVES = frozenset({"field", "box", "generator", "step", "progress"})


class VolumeRenderer:
    """Makes quantities from a field and samples: what is asked for, and nothing else.

    ``rules`` say how this kind of field becomes opaque (at least ``alphas``); a user's own
    quantities join them. Colours, and what a field's heads say, are computed where a sample's
    weight exceeds ``color_threshold``, and count as 0 below it; with a threshold of 0, wherever a
    sample has length, for which a GPU need not be asked. ``backend`` computes the sums along rays,
    as it does the field's grid.
    """

    def __init__(
        self,
        rules: Mapping[str, Callable],
        *,
        color_threshold: float | int = 1e-4,
        space_points: int = 1024,
        backend: str = "auto",
    ) -> None:
        if "alphas" not in rules:
            raise ValueError(f"a renderer needs a rule for 'alphas', got rules for {list(rules)}")
        self.color_threshold = color_threshold
        self.space_points, self.backend = space_points, backend
        own = {name: Rule.of(function) for name, function in rules.items()}
        self._rules = {**_computed_by(backend, rules_in(derived)), **rules_in(patches), **own}

    def offers(self, field: Field, given: Collection[str] = ()) -> frozenset[str]:
        """Every quantity that can be had from a field, with ``given`` ones (targets) beside it."""
        at_points = {name for name in field.offers if name != "embeddings"}
        space = {_in_space(name) for name in at_points} | {"space_points"}
        known = RAYS_GIVE | SAMPLES_GIVE | RUN_GIVES | field.offers | space | set(given)
        return obtainable(known | field.constants().keys(), self._rules_for(field))

    def primitives(self, field: Field, needs: Collection[str]) -> frozenset[str]:
        """What making all of ``needs`` comes down to: of a field, of samples, or given."""
        return primitives(needs, self._rules_for(field))

    def __call__(
        self,
        field: Field,
        samples: Samples,
        needs: Collection[str],
        *,
        given: Mapping[str, Any] | None = None,
        generator: torch.Generator | None = None,
    ) -> Quantities:
        """Return the quantities of these samples; each is made when it is first looked up.

        ``given`` holds what the renderer cannot know: the step, its progress, observed targets.
        The field is evaluated once, where samples have length, and at random points of its box if
        a ``space_`` quantity is needed (which takes a generator).
        """
        rules = self._rules_for(field)
        values = _known(field, samples) | dict(given or {}) | {"generator": generator}
        asked = primitives(set(needs) - values.keys(), rules) - values.keys()
        space = {name for name in asked if name.startswith("space_")}
        if space:
            values["space_points"] = self._draw_space(field, generator)
        packed, in_space = _evaluate(field, samples, asked - space, values, space)
        return Quantities(values | in_space, self._rules_for(field, packed))

    def _rules_for(self, field: Field, packed: Packed | None = None) -> dict[str, Rule]:
        made = {} if packed is None else packed.rules()

        def bright(network: Callable) -> tuple[tuple[str, ...], Callable[..., Tensor]]:
            """What a network says of samples that weigh something (else 0), and what it needs."""
            looks_at = inputs_of(network)
            # What lies packed is taken from there: it need not be laid out along rays first.
            laid_out = tuple(name for name in looks_at if name not in made)

            def values(weights: Tensor, *seen: Tensor) -> Tensor:
                index = self._bright(weights.detach(), packed)
                inputs = _at(index, weights.shape, dict(zip(laid_out, seen, strict=True)))
                if packed is not None:
                    inputs |= packed.at(index, looks_at)
                return spread(network(**inputs), index, weights.shape)

            return ("weights", *laid_out), values

        rules = {**self._rules, **made, "colors": Rule(*bright(field.appearance), of_samples=True)}
        for name, head in field.heads.items():
            needs, values = bright(head)
            values = partial(_composited, values, bool(head.moves_surface), self.backend)
            rules[name] = Rule(needs, values, of_samples=True)
        return rules

    def _bright(
        self, weights: Float[Tensor, "rays samples"], packed: Packed | None
    ) -> Int[Tensor, "bright"]:
        """Where weights exceed the threshold; with one of 0 all that was evaluated."""
        if self.color_threshold == 0 and packed is not None and packed.index is not None:
            return packed.index
        return (weights > self.color_threshold).reshape(-1).nonzero().squeeze(-1)

    def _draw_space(
        self, field: Field, generator: torch.Generator | None
    ) -> Float[Tensor, "points 3"]:
        if generator is None:
            raise ValueError("space_ quantities are drawn at random: pass a generator")
        size = (self.space_points, 3)
        unit = torch.rand(size, generator=generator, device=field.box.device)
        return field.box[0] + unit * (field.box[1] - field.box[0])


def _computed_by(backend: str, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """The same rules, those that can choose a backend with this one."""
    chooses = {name for name, rule in rules.items() if "backend" in settings_of(rule.function)}
    return {
        name: replace(rule, function=partial(rule.function, backend=backend))
        if name in chooses
        else rule
        for name, rule in rules.items()
    }


def _composited(
    values: Callable[..., Tensor],
    moves_surface: bool,
    backend: str,
    weights: Tensor,
    *seen: Tensor,
) -> Float[Tensor, "rays channels"]:
    """What a head says along rays; 0 where nothing is hit."""
    share = weights if moves_surface else weights.detach()
    return composited(share, values(weights, *seen), backend=backend)


def _in_space(name: str) -> str:
    return f"space_{name}"


def _known(field: Field, samples: Samples) -> dict[str, Any]:
    rays = samples.rays
    return {
        **{name: getattr(rays, name) for name in RAYS_GIVE},
        **{name: getattr(samples, name) for name in SAMPLES_GIVE},
        **samples.more,
        **field.constants(),
        "field": field,
        "box": field.box,
    }


def _evaluate(
    field: Field,
    samples: Samples,
    along: Collection[str],
    values: Mapping[str, Any],
    space: Collection[str],
) -> tuple[Packed, dict[str, Tensor]]:
    """One call of the field: at samples that have length, then at the points in space."""
    along = set(along) & field.offers
    in_space = {name.removeprefix("space_") for name in space} & field.offers
    ends, count = (samples.t_starts, samples.t_ends), samples.count
    index = point_ops.nonempty_intervals(*ends, count) if along else None
    shape = samples.t_starts.shape
    if not along and not in_space:
        return Packed(index, shape, {}), {}
    rays, parts = samples.rays, []
    if index is not None:
        parts.append(point_ops.interval_midpoints(rays.origins, rays.directions, *ends, index))
    parts += [values["space_points"]] if in_space else []
    found = field(torch.cat(parts) if len(parts) > 1 else parts[0], along | in_space)
    count = 0 if index is None else len(index)
    packed = Packed(index, shape, {name: found[name][:count] for name in along})
    return packed, {_in_space(name): found[name][count:] for name in in_space}


def _at(
    index: Int[Tensor, "kept"], shape: torch.Size, seen: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """What the chosen samples see; what is per ray is repeated along it."""
    ray = index // shape[1]
    return {
        name: value[ray] if value.ndim == 2 else select(value.flatten(0, 1), index)
        for name, value in seen.items()
    }
