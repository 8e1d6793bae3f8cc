"""Colours of photographs without the corrections that a run has learned for single images."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.export.texture_colors import Neutral
from nerfloss.assembly.instantiation import build
from nerfloss.geometry import Rays, Samples
from nerfloss.models import Model

# A correction may depend on the colour before it (bilateral grids): steps of a fixed-point
# iteration, which halves the error at least.
STEPS = 4


def neutral_photographs(opened: OpenedRun) -> tuple[Neutral, str | None]:
    """Return a function that takes the correction of its image off a colour, and a note.

    An affine transform of the composited colours (``appearance=affine`` and ``bilateral``) is
    inverted. An embedding, which the colour network takes, cannot be: the note says so.
    """
    model = opened.run.model
    if model.appearance is None:
        return unchanged, None
    if "exposure" not in model.offers():
        note = (
            "the photographs keep their own appearances: the embedding that was learned for each "
            "cannot be undone; take the model's colours where seams show"
        )
        return unchanged, note
    inverse = _InverseExposure(model, vars(opened.run.trainer.schedule))
    return inverse, "the learned exposure of each photograph was undone"


def appearance_of_colors(opened: OpenedRun) -> str | None:
    """Return a note on the appearance of the model's colours; None without one per image.

    Found without data and checkpoint.
    """
    appearance = build(opened.config.get("appearance"))
    if appearance is None:
        return None
    if "exposure" in appearance.rules(background_model=False):
        return "the model's colours are without the exposure of any training image"
    return "the model's colours have the mean of the embeddings of the training images"


def unchanged(
    view: int,  # noqa: ARG001
    pixel: Float[Tensor, "pixels 2"],  # noqa: ARG001
    rgb: Float[Tensor, "pixels 3"],
) -> Float[Tensor, "pixels 3"]:
    """Return the colours as they are."""
    return rgb


class _InverseExposure:
    """Solve ``A c + b = rgb`` for c, where the transform [A | b] of a pixel may depend on c."""

    def __init__(self, model: Model, at: Mapping[str, Any]) -> None:
        self.model, self.at = model, at

    @torch.no_grad()
    def __call__(
        self, view: int, pixel: Float[Tensor, "pixels 2"], rgb: Float[Tensor, "pixels 3"]
    ) -> Float[Tensor, "pixels 3"]:
        found = rgb
        for _ in range(STEPS):
            transform = self._exposure(view, pixel, found.clamp(0, 1)).to(rgb)
            linear, offset = transform[..., :3], transform[..., 3]
            found = torch.linalg.solve(linear, (rgb - offset)[..., None])[..., 0]
        return found.clamp(0, 1)

    def _exposure(
        self, view: int, pixel: Float[Tensor, "pixels 2"], color: Float[Tensor, "pixels 3"]
    ) -> Float[Tensor, "pixels 3 4"]:
        device = self.model.field.box.device
        at, color = pixel.float().to(device), color.float().to(device)
        nothing = torch.zeros_like(color)
        which = torch.full((len(pixel),), view, device=device)
        # The transform depends on image, pixel and colour alone: no sample is needed.
        rays = Rays(nothing, nothing, at, which, nothing)
        empty = torch.zeros(len(pixel), 1, device=device)
        given = {**self.at, "rgb_uncorrected": color}
        samples = Samples(rays, empty, empty)
        return self.model.render(samples, {"exposure"}, given=given)["exposure"]
