"""Pictures of rendered quantities, in colours that are the same for all frames of a video."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nerfloss.evaluation.colormaps import apply_colormap

Picture = UInt8[np.ndarray, "height width 3"]
# The pictures that can be shown, and the quantities that each is made of.
MODES: Mapping[str, frozenset[str]] = {
    "rgb": frozenset({"rgb"}),
    "depth": frozenset({"depth", "opacity"}),
    "normal": frozenset({"normal", "opacity"}),
    "opacity": frozenset({"opacity"}),
    "shaded": frozenset({"normal", "opacity"}),
}
HIT = 0.5  # the opacity from which a pixel has a depth
AMBIENT = 0.25  # of the shaded surface
BAR = 0.004  # half the width of the bar of a wipe, in parts of the picture


def quantities_of(modes: Sequence[str]) -> frozenset[str]:
    """Return the quantities that the pictures of these modes are made of."""
    return frozenset().union(*(MODES[mode] for mode in modes))


def check_modes(modes: Sequence[str], offers: frozenset[str]) -> None:
    """Raise ValueError for a mode that does not exist, or whose quantities are not offered."""
    for mode in modes:
        if mode not in MODES:
            raise ValueError(f"'{mode}' cannot be shown: choose from {', '.join(MODES)}")
        missing = MODES[mode] - offers
        if missing:
            can = ", ".join(name for name, needs in MODES.items() if needs <= offers)
            raise ValueError(
                f"'{mode}' needs {', '.join(sorted(missing))}, which this model does not render: "
                f"choose from {can}"
            )


def picture(
    mode: str,
    images: Mapping[str, Tensor],
    directions: Float[Tensor, "height width 3"],
    depth_range: tuple[float, float],
) -> Picture:
    """Return the picture of a mode.

    - ``rgb``: the colours; ``opacity``: from black (0) to white (1).
    - ``depth``: viridis from the near to the far end of ``depth_range``, black where the opacity is
      below a half.
    - ``normal``: (n + 1) / 2 times the opacity, in the scene's axes.
    - ``shaded``: the surface in grey by a lamp at the camera, over white; ``directions`` are those
      of the rays.
    """
    value = {name: images[name].detach().float().cpu() for name in MODES[mode]}
    opacity = value["opacity"].clamp(0, 1)[..., None] if "opacity" in value else None
    if mode == "rgb":
        return _to_bytes(value["rgb"])
    assert opacity is not None
    if mode == "depth":
        colors = apply_colormap(value["depth"].numpy(), *depth_range)
        return colors * (opacity > HIT).numpy()
    if mode == "normal":
        return _to_bytes((value["normal"] + 1) / 2 * opacity)
    if mode == "opacity":
        return _to_bytes(opacity.expand(*opacity.shape[:2], 3))
    facing = -(value["normal"] * directions.cpu()).sum(-1, keepdim=True).clamp(-1, 0)
    grey = AMBIENT + (1 - AMBIENT) * facing
    return _to_bytes((grey * opacity + 1 - opacity).expand(*opacity.shape[:2], 3))


def depth_percentiles(
    depth: Float[Tensor, "*pixels"], opacity: Float[Tensor, "*pixels"]
) -> tuple[float, float] | None:
    """Return the 1 % and 99 % quantiles of depth where something is hit; None where nothing is."""
    hit = depth[opacity > HIT]
    if not len(hit):
        return None
    near, far = torch.quantile(hit.double(), hit.new_tensor([0.01, 0.99]).double()).tolist()
    return near, max(far, near + 1e-6)


def side_by_side(pictures: Sequence[Picture]) -> UInt8[np.ndarray, "height row_width 3"]:
    """Return pictures of one size in a row."""
    return np.concatenate(list(pictures), axis=1)


def wipe(left: Picture, right: Picture, share: float) -> Picture:
    """Return ``share`` of the first picture on the left and the second beside it, with a bar."""
    width = left.shape[1]
    edge = round(share * width)
    joined = np.concatenate([left[:, :edge], right[:, edge:]], axis=1)
    half = max(1, round(BAR * width))
    joined[:, max(0, edge - half) : edge + half] = 255
    return joined


def wipe_share(frame: int, frames: int) -> float:
    """Return the share of the first picture: all at both ends, none in the middle."""
    return 0.5 + 0.5 * float(np.cos(2 * np.pi * frame / frames))


def _to_bytes(image: Float[Tensor, "height width 3"]) -> Picture:
    return (image.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
