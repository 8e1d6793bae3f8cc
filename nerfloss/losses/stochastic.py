"""Stochastic structure: rays of any kind laid out as one image, in orders drawn at random."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import condition, count
from nerfloss.maths.ssim import gaussian_window, ssim_map

SIGMA = 1.5  # of the Gaussian window, in pixels of the image that is laid out


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
    """One minus the structural similarity of one image made of all rays, over and over.

    The rays in their order, then ``repeats - 1`` permutations of them, fill an image of
    ``patch_height`` rows one row after another; what does not fill its last column is left out.
    Its SSIM is taken in Gaussian windows of ``kernel`` pixels (sigma 1.5), ``stride`` apart, with
    a border of zeros of ``(kernel - 1) // 2`` pixels. Few rays make a lower image, with rows of at
    least ``kernel`` pixels where they suffice. 0 where all rays agree, at most 2.

    The permutations come from ``seed`` and the number of rays alone, and so are the same at every
    step: a batch draws its rays anew, so that colours meet new neighbours all the same, and the
    term has no state to resume. Raises ValueError where rays are fewer than a window needs.

    Reference: Xie et al., "S3IM: Stochastic Structural SIMilarity and Its Unreasonable
    Effectiveness for Neural Fields", ICCV 2023, and its released code for window and border.
    """
    order = _orders(len(rgb), repeats, seed).to(rgb.device)
    border, least = (kernel - 1) // 2, _lowest_image(kernel)
    height = min(patch_height, max(len(order) // kernel, least))
    width = len(order) // height
    if width < least:
        raise ValueError(
            f"s3im with kernel={kernel} needs more than {len(rgb)} ray(s) laid out "
            f"repeats={repeats} times: raise trainer.batch_size.rays or 'repeats'"
        )
    # index_select, because the gradient of an index expression sorts its indices.
    ours, theirs = (
        x.index_select(0, order[: height * width]).reshape(1, height, width, 3)
        for x in (rgb, target_rgb)
    )
    ours, theirs = (pad(x, (0, 0, border, border, border, border)) for x in (ours, theirs))
    window = gaussian_window(kernel, SIGMA, ours)
    return 1 - ssim_map(ours, theirs, window, stride).mean()


def _orders(rays: int, repeats: int, seed: int) -> Int[Tensor, "laid_out"]:
    """Every ray once in its order, and once in each of ``repeats - 1`` orders of its own."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.rand(repeats - 1, rays, generator=generator).argsort(-1)
    return torch.cat([torch.arange(rays), shuffled.flatten()])


def _lowest_image(kernel: int) -> int:
    """Rows (and columns) that one window needs beside the border."""
    return kernel - 2 * ((kernel - 1) // 2)
