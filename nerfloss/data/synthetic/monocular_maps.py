"""Exact depth as a network that sees one image would estimate it: up to a scale and a shift."""

from dataclasses import replace

import torch

from nerfloss.data.views import Views


def with_monocular_maps(views: Views) -> Views:
    """Return the views with ``relative_depth`` and ``disparity``.

    Depth along the optical axis, and its inverse, each mapped to 0.2 to 1 within its view; 0 where
    nothing is seen.
    """
    assert views.depth is not None
    depth = torch.zeros_like(views.depth)
    disparity = torch.zeros_like(views.depth)
    height, width = views.depth.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([columns, rows], -1).reshape(-1, 2) + 0.5
    for view, distance in enumerate(views.depth):
        index = torch.full((height * width,), view)
        rays = views.cameras.rays(index, pixels, torch.zeros(height * width, 3))
        cosine = rays.directions @ views.cameras.poses[view, :, 2]
        along_axis = distance * cosine.view(height, width)
        seen = distance > 0
        if seen.any():
            depth[view][seen] = _in_range(along_axis[seen])
            disparity[view][seen] = _in_range(1 / along_axis[seen])
    return replace(views, relative_depth=depth, disparity=disparity)


def _in_range(values: torch.Tensor) -> torch.Tensor:
    low, high = values.min(), values.max()
    return 0.2 + 0.8 * (values - low) / (high - low).clamp_min(1e-6)
