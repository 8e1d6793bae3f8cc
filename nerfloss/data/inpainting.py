"""What lies behind the object of a masked photograph, filled in from around the mask."""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d

from nerfloss.kernels.threads import torch_threads

# Pixels this near to a mask show a mixture of object and background, or are on its wrong side: two,
# and one more for each this many pixels of the image's width.
PIXELS_PER_MARGIN = 200


@torch_threads(1)  # the same bytes for any number of threads
def inpaint_background(
    rgb: UInt8[Tensor, "height width 3"], mask: UInt8[Tensor, "height width"]
) -> UInt8[Tensor, "height width 3"]:
    """Return the image with the object, and a narrow margin around it, replaced by what is near.

    An image whose mask leaves nothing over becomes white.

    Reference: push and pull of Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4.
    """
    margin = 2 + mask.shape[1] // PIXELS_PER_MARGIN
    object_ = (mask > 0)[None, None].float()
    behind = max_pool2d(object_, 2 * margin + 1, stride=1, padding=margin)[0, 0] == 0
    if not bool(behind.any()):
        return torch.full_like(rgb, 255)
    filled = _push_pull(rgb.permute(2, 0, 1)[None].float(), behind[None, None])
    filled = filled[0].permute(1, 2, 0).round_().clamp_(0, 255).to(torch.uint8)
    return torch.where(behind[..., None], rgb, filled)


def _push_pull(
    image: Float[Tensor, "1 channels height width"], known: Bool[Tensor, "1 1 height width"]
) -> Float[Tensor, "1 channels height width"]:
    """Return the image with unknown pixels interpolated from means over ever larger squares."""
    height, width = image.shape[2:]
    if bool(known.all()) or max(height, width) == 1:
        return image
    weight = known.float()
    pool = {"kernel_size": 2, "ceil_mode": True, "count_include_pad": False}
    share = avg_pool2d(weight, **pool)
    mean = avg_pool2d(image * weight, **pool) / share.clamp_min(1e-6)
    coarse = _push_pull(mean, share > 0)
    fine = interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return torch.where(known, image, fine)
