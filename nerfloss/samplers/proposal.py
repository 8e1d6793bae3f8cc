"""Proposals: a small density, learned along, says where the field is worth looking at."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nerfloss.geometry import Rays, Samples, intersect_box
from nerfloss.maths.compositing import compositing_weights, density_alphas
from nerfloss.quantities.field import Field
from nerfloss.samplers.inverse_cdf import invert_cdf
from nerfloss.samplers.uniform import stratified_edges


class ProposalSampler(nn.Module):
    """Weigh ``proposals`` equal intervals by ``density``, place ``samples`` where the weight is.

    The intervals and their weights become the quantities ``proposal_t_starts``,
    ``proposal_t_ends`` and ``proposal_weights``. Through the last the term `interlevel` teaches the
    density; the samples themselves carry no gradient. At first the weights count little: they are
    raised to a power that rises from 0 to 1 over ``anneal_steps``, early fast by ``slope``. A share
    ``mix`` of the samples always spreads evenly, to see what is not proposed.

    Reference: Barron et al., "Mip-NeRF 360: Unbounded Anti-Aliased Neural Radiance Fields", CVPR
    2022, section 3 and the appendix on annealing.
    """

    offers = frozenset({"proposal_t_starts", "proposal_t_ends", "proposal_weights"})
    looks_ahead = False
    # The quantity through which a recipe has to teach it.
    learns_from: str | None = "proposal_weights"
    power: Float[Tensor, ""]

    def __init__(
        self,
        density: Any,
        *,
        proposals: int = 64,
        samples: int = 16,
        eval_samples: int = 32,
        mix: float = 0.1,
        anneal_steps: int = 300,
        slope: float = 10.0,
    ) -> None:
        super().__init__()
        if min(proposals - 1, samples, eval_samples) < 1:
            raise ValueError(
                "the proposal sampler needs proposals >= 2, samples >= 1 and eval_samples >= 1, "
                f"got {proposals}, {samples} and {eval_samples}"
            )
        if not (0 < mix <= 1 and anneal_steps >= 0 and slope > 0):
            raise ValueError(
                "the proposal sampler needs mix in (0, 1], anneal_steps >= 0 and slope > 0, got "
                f"{mix}, {anneal_steps} and {slope}"
            )
        self.density = density
        self.proposals, self.samples, self.eval_samples = proposals, samples, eval_samples
        self.mix, self.anneal_steps, self.slope = mix, anneal_steps, slope
        self.register_buffer("power", torch.zeros(()))

    def forward(
        self, field: Field, rays: Rays, generator: torch.Generator | None = None
    ) -> Samples:
        """Sample each ray; jittered in training (``generator`` given), regular without."""
        self.density.span(field.box)
        edges = stratified_edges(*intersect_box(rays, field.box), self.proposals, generator)
        weights = self._weights(rays, edges)
        count = self.eval_samples if generator is None else self.samples
        t = invert_cdf(edges, self._mass(weights.detach(), edges), count + 1, generator)
        proposed = {
            "proposal_t_starts": edges[:, :-1],
            "proposal_t_ends": edges[:, 1:],
            "proposal_weights": weights,
        }
        return Samples(rays, t[:, :-1], t[:, 1:], proposed)

    def sampled_region(self, field: Field) -> Bool[Tensor, "x y z"] | None:  # noqa: ARG002
        """Return None: samples are placed everywhere in the field's box."""
        return None

    def refresh(self, field: Field, step: int, generator: torch.Generator | None = None) -> None:  # noqa: ARG002
        """Let the weights count as much as is due at a step."""
        done = min(step / self.anneal_steps, 1.0) if self.anneal_steps else 1.0
        self.power.fill_(self.slope * done / ((self.slope - 1) * done + 1))

    def _weights(
        self, rays: Rays, edges: Float[Tensor, "rays edges"]
    ) -> Float[Tensor, "rays edges-1"]:
        middle = 0.5 * (edges[:, :-1] + edges[:, 1:])
        densities = torch.zeros_like(middle)
        # A ray that misses the box has all its edges at 0: nothing to evaluate.
        inside = (edges[:, -1] > edges[:, 0]).nonzero().squeeze(-1)
        if len(inside):
            along = middle[inside, :, None] * rays.directions[inside, None]
            points = (rays.origins[inside, None] + along).reshape(-1, 3)
            found = self.density(points).reshape(len(inside), -1)
            densities = densities.index_copy(0, inside, found)
        return compositing_weights(density_alphas(densities, edges[:, :-1], edges[:, 1:]))

    def _mass(
        self, weights: Float[Tensor, "rays proposals"], edges: Float[Tensor, "rays edges"]
    ) -> Float[Tensor, "rays proposals"]:
        """Shares of the samples: of annealed weight, and ``mix`` of length."""
        length = edges[:, 1:] - edges[:, :-1]
        even = length / length.sum(-1, keepdim=True).clamp_min(1e-12)
        # The floor: with a power below 1 even what has no weight gets some of the samples.
        likely = (weights + 1e-6) ** self.power * (length > 0)
        likely = likely / likely.sum(-1, keepdim=True).clamp_min(1e-12)
        return (1 - self.mix) * likely + self.mix * even
