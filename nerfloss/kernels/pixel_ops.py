"""Pixel centres and the rays of pinhole cameras: compiled on a CPU, torch operations on a GPU."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.kernels.backend_selection import implementation
from nerfloss.kernels.numba.array_arguments import as_arrays, is_cpu_float32


def pixel_positions(
    flat: Int[Tensor, "pixels"], width: int, height: int
) -> tuple[Int[Tensor, "pixels"], Float[Tensor, "pixels 2"]]:
    """Return view and centre (column, row) of pixels given by flat index over (view, row, column).

    The centre of a pixel lies at its integer index plus one half.
    """
    if flat.device.type != "cpu":
        view, within = flat // (width * height), flat % (width * height)
        return view, torch.stack([within % width, within // width], dim=-1) + 0.5
    view, pixel = torch.empty_like(flat), torch.empty(len(flat), 2)
    flat_array, *out = as_arrays(flat, view, pixel)
    implementation("pixel_ops", "cpu").positions(flat_array, width, height, *out)
    return view, pixel


def pinhole_rays(
    view: Int[Tensor, "rays"],
    pixel: Float[Tensor, "rays 2"],
    pixel_to_direction: Float[Tensor, "views 3 3"],
    poses: Float[Tensor, "views 3 4"],
) -> tuple[Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]:
    """Return origins and unit directions of rays through pixels (column, row).

    ``pixel_to_direction`` is ``R K^-1`` of each camera, ``poses`` are camera-to-world.
    """
    inputs = (pixel, pixel_to_direction, poses)
    if is_cpu_float32(*inputs) and not any(each.requires_grad for each in inputs):
        origins, directions = (torch.empty(len(view), 3) for _ in range(2))
        arrays = as_arrays(view, *inputs, origins, directions)
        implementation("pixel_ops", "cpu").pinhole_rays(*arrays)
        return origins, directions
    origins = poses[:, :, 3].index_select(0, view)
    # (R K^-1) (u, v, 1): a sum of three columns is cheaper than many tiny matrix products.
    columns = pixel_to_direction.index_select(0, view)
    along = columns[:, :, 0] * pixel[:, :1] + columns[:, :, 1] * pixel[:, 1:] + columns[:, :, 2]
    # As sums of columns, too: torch's norm over three numbers takes four times as long.
    x, y, z = along.unbind(-1)
    return origins, along / (x * x + y * y + z * z).sqrt()[:, None]
