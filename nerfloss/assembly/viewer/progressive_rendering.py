"""Progressive rendering: a coarse picture at once, then sharper ones, in steps of bounded time."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.camera_paths.camera_path import CameraPath
from nerfloss.data.cameras.cameras import Cameras, pixel_centers
from nerfloss.data.pixel_samplers.backgrounds import background_colors
from nerfloss.data.pixel_samplers.batch import Batch
from nerfloss.evaluation.image_rendering import View
from nerfloss.evaluation.inputs import EvaluatedModel

COARSE, MIDDLE = 80, 200  # pixels of the longer side of the first two pictures
CHUNK_SECONDS = 0.04  # aimed at per step, so that a moved camera is followed at once
# A step of fewer rays takes no less time: what does not depend on their number remains.
FIRST_ROWS, FEWEST_ROWS = 1024, 512


@dataclass(frozen=True)
class ViewPoint:
    """A camera of a browser: ``pose`` is camera-to-world in OpenCV axes and scene units.

    ``fov`` is the vertical field of view in degrees, ``aspect`` width over height.
    """

    pose: Float[np.ndarray, "3 4"]
    fov: float
    aspect: float

    def size(self, longer: int) -> tuple[int, int]:
        """Return width and height of a picture whose longer side has so many pixels."""
        wide = self.aspect >= 1
        other = max(1, round(longer / self.aspect if wide else longer * self.aspect))
        return (longer, other) if wide else (other, longer)

    def cameras(self, longer: int) -> Cameras:
        """Return the camera of a picture of that size."""
        width, height = self.size(longer)
        fov = np.array([self.fov])
        return CameraPath(self.pose[None], fov, width, height, fps=1.0).cameras()


@dataclass(frozen=True)
class Images:
    """Rendered quantities of one picture, the origins and directions of its rays, as images.

    ``z_per_depth`` is the cosine of a ray and the optical axis: depth along z per depth.
    """

    quantities: Mapping[str, Float[Tensor, "height width *channels"]]
    origins: Float[Tensor, "height width 3"]
    directions: Float[Tensor, "height width 3"]
    z_per_depth: Float[Tensor, "height width"]


class ChunkRows:
    """Number of rays per step of a rendering, adapted to a duration of 40 ms; at most ``most``."""

    def __init__(self, most: int) -> None:
        self.rows, self.most = min(FIRST_ROWS, most), most

    def measured(self, seconds: float) -> None:
        """Adapt to the duration of the last step, by a factor of at most 2."""
        factor = min(2.0, max(0.5, CHUNK_SECONDS / max(seconds, 1e-6)))
        self.rows = min(self.most, max(FEWEST_ROWS, int(self.rows * factor)))


def sizes_up_to(sharp: int) -> list[int]:
    """Return the longer sides of the pictures of a view, from coarse to ``sharp``."""
    return [*(size for size in (COARSE, MIDDLE) if size < 0.7 * sharp), sharp]


def rendered(
    subject: EvaluatedModel,
    cameras: Cameras,
    index: int,
    needs: Collection[str],
    background: str,
    chunk: ChunkRows,
) -> Iterator[Images | None]:
    """Yield None after every step of the rendering of one camera, and at last its images.

    Whoever stops asking abandons the picture. ``background`` is ``white``, ``black`` or ``none``.
    """
    width, height = cameras.size(index)
    pixels = pixel_centers(width, height)
    colors = background_colors(background, len(pixels), None, torch.device("cpu"))
    assert colors is not None
    rays = cameras.rays(torch.full((len(pixels),), index), pixels, colors)
    rays = replace(rays, view=torch.zeros_like(rays.view))
    view = View("viewer", Batch(rays, {}), height, width)
    render, parts, begin = subject.render_of(view), [], 0
    while begin < len(rays):
        started = time.monotonic()
        rows = slice(begin, begin + chunk.rows)
        with torch.no_grad():
            found = render(rays[rows], needs)
        parts.append({name: found[name].detach().float().cpu() for name in needs})
        chunk.measured(time.monotonic() - started)
        begin = rows.stop
        yield None
    images = {name: view.as_image(torch.cat([part[name] for part in parts])) for name in needs}
    cosine = rays.directions @ cameras.poses[index, :, 2]
    yield Images(
        images, view.as_image(rays.origins), view.as_image(rays.directions), view.as_image(cosine)
    )
