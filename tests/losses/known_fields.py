"""Fields known in closed form, and a small real one."""

import torch

from nerfloss.fields.appearance import SurfaceColor
from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sdf import SDFField
from nerfloss.fields.sdf_network import SDFNetwork


def plane_field(normal=(0.0, 0.0, 1.0), offset=0.0):
    """The exact distance to the plane ``n . x + offset = 0``, positive where the normal points."""

    def field(points, needs):
        n = points.new_tensor(normal) / torch.tensor(normal).norm().to(points)
        found = {
            "sdf": points @ n + offset,
            "gradients": n.expand_as(points),
            "laplacian": torch.zeros_like(points[:, 0]),
        }
        return {name: found[name] for name in needs}

    return field


class Recorder:
    """A field that remembers where it was asked."""

    def __init__(self, field):
        self.field = field
        self.asked = []

    def __call__(self, points, needs):
        self.asked.append(points)
        return self.field(points, needs)


def small_sdf_field(noise=0.05):
    """A hash-grid field of radius 1/2, roughened so that no normal is that of a sphere."""
    grid = HashGrid(levels=3, log2_hashmap_size=10, base_resolution=4, max_resolution=16)
    torch.nn.init.uniform_(grid.table, -noise, noise)
    network = SDFNetwork(grid, width=16, embedding=3)
    with torch.no_grad():
        network.layers[0].weight[:, :-3] = 0.3 * torch.randn(16, grid.channels)
    return SDFField(network, SurfaceColor(embedding=3))
