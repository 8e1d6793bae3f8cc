"""Modes of the viewer: the pictures of a view point, from coarse to sharp, in each mode."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from nerfloss.assembly.viewer.photograph_maps import (
    MapSource,
    NoMap,
    PhotographMap,
    nearest_photograph,
)
from nerfloss.assembly.viewer.progressive_rendering import (
    ChunkRows,
    Images,
    ViewPoint,
    rendered,
    sizes_up_to,
)
from nerfloss.data.scene import Scene
from nerfloss.evaluation.colormaps import INFERNO, apply_colormap
from nerfloss.evaluation.frame_pictures import HIT, MODES, depth_percentiles, picture
from nerfloss.evaluation.inputs import EvaluatedModel

PLAIN = ("rgb", "depth", "normal", "opacity")
SURFACE = frozenset({"depth", "opacity"})
FAR = 150.0  # a depth behind everything; viser encodes depths up to 167
PALE = 0.35  # of the colours around a map


@dataclass(frozen=True)
class ShownModel:
    """A model at a ``step`` of its training and the scene that it learns, cameras as refined.

    ``maps`` are the sources of maps on photographs, by the mode that shows them.
    """

    subject: EvaluatedModel
    scene: Scene
    step: int
    maps: Mapping[str, MapSource]

    @property
    def modes(self) -> list[str]:
        """The modes that this model can be shown in."""
        offered = [mode for mode in PLAIN if MODES[mode] <= self.subject.offers]
        return [*offered, *self.maps] if self.subject.offers >= SURFACE else offered

    @property
    def background(self) -> str:
        """The colour behind the scene: where photographs have their own, none is known."""
        kind = self.scene.background
        return "white" if kind in ("random", "auto", "inpainted") else kind


@dataclass(frozen=True)
class Picture:
    """A picture to show, the depth along z that occludes other things, and a note on it."""

    pixels: UInt8[np.ndarray, "height width 3"]
    z: Float[np.ndarray, "height width"] | None
    note: str
    is_coarse: bool
    is_sharp: bool


def pictures(
    shown: ShownModel, view: ViewPoint, mode: str, sharp: int, chunk: ChunkRows
) -> Iterator[Picture | None]:
    """Yield None after every step, and the picture of each size when it is complete."""
    mode = mode if mode in shown.modes else "rgb"
    surface = SURFACE if shown.subject.offers >= SURFACE else frozenset()
    needs = (frozenset({"rgb"}) if mode in shown.maps else MODES[mode]) | surface
    note, photograph = f"step {shown.step}", None
    near_far: tuple[float, float] | None = None
    sizes = sizes_up_to(sharp)
    for size in sizes:
        images = None
        for images in rendered(
            shown.subject, view.cameras(size), 0, needs, shown.background, chunk
        ):
            if images is None:
                yield None
        assert images is not None
        if near_far is None and surface:
            near_far = depth_percentiles(images.quantities["depth"], images.quantities["opacity"])
        if mode in shown.maps and size == sizes[0]:
            index = nearest_photograph(view.pose, shown.scene)
            name = shown.scene.train.names[index]
            try:
                for photograph in shown.maps[mode](mode, index):
                    if photograph is None:
                        yield None
            except NoMap as reason:
                note += f", no map of {mode} in {name}: {reason}"
            if photograph is not None:
                note += f", {mode} in {name}: black 0, yellow {photograph.high:.3g} or more"
        elif mode == "depth" and near_far is not None and size == sizes[0]:
            note += f", depth {near_far[0]:.3g} (violet) to {near_far[1]:.3g} (yellow) scene units"
        yield Picture(
            _pixels(mode, images, near_far or (0.0, 1.0), photograph),
            _depth_along_z(images) if surface else None,
            note,
            is_coarse=size == sizes[0],
            is_sharp=size == sizes[-1],
        )


def _pixels(
    mode: str,
    images: Images,
    near_far: tuple[float, float],
    photograph: PhotographMap | None,
) -> UInt8[np.ndarray, "height width 3"]:
    if photograph is None:
        shown = mode if mode in MODES else "rgb"
        return picture(shown, images.quantities, images.directions, near_far)
    values, seen = photograph.seen_from(images)
    return _over_colors(values, seen, images.quantities["rgb"], photograph.high)


def _over_colors(
    values: Float[Tensor, "height width"],
    seen: Bool[Tensor, "height width"],
    rgb: Float[Tensor, "height width 3"],
    high: float,
) -> UInt8[np.ndarray, "height width 3"]:
    """Return a map in inferno's colours; in grey and pale what the photograph does not see."""
    grey = 1 - PALE * (1 - rgb.clamp(0, 1).mean(-1, keepdim=True))
    around = (grey.expand(*grey.shape[:2], 3) * 255).round().byte().numpy()
    colors = apply_colormap(values.numpy(), 0.0, high, colors=INFERNO)
    return np.where(seen.numpy()[..., None], colors, around)


def _depth_along_z(images: Images) -> Float[np.ndarray, "height width"]:
    depth, hit = images.quantities["depth"], images.quantities["opacity"] > HIT
    return (depth * images.z_per_depth).where(hit, depth.new_tensor(FAR)).numpy()
