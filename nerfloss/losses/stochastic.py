"""Stochastic structural similarity: rays arranged as one image, in random orders."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import condition, count
from nerfloss.maths.ssim import gaussian_window, ssim_map

SIGMA = 1.5  # of the Gaussian window, in pixels


@requires(
    count("kernel"),
    count("stride"),
    count("repeats"),
    count("patch_height"),
    condition(
        "patch_height >= 2 for an even kernel",
        lambda patch_height, kernel: patch_height >= _lowest_image(kernel),
    ),
    fewest_rays=lambda kernel, repeats: -(-(_lowest_image(kernel) ** 2) // repeats),
)
def s3im(
    rgb: Float[Tensor, "rays 3"],
    target_rgb: Float[Tensor, "rays 3"],
    *,
    kernel: int = 4,
    stride: int = 4,
    repeats: int = 10,
    patch_height: int = 64,
    seed: int = 0,
) -> Float[Tensor, ""]:
    """Return one minus the structural similarity of images that are composed of random rays.

    The rays in their order, then ``repeats - 1`` permutations of them, fill an image of
    ``patch_height`` rows, row by row; an incomplete last column is dropped. Its SSIM is computed in
    Gaussian windows of ``kernel`` pixels (sigma 1.5), ``stride`` apart, with zero padding of
    ``(kernel - 1) // 2`` pixels. Few rays make a lower image, with rows of at least ``kernel``
    pixels where possible. 0 where all rays agree, at most 2.

    The permutations depend on ``seed`` and the number of rays alone, and so are the same at every
    step: as each batch draws new rays, colours get new neighbours nevertheless, and the term has no
    state to resume. Raises ValueError where there are fewer rays than a window needs.

    Reference: Xie et al., "S3IM: Stochastic Structural SIMilarity and Its Unreasonable
    Effectiveness for Neural Fields", ICCV 2023, and its released code for window and border.
    """
    order = _orders(len(rgb), repeats, seed).to(rgb.device)
    border, smallest = (kernel - 1) // 2, _lowest_image(kernel)
    height = min(patch_height, max(len(order) // kernel, smallest))
    width = len(order) // height
    if width < smallest:
        raise ValueError(
            f"s3im with kernel={kernel} needs more than {len(rgb)} ray(s) laid out "
            f"repeats={repeats} times: raise trainer.batch_size.rays or 'repeats'"
        )
    # index_select, as the backward of indexing sorts the indices.
    ours, theirs = (
        x.index_select(0, order[: height * width]).reshape(1, height, width, 3)
        for x in (rgb, target_rgb)
    )
    ours, theirs = (pad(x, (0, 0, border, border, border, border)) for x in (ours, theirs))
    window = gaussian_window(kernel, SIGMA, ours)
    return 1 - ssim_map(ours, theirs, window, stride).mean()


def _orders(rays: int, repeats: int, seed: int) -> Int[Tensor, "laid_out"]:
    """Return the indices of all rays in order, then of ``repeats - 1`` random permutations."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.rand(repeats - 1, rays, generator=generator).argsort(-1)
    return torch.cat([torch.arange(rays), shuffled.flatten()])


def _lowest_image(kernel: int) -> int:
    """Return the rows (and columns) that one window needs in addition to the padding."""
    return kernel - 2 * ((kernel - 1) // 2)
