"""First weights of a distance network: those that make it a distance that is known on a grid.

They are solved for: descending to them takes some fifty times as long, and what is learned from
there on comes more slowly.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample, softplus

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sdf_network import SDFNetwork
from nerfloss.kernels import sdf_mlp

POINTS = 8192
# Three quarters of the points lie this near to the surface, in scene units, the rest anywhere.
BAND = 0.08


@torch.no_grad()
def become_distance(
    network: SDFNetwork,
    distance: Float[Tensor, "depth height width"],
    *,
    generator: torch.Generator,
    link: float = 0.005,
) -> float:
    """Set the weights so that the first output is ``distance``; return the mean ``|f - d|``.

    ``distance`` holds signed distances, negative inside, at the centres of the cells of the grid's
    box; the mean is over ``generator``'s choice of them, most of them near the surface. First the
    point alone comes as near as it can, by least squares for the last layer. Then the hidden units
    are tied to the grid with weights of ``link``, and its levels, coarse to fine, take at their
    vertices what is still missing. Levels finer than every other cell of ``distance`` have nothing
    to add and stay as they are.
    """
    unit, values = _draw(distance, generator)
    _approach(network, _in_world(network.grid, unit), values)
    first, features = network.layers[0], network.grid.layout.features
    signs = torch.randint(2, first.weight.shape, generator=generator, device=distance.device)
    # Feature 0 of a level moves all units alike, so the distance; the others tell units apart.
    tied = link * (2.0 * signs - 1)
    tied[:, ::features] = link
    first.weight[:, :-3] = tied[:, :-3]
    for level, grid in enumerate(network.grid.layout.grids[: network.grid.active_levels]):
        if grid.resolution <= min(distance.shape) / 2:
            _correct(network, level, distance)
    found = network(_in_world(network.grid, unit))[:, 0]
    return float((found - values).abs().mean())


def _approach(
    network: SDFNetwork, points: Float[Tensor, "points 3"], values: Float[Tensor, "points"]
) -> None:
    """Move the last layer towards the least squares, with the grid left out.

    No further than is worth it: large weights that cancel would bend what lies between.
    """
    *others, last = network.layers
    hidden = points.t()
    for layer in others:
        # Of the first layer's inputs the point is the end.
        inner = layer.weight[:, -len(hidden) :] @ hidden + layer.bias[:, None]
        hidden = softplus(inner, network.beta)
    hidden = torch.cat([hidden, torch.ones_like(hidden[:1])])
    old = torch.cat([last.weight[0], last.bias[:1]])
    normal = hidden @ hidden.t()
    normal += normal.diagonal().mean() * torch.eye(len(normal), device=normal.device)
    change = torch.linalg.solve(normal, hidden @ (values - old @ hidden))
    last.weight[0] += change[:-1]
    last.bias[0] += change[-1]


def _correct(network: SDFNetwork, level: int, distance: Float[Tensor, "z y x"]) -> None:
    """Add to a level's first feature what its vertices lack."""
    grid, active = network.grid, level + 1
    size = grid.layout.grids[level].resolution
    steps = torch.linspace(0, 1, size + 1).to(distance)
    vertices = torch.cartesian_prod(steps, steps, steps)
    features = grid.kernel().features(vertices, grid.table, grid.layout, active)
    inputs = torch.cat([features.t(), _in_world(grid, vertices).t()])
    outputs, pull = sdf_mlp.forward(inputs, list(network.layers.parameters()), network.beta, True)
    # Where the distance hardly listens to the feature, the floor leaves something missing.
    channel = level * grid.layout.features
    slope = pull[channel]
    floor = 0.05 * slope.abs().max().clamp_min(1e-12)
    wanted = _look_up(distance, vertices)
    change = (wanted - outputs[0]) * slope / slope.square().clamp_min(floor**2)
    # Vertices that share a row of a hashed level meet in the middle, nearest the surface.
    cell = (grid.box[1] - grid.box[0]).mean() / size
    share = 1 / (1 + (wanted / cell).square())
    grad = torch.zeros_like(features)

    def sums(values: Tensor) -> Tensor:
        grad[:, channel] = values
        return grid.kernel().scatter(vertices, grad, None, None, grid.layout, active)[:, 0]

    total, shares = sums(share * change), sums(share)
    grid.table[:, 0] += torch.where(shares > 1e-3 * share.min(), total / shares, 0.0)


def _in_world(grid: HashGrid, unit: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
    lower, upper = grid.box
    return lower + unit * (upper - lower)


def _draw(
    distance: Float[Tensor, "depth height width"], generator: torch.Generator
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points"]]:
    """Centres (x, y, z) of some cells, in the unit cube, and their distances."""
    near = (distance.abs() < BAND).reshape(-1).nonzero()[:, 0]
    many = POINTS * 3 // 4 if len(near) else 0
    settings = {"generator": generator, "device": distance.device}
    chosen = near[torch.randint(max(len(near), 1), (many,), **settings)]
    anywhere = torch.randint(distance.numel(), (POINTS - many,), **settings)
    flat = torch.cat([chosen, anywhere])
    depth, height, width = distance.shape
    cell = torch.stack([flat % width, flat // width % height, flat // (width * height)], -1)
    sizes = torch.tensor([width, height, depth], device=distance.device)
    return (cell + 0.5) / sizes, distance.reshape(-1)[flat]


def _look_up(
    distance: Float[Tensor, "depth height width"], unit: Float[Tensor, "points 3"]
) -> Float[Tensor, "points"]:
    where = (unit * 2 - 1).reshape(1, 1, 1, -1, 3)
    values = grid_sample(distance[None, None], where, padding_mode="border", align_corners=False)
    return values.reshape(-1)
