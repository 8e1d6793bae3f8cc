"""The background: a second, small density field for everything outside of the unit ball.

A ray that crosses the unit ball continues in the background where it leaves the ball; one that
misses the ball is all background. Space is contracted into the ball of radius 2, and lengths are
measured there, so that a density of 1 has the same effect near and far. The last interval of a ray
reaches to infinity and is opaque: what the foreground lets pass has a colour.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nerfloss.geometry import Rays, intersect_sphere
from nerfloss.kernels.compositing import composited, compositing_weights, density_alphas
from nerfloss.maths.contraction import contract, disparity_midpoints
from nerfloss.quantities.field import TrainedField
from nerfloss.quantities.vocabulary import BACKGROUND_SAMPLES
from nerfloss.samplers.cached_grid import CachedGrid
from nerfloss.samplers.inverse_cdf import invert_cdf
from nerfloss.samplers.uniform import stratified_edges

# Corners of the contracted space.
BOX = ((-2.0, -2.0, -2.0), (2.0, 2.0, 2.0))
# Cached densities above this are updated at every refresh, others in turn.
OCCUPIED = 0.1


class Background(nn.Module):
    """Colour of what lies behind the unit ball, from a ``field`` in contracted space.

    ``samples`` intervals per ray (``eval_samples`` in evaluation) are placed by a cached grid of
    the density, of ``resolution``^3 cells, which is looked up at ``candidates`` distances: evenly
    spaced in inverse distance from the ball to ``far``. The fraction ``uniform_fraction`` of the
    samples follows the distances alone. The grid is updated every ``refresh_every`` steps, and old
    values are multiplied by ``density_decay``. The background of a ray that misses the ball begins
    at the fraction ``near`` of the way to the ray's point closest to the ball, and ends ``far``
    scene units behind. Rays with a foreground opacity above ``1 - color_threshold`` have no
    background, and samples of smaller weight no colour.

    Reference: Barron et al., "Mip-NeRF 360", CVPR 2022, for the contraction; Zhang et al.,
    "NeRF++", 2020, for the division at the unit sphere.
    """

    def __init__(
        self,
        field: TrainedField,
        *,
        samples: int = 8,
        eval_samples: int = 24,
        candidates: int = 48,
        uniform_fraction: float = 0.3,
        near: float = 0.5,
        far: float = 100.0,
        resolution: int = 64,
        refresh_every: int = 20,
        density_decay: float = 0.4,
        color_threshold: float = 1e-3,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        if min(samples, eval_samples, candidates, refresh_every) < 1:
            raise ValueError(
                "background needs samples, eval_samples, candidates and refresh_every >= 1, got "
                f"{samples}, {eval_samples}, {candidates} and {refresh_every}"
            )
        if not (0 < uniform_fraction <= 1 and 0 <= near <= 1 and far > 0):
            raise ValueError(
                "background needs uniform_fraction in (0, 1], near in [0, 1] and far > 0, got "
                f"{uniform_fraction}, {near} and {far}"
            )
        self.field = field
        field.set_box(torch.tensor(BOX))
        self.grid = CachedGrid(resolution)
        self.samples, self.eval_samples, self.candidates = samples, eval_samples, candidates
        self.uniform_fraction, self.near, self.far = uniform_fraction, near, far
        self.refresh_every, self.density_decay = refresh_every, density_decay
        self.color_threshold, self.backend = color_threshold, backend
        self._restrict_grid()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters by the name for which the optimizer has settings."""
        groups = self.field.parameter_groups()
        networks = [each for name in groups if name != "grid" for each in groups[name]]
        grid = {"background_grid": groups["grid"]} if groups["grid"] else {}
        return {**grid, "background_networks": networks}

    def advance(self, step: int) -> None:
        """Activate the levels of the field scheduled for a training step."""
        self.field.advance(step)

    @torch.no_grad()
    def refresh(self, step: int, generator: torch.Generator | None = None) -> None:
        """Update the cached density if it is due: three times as often early in training."""
        every = self.refresh_every if step > 4 * self.refresh_every else self.refresh_every // 3 + 1
        if self.grid.initialized and step % every:
            return
        turn = step // every if self.grid.initialized else None
        self.grid.refresh_density(
            self.field,
            decay=self.density_decay,
            generator=generator,
            threshold=OCCUPIED,
            turn=turn,
        )

    @torch.no_grad()
    def place(self, rays: Rays, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the intervals of each ray, by the names in `BACKGROUND_SAMPLES`.

        Jittered in training (``generator`` given), regular without.
        """
        if not self.grid.initialized:
            self.refresh(0, generator)
        start = self._start(rays)[:, None]
        # Fractions of the way to infinity, evenly spaced in inverse distance from the start.
        last = torch.full_like(start[:, 0], 1 - 1 / (1 + self.far))
        edges = stratified_edges(torch.zeros_like(last), last, self.candidates, generator)
        points = contract(_along(rays.origins, rays.directions, start + edges / (1 - edges)))
        length = (points[:, 1:] - points[:, :-1]).norm(dim=-1)
        middle = 0.5 * (points[:, 1:] + points[:, :-1])
        densities = self.grid.density_at(middle, self.field.box)
        travelled = length.cumsum(1)
        alphas = density_alphas(densities, travelled - length, travelled, backend=self.backend)
        mass = self._mass(compositing_weights(alphas, backend=self.backend), length)
        count = self.eval_samples if generator is None else self.samples
        chosen = invert_cdf(edges, mass, count + 1, generator)
        t = start + chosen / (1 - chosen)
        return dict(zip(BACKGROUND_SAMPLES, (t[:, :-1], t[:, 1:]), strict=True))

    def forward(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        opacity: Float[Tensor, "rays"],
        background_t_starts: Float[Tensor, "rays samples"],
        background_t_ends: Float[Tensor, "rays samples"],
        viewing_directions: Float[Tensor, "rays 3"] | None = None,
    ) -> Float[Tensor, "rays 3"]:
        """Return the colour behind the foreground; 0 where nothing of it would be seen.

        It is seen from ``viewing_directions``; None: from ``directions``.
        """
        viewing = directions if viewing_directions is None else viewing_directions
        seen = (opacity.detach() < 1 - self.color_threshold).nonzero().squeeze(-1)
        t_starts, t_ends = background_t_starts[seen], background_t_ends[seen]
        rays = (each[seen] for each in (origins, directions, viewing))
        colors = self._rendered(*rays, t_starts, t_ends)
        return torch.zeros_like(origins).index_copy(0, seen, colors)

    def _start(self, rays: Rays) -> Float[Tensor, "rays"]:
        """Return the distance at which the background of each ray begins."""
        enter, leave = intersect_sphere(rays)
        closest = -(rays.origins * rays.directions).sum(-1)
        beside = (self.near * closest).clamp_min(0.0)
        return torch.where(leave > enter, leave, beside)

    def _rendered(
        self, origins: Tensor, directions: Tensor, viewing: Tensor, t_starts: Tensor, t_ends: Tensor
    ) -> Float[Tensor, "rays 3"]:
        """Return the colours of rays, of which all light ends in the background."""
        begin = contract(_along(origins, directions, t_starts))
        length = (contract(_along(origins, directions, t_ends)) - begin).norm(dim=-1)
        middle = _along(origins, directions, disparity_midpoints(t_starts, t_ends))
        points = contract(middle).flatten(0, 1)
        values = self.field(points, {"densities", "embeddings"})
        densities = values["densities"] * self.grid.in_region(points, self.field.box)
        travelled = length.cumsum(1)
        alphas = density_alphas(
            densities.view_as(length),
            travelled - length,
            travelled,
            backend=self.backend,
        )
        opaque = torch.ones_like(alphas[:, :1])
        weights = compositing_weights(torch.cat([alphas[:, :-1], opaque], 1), backend=self.backend)
        above = (weights.detach() > self.color_threshold).flatten().nonzero().squeeze(-1)
        ray = above // length.shape[1]
        found = self.field.appearance(viewing[ray], values["embeddings"][above])
        colors = points.new_zeros(len(points), 3).index_copy(0, above, found)
        return composited(weights, colors.view(*length.shape, 3), backend=self.backend)

    def _mass(
        self, weights: Float[Tensor, "rays candidates"], length: Float[Tensor, "rays candidates"]
    ) -> Float[Tensor, "rays candidates"]:
        """Return the density to sample: weights, mixed with the intervals' contracted lengths."""
        # What is left is seen in the last interval.
        rest = (1 - weights.sum(1, keepdim=True)).clamp_min(0.0)
        likely = torch.cat([weights[:, :-1], weights[:, -1:] + rest], 1)
        even = length / length.sum(1, keepdim=True).clamp_min(1e-12)
        return (1 - self.uniform_fraction) * likely + self.uniform_fraction * even

    def keep_empty(self, cells: Bool[Tensor, "x y z"]) -> None:
        """Leave cells of the contracted box empty, beside those inside of the unit ball."""
        self._restrict_grid()
        region = self.grid.region & ~cells.permute(2, 1, 0).to(self.grid.region.device)
        self.grid.region.copy_(region)

    @property
    def resolution(self) -> int:
        """Number of cells of the cached grid along an edge of the contracted box."""
        return self.grid.resolution

    def _restrict_grid(self) -> None:
        """Leave out the cells of the cached grid that lie inside of radius 1 or beyond 2."""
        count = self.grid.resolution
        axis = (torch.arange(count) + 0.5) * (4.0 / count) - 2.0
        radius = torch.cartesian_prod(axis, axis, axis).norm(dim=1).reshape(count, count, count)
        self.grid.restrict_to(_shell(radius, margin=4.0 / count))


def _shell(radius: Float[Tensor, "x y z"], margin: float) -> Bool[Tensor, "x y z"]:
    return (radius > 1 - margin) & (radius < 2 + margin)


def _along(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    t: Float[Tensor, "rays samples"],
) -> Float[Tensor, "rays samples 3"]:
    return origins[:, None] + t[..., None] * directions[:, None]
