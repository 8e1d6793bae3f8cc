"""Proposal sampling: a small density field, trained with the main field, places the samples."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.geometry import Rays, Samples, intersect_box
from nerfloss.maths.compositing import compositing_weights, density_alphas
from nerfloss.quantities.field import Field
from nerfloss.samplers.inverse_cdf import invert_cdf
from nerfloss.samplers.uniform import stratified_edges
from nerfloss.samplers.unrestricted import Unrestricted


@runtime_checkable
class Density(Protocol):
    """Density at world points, inside a box that follows that of the main field."""

    def __call__(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]: ...
    def set_box(self, box: Float[Tensor, "2 3"]) -> None: ...


class ProposalSampler(Unrestricted, nn.Module):
    """Weight ``proposals`` equal intervals by ``density`` and draw ``samples`` from them.

    The intervals and their weights are the quantities ``proposal_t_starts``, ``proposal_t_ends``
    and ``proposal_weights``; the term `interlevel` trains the density through the last. Samples
    carry no gradient. Weights are annealed: raised to a power that rises from 0 to 1 over
    ``anneal_steps``, with the initial slope ``anneal_slope``. The fraction ``uniform_fraction`` of
    the samples is distributed uniformly.

    Reference: Barron et al., "Mip-NeRF 360: Unbounded Anti-Aliased Neural Radiance Fields", CVPR
    2022, section 3 and the appendix on annealing.
    """

    offers = frozenset({"proposal_t_starts", "proposal_t_ends", "proposal_weights"})
    learns_from = "proposal_weights"
    power: Float[Tensor, ""]

    def __init__(
        self,
        density: Density,
        *,
        proposals: int = 64,
        samples: int = 16,
        eval_samples: int = 32,
        uniform_fraction: float = 0.1,
        anneal_steps: int = 300,
        anneal_slope: float = 10.0,
    ) -> None:
        super().__init__()
        if min(proposals - 1, samples, eval_samples) < 1:
            raise ValueError(
                "the proposal sampler needs proposals >= 2, samples >= 1 and eval_samples >= 1, "
                f"got {proposals}, {samples} and {eval_samples}"
            )
        if not (0 < uniform_fraction <= 1 and anneal_steps >= 0 and anneal_slope > 0):
            raise ValueError(
                "the proposal sampler needs uniform_fraction in (0, 1], anneal_steps >= 0 and "
                f"anneal_slope > 0, got {uniform_fraction}, {anneal_steps} and {anneal_slope}"
            )
        self.density = density
        self.proposals, self.samples, self.eval_samples = proposals, samples, eval_samples
        self.uniform_fraction, self.anneal_steps = uniform_fraction, anneal_steps
        self.anneal_slope = anneal_slope
        self.register_buffer("power", torch.zeros(()))

    def forward(
        self, field: Field, rays: Rays, generator: torch.Generator | None = None
    ) -> Samples:
        """Sample each ray; jittered in training (``generator`` given), regular without."""
        self.density.set_box(field.box)
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

    def refresh(self, field: Field, step: int, generator: torch.Generator | None = None) -> None:  # noqa: ARG002
        """Set the annealing power of a step."""
        done = min(step / self.anneal_steps, 1.0) if self.anneal_steps else 1.0
        self.power.fill_(self.anneal_slope * done / ((self.anneal_slope - 1) * done + 1))

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
        """Return the density to sample: annealed weights, mixed with the intervals' lengths."""
        length = edges[:, 1:] - edges[:, :-1]
        even = length / length.sum(-1, keepdim=True).clamp_min(1e-12)
        # The floor gives intervals without weight some samples while the power is below 1.
        likely = (weights + 1e-6) ** self.power * (length > 0)
        likely = likely / likely.sum(-1, keepdim=True).clamp_min(1e-12)
        return (1 - self.uniform_fraction) * likely + self.uniform_fraction * even
