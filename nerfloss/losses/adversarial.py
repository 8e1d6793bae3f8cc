"""Adversarial term: a generator loss against a patch discriminator that is trained alongside."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from nerfloss.losses.discriminator import PatchDiscriminator, gradient_penalty
from nerfloss.losses.requirements import Requirements, Size

MODES = ("vanilla", "wasserstein", "hinge", "least_squares")


def discriminator_loss(
    real_scores: Float[Tensor, "*real"], fake_scores: Float[Tensor, "*fake"], *, mode: str
) -> Float[Tensor, ""]:
    """Return the loss of a discriminator, r being its scores of real and f those of fake patches.

    ``<softplus(-r)> + <softplus(f)>`` (vanilla: cross entropy of logits); ``<f> - <r>``
    (wasserstein, without its penalty); ``<max(0, 1 - r)> + <max(0, 1 + f)>`` (hinge);
    ``1/2 <(r - 1)^2> + 1/2 <f^2>`` (least_squares). Raises ValueError for another mode.

    Reference: Goodfellow et al., "Generative Adversarial Nets", NIPS 2014, equation 1; Arjovsky,
    Chintala and Bottou, "Wasserstein GAN", ICML 2017, equation 3; Lim and Ye, "Geometric GAN",
    2017; Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017, equation 9.
    """
    _check_mode(mode)
    if mode == "vanilla":
        return functional.softplus(-real_scores).mean() + functional.softplus(fake_scores).mean()
    if mode == "wasserstein":
        return fake_scores.mean() - real_scores.mean()
    if mode == "hinge":
        return (1 - real_scores).clamp_min(0).mean() + (1 + fake_scores).clamp_min(0).mean()
    return 0.5 * (real_scores - 1).square().mean() + 0.5 * fake_scores.square().mean()


def generator_loss(fake_scores: Float[Tensor, "*fake"], *, mode: str) -> Float[Tensor, ""]:
    """Return the loss of a generator, which decreases with the scores f of its patches.

    ``<softplus(-f)>`` (vanilla, non-saturating), ``-<f>`` (wasserstein, hinge), ``1/2 <(f - 1)^2>``
    (least_squares). Raises ValueError for another mode.

    Reference: as for ``discriminator_loss``.
    """
    _check_mode(mode)
    if mode == "vanilla":
        return functional.softplus(-fake_scores).mean()
    if mode == "least_squares":
        return 0.5 * (fake_scores - 1).square().mean()
    return -fake_scores.mean()


class Adversarial(nn.Module):
    """Generator loss of rendered patches against a patch discriminator.

    ``generator_loss`` of the discriminator's scores D(patch_rgb), a scalar; ``mode`` is vanilla,
    wasserstein, hinge or least_squares. After each step the discriminator takes one step of Adam on
    ``discriminator_loss`` of that step's patches; wasserstein adds ``penalty`` times the gradient
    penalty, at points drawn from ``seed`` and the step. Rendered patches are not compared with
    their own targets, so combine it with a pointwise colour term. No gradient of this term reaches
    the discriminator. ``channels`` and ``layers`` are those of ``PatchDiscriminator``. Logged: the
    discriminator's loss, and its mean scores of real and of fake patches.

    Reference: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks",
    CVPR 2017, section 3, with an unconditional discriminator; the modes' papers are named at
    ``discriminator_loss``.
    """

    def __init__(
        self,
        *,
        mode: str = "vanilla",
        channels: int = 32,
        layers: int = 2,
        learning_rate: float = 2e-4,
        betas: Sequence[float] = (0.5, 0.999),
        penalty: float = 10.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check_mode(mode)
        if learning_rate <= 0 or penalty < 0:
            raise ValueError(
                f"a discriminator needs learning_rate > 0 and penalty >= 0, got "
                f"learning_rate={learning_rate} and penalty={penalty}"
            )
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas are two numbers in [0, 1), got {list(betas)}")
        self.mode, self.penalty, self.seed = mode, penalty, seed
        self.discriminator = PatchDiscriminator(channels=channels, layers=layers)
        self.requirements = Requirements(smallest_patch=Size.of(self.discriminator.smallest))
        self.optimizer = torch.optim.Adam(
            self.discriminator.parameters(), lr=learning_rate, betas=(betas[0], betas[1])
        )
        # Real and fake patches of the step, for training the discriminator after it.
        self._patches: tuple[Tensor, Tensor] | None = None

    def forward(
        self,
        patch_rgb: Float[Tensor, "patches height width 3"],
        patch_target_rgb: Float[Tensor, "patches height width 3"],
    ) -> Float[Tensor, ""]:
        """Return the generator's loss. Raises ValueError where the patches are too small."""
        self.show(real=patch_target_rgb, fake=patch_rgb)
        return generator_loss(self.judge(patch_rgb)[-1], mode=self.mode)

    def show(
        self,
        *,
        real: Float[Tensor, "patches height width 3"],
        fake: Float[Tensor, "patches height width 3"],
    ) -> None:
        """Keep a step's patches, on which the discriminator is trained after the step."""
        self._patches = (real.detach(), fake.detach())

    def judge(self, patches: Float[Tensor, "patches height width 3"]) -> list[Tensor]:
        """Return the discriminator's features, scores last, with gradients to the patches alone."""
        fixed = {name: p.detach() for name, p in self.discriminator.named_parameters()}
        return functional_call(self.discriminator, fixed, (patches,))

    def after_step(self, step: int) -> dict[str, float] | None:
        """Train the discriminator for one step on the patches of this step."""
        if self._patches is None:
            return None
        real, fake = self._patches
        self._patches = None
        real_scores, fake_scores = self.discriminator(real)[-1], self.discriminator(fake)[-1]
        loss = discriminator_loss(real_scores, fake_scores, mode=self.mode)
        if self.mode == "wasserstein":
            loss = loss + self.penalty * self._gradient_penalty(real, fake, step)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return {
            "discriminator": loss.item(),
            "real_score": real_scores.mean().item(),
            "fake_score": fake_scores.mean().item(),
        }

    def _gradient_penalty(
        self,
        real: Float[Tensor, "patches height width 3"],
        fake: Float[Tensor, "patches height width 3"],
        step: int,
    ) -> Float[Tensor, ""]:
        # Seeded by the step alone, so that a resumed run draws the same numbers.
        generator = torch.Generator(real.device).manual_seed(self.seed * 1_000_003 + step)
        return gradient_penalty(lambda x: self.discriminator(x)[-1], real, fake, generator)

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state of the discriminator's optimizer."""
        return {"optimizer": self.optimizer.state_dict()}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state of the discriminator's optimizer."""
        self.optimizer.load_state_dict(state["optimizer"])


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}, got '{mode}'")


# Name of the term in conf/loss/term/adversarial.yaml.
adversarial = Adversarial
