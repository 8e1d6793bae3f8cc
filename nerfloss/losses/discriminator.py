"""Convolutional patch discriminator and its gradient penalty."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Convolutional network with one score per location: pix2pix's, with per-sample normalisation.

    ``layers`` layers of stride 2, then two of stride 1; with 2, the receptive field of a score is
    34 pixels a side and a patch has at least 12; with 3, 70 and 24. Each sample is normalised by
    itself, so that a score depends on its own patch alone, which a gradient penalty requires.

    Reference: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks",
    CVPR 2017, section 3.2.2 and appendix 6.1.2.
    """

    def __init__(self, *, channels: int = 32, layers: int = 2) -> None:
        super().__init__()
        if channels < 1 or layers < 1:
            raise ValueError(
                f"a discriminator needs channels and layers of at least 1, got channels={channels} "
                f"and layers={layers}"
            )
        # Each block doubles the channels, up to eight times the first.
        widths = [3, *(channels * min(2**i, 8) for i in range(layers + 1))]
        blocks = []
        for i in range(layers + 1):
            stride = 2 if i < layers else 1
            steps: list[nn.Module] = [nn.Conv2d(widths[i], widths[i + 1], 4, stride, 1)]
            if i > 0:  # as in pix2pix, the first block is not normalised
                steps.append(nn.GroupNorm(1, widths[i + 1]))
            blocks.append(nn.Sequential(*steps, nn.LeakyReLU(0.2)))
        self.blocks = nn.ModuleList(blocks)
        self.score = nn.Conv2d(widths[-1], 1, 4, 1, 1)
        self.smallest = 3 * 2**layers

    def forward(self, patches: Float[Tensor, "patches height width 3"]) -> list[Tensor]:
        """Return the features of each block, and last the scores: ``patches rows columns``.

        Colours in [0, 1]. Scores are logits, above 0 for patches classified as observed. Raises
        ValueError where the patches are too small.
        """
        height, width = patches.shape[1:3]
        if min(height, width) < self.smallest:
            raise ValueError(
                f"a discriminator with layers={len(self.blocks) - 1} needs patches of at least "
                f"{self.smallest} pixels a side, got {height} x {width}: raise batch.height and "
                f"batch.width, or lower layers"
            )
        features = [2 * patches.movedim(-1, 1) - 1]
        for block in self.blocks:
            features.append(block(features[-1]))
        return [*features[1:], self.score(features[-1])[:, 0]]


def gradient_penalty(
    score: Callable[[Tensor], Tensor],
    real: Float[Tensor, "patches height width 3"],
    fake: Float[Tensor, "patches height width 3"],
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Return the mean of ``(|dD/dx| - 1)^2`` at random points x between real and fake patches.

    D is the mean ``score`` of a patch. The norm, over all of a patch, is floored at 1e-6, so that
    the gradient stays finite where D is constant.

    Reference: Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017, equation 3.
    """
    fraction = torch.rand(len(real), generator=generator, dtype=real.dtype, device=real.device)
    between = torch.lerp(fake, real, fraction[:, None, None, None]).detach().requires_grad_()
    scores = score(between).flatten(1).mean(1)
    (slope,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    length = slope.square().sum((1, 2, 3)).clamp_min(1e-12).sqrt()
    return (length - 1).square().mean()
