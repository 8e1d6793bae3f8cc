"""The training cameras as scanners: of surfaces, and of what a model renders."""

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.data.views import Views
from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.inputs import EvaluatedModel
from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.evaluation.virtual_scan import VirtualScan

VIEWS = 32  # at most, evenly spread
RAYS = 20_000
NEEDS = frozenset({"depth", "opacity"})
OPAQUE = 0.5  # opacity from which a pixel shows a surface


def scan_of(views: Views) -> VirtualScan:
    """Return the views as a virtual scan, in scene units."""
    cameras = views.cameras.to("cpu")
    chosen = torch.linspace(0, len(views) - 1, min(len(views), VIEWS)).round().long().tolist()

    def project(
        points: Float[np.ndarray, "points 3"], view: int
    ) -> tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points"]]:
        pixel, depth = cameras.project(torch.from_numpy(points).float(), chosen[view])
        size = np.array(cameras.size(chosen[view]))
        return pixel.double().numpy() / size, depth.double().numpy()

    width = cameras.size(chosen[0])[0]
    return VirtualScan(project, len(chosen), width / float(cameras.intrinsics[chosen[0], 0, 0]))


def rendered_cloud(
    model: EvaluatedModel, views: Views, *, chunk: int, seed: int = 0
) -> Float[np.ndarray, "points 3"]:
    """Return the points of rendered depths of 20,000 random pixels, where something is opaque.

    Raises UndefinedMetric where the model renders no depth, or nothing opaque.
    """
    if not model.offers >= NEEDS:
        raise UndefinedMetric("the model renders no depth")
    generator = torch.Generator().manual_seed(seed)
    view = torch.randint(len(views), (RAYS,), generator=generator)
    sizes = torch.tensor([views.cameras.size(i) for i in range(len(views))])[view]
    pixel = torch.rand((RAYS, 2), generator=generator) * sizes
    cameras = views.cameras.to("cpu")
    rays = cameras.rays(view, pixel, torch.ones(RAYS, 3))

    def points_of(rows: slice) -> torch.Tensor:
        part = rays[rows]
        rendered = model.render(part, NEEDS)
        found = {name: rendered[name].cpu() for name in NEEDS}
        hit = found["opacity"] > OPAQUE
        # Depth is weighted by opacity: the mean distance of what is hit is their ratio.
        distance = found["depth"][hit] / found["opacity"][hit]
        return part.origins[hit] + distance[:, None] * part.directions[hit]

    with torch.no_grad():
        parts = list(ChunkSize(chunk, "eval.chunk").results(points_of, RAYS))
    points = torch.cat(parts).double().numpy()
    if len(points) == 0:
        raise UndefinedMetric("no rendered ray is opaque")
    return points
