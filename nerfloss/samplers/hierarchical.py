"""Hierarchical sampling: NeuS's up-sampling near the surface of the SDF."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.geometry import Rays, Samples, intersect_box
from nerfloss.maths.compositing import compositing_weights
from nerfloss.quantities.field import Field
from nerfloss.samplers.inverse_cdf import invert_cdf
from nerfloss.samplers.uniform import stratified_edges
from nerfloss.samplers.unrestricted import Unrestricted

# Lower bound of the SDF's derivative along a ray.
MIN_SLOPE = -1e3


class HierarchicalSampler(Unrestricted, torch.nn.Module):
    """Place ``coarse`` regular distances, then ``fine`` new ones in each of ``rounds`` rounds.

    Round i computes compositing weights of the current intervals with a NeuS opacity of sharpness
    ``64 * 2^i`` and draws new distances from them. The distances are the bounds of the samples.

    Reference: Wang et al., "NeuS", NeurIPS 2021, sec. 3.3 and its released code.
    """

    def __init__(self, *, coarse: int = 64, fine: int = 16, rounds: int = 4) -> None:
        super().__init__()
        if min(coarse - 1, fine, rounds) < 1:
            raise ValueError(
                "the hierarchical sampler needs coarse >= 2, fine >= 1 and rounds >= 1, got "
                f"coarse={coarse}, fine={fine}, rounds={rounds}"
            )
        self.coarse, self.fine, self.rounds = coarse, fine, rounds

    @torch.no_grad()
    def forward(
        self, field: Field, rays: Rays, generator: torch.Generator | None = None
    ) -> Samples:
        """Sample each ray; jittered in training (``generator`` given), regular without."""
        if "sdf" not in field.offers:
            raise ValueError(
                "sampler=hierarchical needs 'sdf', which this field does not offer; "
                "use sampler=uniform or sampler=occupancy, or an SDF model (neus, volsdf)"
            )
        t = stratified_edges(*intersect_box(rays, field.box), self.coarse - 1, generator)
        sdf = _sdf_along(field, rays, t)
        for sharpness in self._sharpnesses():
            new = invert_cdf(t, _interval_weights(t, sdf, sharpness), self.fine, generator)
            t, order = torch.sort(torch.cat([t, new], -1), -1)
            sdf = torch.cat([sdf, _sdf_along(field, rays, new)], -1).gather(-1, order)
        return Samples(rays, t[:, :-1], t[:, 1:])

    def refresh(self, field: Field, step: int, generator: torch.Generator | None = None) -> None:
        """Do nothing: there is no state."""

    def _sharpnesses(self) -> Iterator[float]:
        return (64.0 * 2**round_ for round_ in range(self.rounds))


def _sdf_along(
    field: Field, rays: Rays, t: Float[Tensor, "rays points"]
) -> Float[Tensor, "rays points"]:
    points = rays.origins[:, None] + t[..., None] * rays.directions[:, None]
    sdf = torch.zeros_like(t)
    # A ray that misses the box has all its distances at 0: nothing to evaluate.
    inside = (t[:, -1] > t[:, 0]).nonzero().squeeze(-1)
    if len(inside):
        sdf[inside] = field(points[inside].reshape(-1, 3), {"sdf"})["sdf"].reshape(len(inside), -1)
    return sdf


def _interval_weights(
    t: Float[Tensor, "rays edges"], sdf: Float[Tensor, "rays edges"], sharpness: float
) -> Float[Tensor, "rays edges-1"]:
    """Return compositing weights of intervals, using the steeper of two consecutive SDF slopes."""
    length = t[:, 1:] - t[:, :-1]
    slope = (sdf[:, 1:] - sdf[:, :-1]) / length.clamp_min(1e-5)
    previous = torch.cat([torch.zeros_like(slope[:, :1]), slope[:, :-1]], -1)
    change = 0.5 * torch.minimum(previous, slope).clamp(MIN_SLOPE, 0.0) * length
    middle = 0.5 * (sdf[:, 1:] + sdf[:, :-1])
    before = torch.sigmoid(sharpness * (middle - change))
    after = torch.sigmoid(sharpness * (middle + change))
    return compositing_weights(((before - after) / (before + 1e-5)).clamp(0, 1))
