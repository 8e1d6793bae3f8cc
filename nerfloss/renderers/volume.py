"""The volume renderer: computes quantities, by name, from a field and samples along rays."""

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
from nerfloss.renderers.direction_noise import with_noise
from nerfloss.renderers.gradient_scaling import scale_gradients
from nerfloss.renderers.packed import Packed, select_samples, unpack

RAY_QUANTITIES = frozenset({"origins", "directions", "pixel", "view", "background"})
SAMPLE_QUANTITIES = frozenset({"t_starts", "t_ends", "occupied"})
VIEWING = "viewing_directions"  # what a colour network gets for its ``directions``
RUN_QUANTITIES = frozenset({"field", "box", "generator", "step", "progress"})


class VolumeRenderer:
    """Compute the requested quantities of a field and samples, and only what they depend on.

    ``rules`` map names to functions of quantities: at least ``alphas``, the opacity of this kind of
    field, and further user-defined quantities. Colours and heads are evaluated at samples whose
    weight exceeds ``color_threshold``, and are 0 elsewhere. A threshold of 0 evaluates all samples
    of non-zero length, which needs no device synchronisation. ``space_points`` is the number of
    random points for ``space_`` quantities. Gradients of samples nearer to their camera than
    ``gradient_scaling`` scene units are reduced (`scale_gradients`); None or 0: none are. In
    training (``generator`` given, gradients enabled) colours are seen from directions with noise of
    the standard deviation ``direction_noise``, in radians. ``backend`` selects the kernels.

    Raises ValueError without a rule for ``alphas``, and for settings that are negative.
    """

    def __init__(
        self,
        rules: Mapping[str, Callable],
        *,
        color_threshold: float | int = 1e-4,
        space_points: int = 1024,
        gradient_scaling: float | None = None,
        direction_noise: float | int = 0.0,
        backend: str = "auto",
    ) -> None:
        if "alphas" not in rules:
            raise ValueError(f"a renderer needs a rule for 'alphas', got rules for {list(rules)}")
        if gradient_scaling is not None and gradient_scaling < 0:
            raise ValueError(
                f"model.renderer.gradient_scaling must not be negative, got {gradient_scaling}"
            )
        if not 0 <= direction_noise <= 1:
            raise ValueError(
                f"model.renderer.direction_noise must be from 0 to 1 radian, got {direction_noise}"
            )
        self.color_threshold, self.gradient_scaling = color_threshold, gradient_scaling
        self.direction_noise = direction_noise
        self.space_points, self.backend = space_points, backend
        own = {name: Rule.of(function) for name, function in rules.items()}
        self._rules = {**_with_backend(backend, rules_in(derived)), **rules_in(patches), **own}

    def offers(self, field: Field, given: Collection[str] = ()) -> frozenset[str]:
        """Return the names of all quantities available from a field and ``given`` ones."""
        at_points = {name for name in field.offers if name != "embeddings"}
        space = {_in_space(name) for name in at_points} | {"space_points"}
        of_rays = RAY_QUANTITIES | {VIEWING}
        known = of_rays | SAMPLE_QUANTITIES | RUN_QUANTITIES | field.offers | space | set(given)
        return obtainable(known | field.constants().keys(), self._rules_for(field))

    def primitives(self, field: Field, needs: Collection[str]) -> frozenset[str]:
        """Return the quantities without a rule from which all of ``needs`` are computed."""
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
        """Return the quantities of samples; each is computed when it is first accessed.

        ``given`` holds external quantities: the step, its progress, targets. The field is evaluated
        once: at samples of non-zero length, and at random points of its box if a ``space_``
        quantity is needed. Raises ValueError for such a quantity without a ``generator``.
        """
        rules = self._rules_for(field)
        values = _known(field, samples) | dict(given or {}) | {"generator": generator}
        training = generator if torch.is_grad_enabled() else None
        values[VIEWING] = with_noise(samples.rays.directions, self.direction_noise, training)
        missing = primitives(set(needs) - values.keys(), rules) - values.keys()
        space = {name for name in missing if name.startswith("space_")}
        if space:
            values["space_points"] = self._draw_space(field, generator)
        packed, in_space = _evaluate(field, samples, missing - space, values, space)
        if self.gradient_scaling and torch.is_grad_enabled():
            packed = scale_gradients(packed, samples, self.gradient_scaling)
        return Quantities(values | in_space, self._rules_for(field, packed))

    def _rules_for(self, field: Field, packed: Packed | None = None) -> dict[str, Rule]:
        unpacking = {} if packed is None else packed.rules()

        def thresholded(network: Callable) -> tuple[tuple[str, ...], Callable[..., Tensor]]:
            """Return inputs and function of a rule that evaluates a network above the threshold."""
            inputs = inputs_of(network)
            # Packed values are selected by row, without unpacking them along rays.
            unpacked = tuple(name for name in inputs if name not in unpacking)
            needed = (VIEWING if name == "directions" else name for name in unpacked)

            def evaluate(weights: Tensor, *arguments: Tensor) -> Tensor:
                index = self._above_threshold(weights.detach(), packed)
                named = dict(zip(unpacked, arguments, strict=True))
                selected = select_samples(index, weights.shape, named)
                if packed is not None:
                    selected |= packed.at(index, inputs)
                return unpack(network(**selected), index, weights.shape)

            return ("weights", *needed), evaluate

        colors = Rule(*thresholded(field.appearance), of_samples=True)
        rules = {**self._rules, **unpacking, "colors": colors}
        for name, head in field.heads.items():
            needs, evaluate = thresholded(head)
            rule = partial(_composite_head, evaluate, bool(head.moves_surface), self.backend)
            rules[name] = Rule(needs, rule, of_samples=True)
        return rules

    def _above_threshold(
        self, weights: Float[Tensor, "rays samples"], packed: Packed | None
    ) -> Int[Tensor, "kept"]:
        """Return flat indices of samples above the threshold; all evaluated ones if it is 0."""
        if self.color_threshold == 0 and packed is not None and packed.index is not None:
            return packed.index
        return (weights > self.color_threshold).reshape(-1).nonzero().squeeze(-1)

    def _draw_space(
        self, field: Field, generator: torch.Generator | None
    ) -> Float[Tensor, "points 3"]:
        if generator is None:
            raise ValueError("space_ quantities need random points: pass a generator")
        size = (self.space_points, 3)
        unit = torch.rand(size, generator=generator, device=field.box.device)
        return field.box[0] + unit * (field.box[1] - field.box[0])


def _with_backend(backend: str, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Return the rules; those that take a backend receive this one."""
    selectable = {name for name, rule in rules.items() if "backend" in settings_of(rule.function)}
    return {
        name: replace(rule, function=partial(rule.function, backend=backend))
        if name in selectable
        else rule
        for name, rule in rules.items()
    }


def _composite_head(
    evaluate: Callable[..., Tensor],
    moves_surface: bool,
    backend: str,
    weights: Tensor,
    *arguments: Tensor,
) -> Float[Tensor, "rays channels"]:
    """Return a head's outputs composited along rays; 0 where nothing is hit."""
    compositing_weights = weights if moves_surface else weights.detach()
    return composited(compositing_weights, evaluate(weights, *arguments), backend=backend)


def _in_space(name: str) -> str:
    return f"space_{name}"


def _known(field: Field, samples: Samples) -> dict[str, Any]:
    rays = samples.rays
    return {
        **{name: getattr(rays, name) for name in RAY_QUANTITIES},
        **{name: getattr(samples, name) for name in SAMPLE_QUANTITIES},
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
    """Evaluate the field in one call, at samples of non-zero length and the points in space."""
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
    results = field(torch.cat(parts) if len(parts) > 1 else parts[0], along | in_space)
    if not in_space:  # a slice of everything is a copy in the backward pass
        return Packed(index, shape, {name: results[name] for name in along}), {}
    count = 0 if index is None else len(index)
    packed = Packed(index, shape, {name: results[name][:count] for name in along})
    return packed, {_in_space(name): results[name][count:] for name in in_space}
