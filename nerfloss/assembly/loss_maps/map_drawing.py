"""Evaluation of one term over a view, chunk by chunk, into images."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from nerfloss.assembly.loss_maps.pixel_layout import PixelLayout
from nerfloss.assembly.loss_maps.pixel_values import Evaluated, PixelValues, pixel_values
from nerfloss.assembly.loss_maps.term_inputs import TermInputs
from nerfloss.assembly.loss_maps.term_map import TermMap
from nerfloss.assembly.loss_maps.view_quantities import ViewQuantities
from nerfloss.quantities.resolve import Quantities

# Pixels of patches that are evaluated at once: what a network of a perceptual term takes.
PATCH_PIXELS = 2**14


def draw_map(
    name: str, inputs: TermInputs, known: ViewQuantities, *, step: int, gradients: bool
) -> TermMap:
    """Return the map of a term. Raises NotDrawable where it has no values of pixels."""
    images = _Images.empty(known)
    for index in _chunks(inputs, known):
        with torch.set_grad_enabled(gradients):
            quantities, rgb = _quantities(inputs, known, index, gradients)
            found = evaluated(inputs, quantities, len(index))
        images.add(found, index, rgb)
    shape = (known.view.height, known.view.width)
    maps = {name: image.reshape(shape) for name, image in images.drawn.items()}
    gradient = images.gradient_size()
    return TermMap(
        name,
        inputs.term.weight_around(step),
        images.caption,
        **maps,
        gradient=None if gradient is None else gradient.reshape(shape),
    )


def evaluated(inputs: TermInputs, quantities: Quantities, rays: int) -> PixelValues:
    """Return the term's values at the pixels of a chunk, from the chunk's quantities."""
    term = inputs.term
    fed = {name: quantities[name] for name in term.needs}
    with torch.autocast(_device_type(fed), enabled=False):
        errors = term.unreduced(fed)
    return pixel_values(
        Evaluated(
            errors,
            None if term.where is None else quantities[term.where],
            rays,
            weights=quantities["weights"].detach() if inputs.of_samples else None,
            missed=~quantities["occupied"].any(-1) if inputs.of_samples else None,
            patch=quantities["patch_shape"] if inputs.on_patches else None,
            axes=inputs.value_axes,
        )
    )


@dataclass
class _Images:
    """Flat images that the chunks of a view fill: on the CPU, the gradient on the device."""

    drawn: dict[str, Tensor]
    gradient: Tensor
    reached: bool = False
    caption: str = ""

    @classmethod
    def empty(cls, known: ViewQuantities) -> "_Images":
        pixels = known.view.height * known.view.width
        drawn = {
            "values": torch.full((pixels,), torch.nan),
            "sums": torch.zeros(pixels),
            "kept": torch.zeros(pixels),
        }
        return cls(drawn, torch.zeros(pixels, 3, device=known.device))

    def add(self, found: PixelValues, index: Int[Tensor, "pixels"], rgb: Tensor | None) -> None:
        at = index[found.rays.cpu()]
        parts = {"values": found.values, "sums": found.sums, "kept": found.kept}
        for name, part in parts.items():
            self.drawn[name][at] = part.detach().float().cpu()
        self.caption = found.drawn
        if rgb is None or not found.sums.requires_grad:
            return
        (slope,) = torch.autograd.grad(found.sums.sum(), [rgb], allow_unused=True)
        if slope is not None:
            self.reached = True
            self.gradient.index_add_(0, index.to(slope.device), slope.float())

    def gradient_size(self) -> Tensor | None:
        """Return the gradient's length per pixel; None where the term does not reach the colour."""
        kept = self.drawn["kept"].double().sum()
        if not self.reached or not kept:
            return None
        return (self.gradient.norm(dim=-1).cpu().double() * (len(self.gradient) / kept)).float()


def _quantities(
    inputs: TermInputs, known: ViewQuantities, index: Int[Tensor, "pixels"], gradients: bool
) -> tuple[Quantities, Tensor | None]:
    """Return the quantities of a chunk, and the colour by which to differentiate, if any."""
    if inputs.rendered_once:
        quantities = known.of_images(index, leaf="rgb" if gradients else None)
    else:
        needs = set(inputs.term.needs)
        needs |= {"weights"} if inputs.of_samples else set()
        quantities = known.of_rays(index, needs | ({"rgb"} if gradients else set()))
    reaches = gradients and "rgb" in inputs.from_rays
    return quantities, quantities["rgb"] if reaches else None


def _chunks(inputs: TermInputs, known: ViewQuantities) -> list[Int[Tensor, "pixels"]]:
    """Return the pixels in chunks; all at once where memory allows, as terms may compare rays."""
    height, width = known.view.height, known.view.width
    if not inputs.on_patches:
        rays = height * width if inputs.rendered_once else known.chunk
        return PixelLayout.of_rows(height, width).chunks(min(rays, inputs.most_rays or rays))
    patch = known.given["patch_shape"]
    apart = PixelLayout.of_patches(height, width, patch, patch)
    with torch.no_grad():
        first = apart.index[0]
        found = evaluated(inputs, _quantities(inputs, known, first, False)[0], len(first))
    # Patches overlap where a term's windows do not reach the border, so that values have no gaps.
    step = found.footprint or patch
    layout = apart if step == patch else PixelLayout.of_patches(height, width, patch, step)
    return layout.chunks(PATCH_PIXELS if inputs.rendered_once else known.chunk)


def _device_type(quantities: dict[str, object]) -> str:
    tensors = (value for value in quantities.values() if isinstance(value, Tensor))
    return next((tensor.device.type for tensor in tensors), "cpu")
