"""Appearance of the views that a model is evaluated on: learned, averaged, neutral or fitted."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.evaluation.image_rendering import Render, View
from nerfloss.evaluation.view_appearance import FIT_LEFT_HALF, ViewAppearance, middle_column
from nerfloss.geometry import Rays
from nerfloss.models import Appearance, Model

log = logging.getLogger(__name__)

# The fit to a view: pixels of its left half, drawn once, and iterations of L-BFGS at most.
FIT_PIXELS = 2048
FIT_ITERATIONS = 60
# Weight of the squared correction beside the mean squared error: what the pixels do not determine,
# as the mixing of channels in a grey image, stays that of the mean.
FIT_RIDGE = 1e-5

DESCRIPTIONS: Mapping[str, str] = {
    "mean": "mean of the training images'",
    "identity": "none: the model's own colours",
    FIT_LEFT_HALF: "fitted to the left half of each view, scored on the right half",
}


def check_appearance_choice(model: Model, choice: str) -> None:
    """Raise ValueError where a fit is asked of a model that has nothing to fit."""
    if model.appearance is None and choice == FIT_LEFT_HALF:
        raise ValueError(
            f"eval.appearance={choice} needs a model with an appearance per image, and this run "
            f"has appearance=none: leave it at mean, or train with appearance=affine"
        )


def appearance_of_views(
    model: Model, at: Mapping[str, Any], split: str, choice: str
) -> ViewAppearance | None:
    """Return how a split's views are rendered, by ``eval.appearance``; None without appearance.

    Training views have the appearance that was learned for them.
    """
    appearance = model.appearance
    if appearance is None:
        return None
    if split == "train":
        render = _rendered_as(model, at, None)
        return ViewAppearance(lambda _: render, "learned for each training image")
    images = _NewImages(model, appearance, at)
    if choice == FIT_LEFT_HALF:
        return ViewAppearance(images.fitted, DESCRIPTIONS[choice], left_half_fitted=True)
    row = appearance.mean() if choice == "mean" else appearance.start
    return ViewAppearance(lambda view: images.render(view, row.detach()), DESCRIPTIONS[choice])


@dataclass(frozen=True)
class _NewImages:
    """Images that were not trained on, each with a row of numbers given to it."""

    model: Model
    appearance: Appearance
    at: Mapping[str, Any]

    def render(self, view: View, row: Float[Tensor, "*row"]) -> Render:
        given = self.appearance.given(row, *view.image_size)
        return _rendered_as(self.model, {**self.at, **given}, 0)

    def fitted(self, view: View) -> Render:
        """Return a render whose row minimizes the squared error on the left half of a view."""
        mean = self.appearance.mean().detach()
        rays, target = left_half(view)
        if not len(rays):
            log.warning("%s: no pixel of the left half counts, so the mean is taken", view.name)
            return self.render(view, mean)
        rays, target = rays.to(mean.device), target.to(mean.device)
        rays = replace(rays, view=torch.zeros_like(rays.view))
        with torch.no_grad():
            samples = self.model.sampler(self.model.field, rays, None)
            constants = self.model.render(samples, self.appearance.constants, given=self.at)
            known = {name: constants[name] for name in self.appearance.constants}

        def error(correction: Tensor) -> Tensor:
            given = self.appearance.given(mean + correction, *view.image_size)
            values = self.model.render(samples, {"rgb"}, given={**self.at, **known, **given})
            squares = (values["rgb"] - target).square().mean()
            return squares + FIT_RIDGE * correction.square().sum()

        return self.render(view, mean + minimized(error, self.appearance.correction))


def left_half(view: View) -> tuple[Rays, Float[Tensor, "rays 3"]]:
    """Return rays and colours of pixels of the left half that count, drawn without repetition."""
    column = torch.arange(view.height * view.width) % view.width
    chosen = column < middle_column(view.width)
    if view.counts is not None:
        chosen &= view.counts.flatten().cpu()
    index = chosen.nonzero().squeeze(1)
    order = torch.randperm(len(index), generator=torch.Generator().manual_seed(0))
    index = index[order[:FIT_PIXELS]]
    rays = view.batch.rays
    index = index.to(rays.origins.device)
    return rays[index], view.batch.targets["target_rgb"][index]


def minimized(error: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Return the minimum of a function by L-BFGS, from ``start``; nothing else gets a gradient."""
    found = start.detach().clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [found], max_iter=FIT_ITERATIONS, line_search_fn="strong_wolfe", tolerance_grad=1e-9
    )

    def closure() -> float:
        with torch.enable_grad():
            value = error(found)
            (found.grad,) = torch.autograd.grad(value, [found])
        return float(value.detach())

    optimizer.step(closure)
    return found.detach()


def _rendered_as(model: Model, given: Mapping[str, Any], image: int | None) -> Render:
    """Return a render of rays, all of the image with this index; None: each of its own."""

    def render(rays: Rays, needs: Collection[str]) -> Mapping[str, Tensor]:
        rays = rays.to(model.field.box.device)
        if image is not None:
            rays = replace(rays, view=torch.full_like(rays.view, image))
        return model(rays, needs, given=given)

    return render
