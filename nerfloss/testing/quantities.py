"""Random quantities in the ranges that a run produces, for tests of loss terms."""

import zlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.quantities.vocabulary import VOCABULARY

SIZES: Mapping[str, int] = {
    "rays": 6,
    "samples": 5,
    "points": 7,
    "observed": 8,
    "patches": 2,
    "height": 12,
    "width": 13,
    "embedding": 4,
    "channels": 4,
    "classes": 3,
    "views": 4,
    "sources": 3,
    "proposals": 9,
    "hits": 5,
    "images": 4,
    "luminances": 3,
    "rows": 4,
    "columns": 5,
    "code": 4,
    "behind": 6,
}


def fake(
    quantity: str,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    sizes: Mapping[str, int] = SIZES,
) -> Any:
    """Return a random value of a quantity of the vocabulary, the same for the same seed.

    Colours lie in [0, 1], normals are unit, samples are sorted along the ray, weights sum to less
    than 1, masks are half 1. Values with one seed are consistent (``t_ends`` lies behind
    ``t_starts``) and otherwise independent. Raises KeyError for a name outside of the vocabulary.
    """
    meant = VOCABULARY[quantity]
    shape = [sizes[axis] if axis in sizes else int(axis) for axis in meant.shape.split()]
    generator = torch.Generator().manual_seed(seed + zlib.crc32(_family(quantity).encode()))
    if meant.kind == "object":
        objects = {"generator": generator, "patch_shape": (sizes["height"], sizes["width"])}
        return objects.get(quantity, fake_field)
    if meant.kind == "int":
        return _integers(quantity, shape, generator)
    if meant.kind == "bool":
        return torch.arange(shape[0]).reshape([-1] + [1] * (len(shape) - 1)).expand(shape) % 2 == 0
    uniform = torch.rand(shape, generator=generator, dtype=dtype)
    return _shaper(quantity)(uniform)


class FakeField:
    """A field with known values: the sphere of radius 1/2 around the origin, and a random grid.

    The grid has two levels of two features.
    """

    def __call__(
        self,
        points: Float[Tensor, "points 3"],
        needs: Collection[str],  # noqa: ARG002  a field may return more than is asked for
    ) -> dict[str, Tensor]:
        """Return the signed distance and its derivatives at points."""
        distance = points.square().sum(-1).clamp_min(1e-12).sqrt()
        outward = points / distance[:, None]
        return {
            "sdf": distance - 0.5,
            "gradients": outward,
            "normals": outward,
            "laplacian": 2 / distance,
            "hessian_gradients": torch.zeros_like(points),
        }

    def grid_levels(self) -> list[Float[Tensor, "rows features"]]:
        """Return the features of two levels, with 2 and 3 vertices per axis."""
        generator = torch.Generator().manual_seed(0)
        return [torch.rand(rows, 2, generator=generator) - 0.5 for rows in (8, 27)]

    def grid_neighbours(
        self, generator: torch.Generator | None, vertices: int
    ) -> list[Float[Tensor, "4 vertices features"]]:
        """Return features at random vertices, and one vertex further along each axis."""
        found = []
        for side, level in zip((2, 3), self.grid_levels(), strict=True):
            lattice = level.reshape(side, side, side, -1)
            x, y, z = torch.randint(side - 1, (3, vertices), generator=generator)
            ahead = [lattice[x + 1, y, z], lattice[x, y + 1, z], lattice[x, y, z + 1]]
            found.append(torch.stack([lattice[x, y, z], *ahead]))
        return found


fake_field = FakeField()


def _family(quantity: str) -> str:
    """Return the name whose random numbers a quantity uses: consistent ones share them."""
    prefix, found, name = quantity.rpartition("proposal_")
    return f"{prefix}{found}edges" if name in ("t_starts", "t_ends") else quantity


def _integers(quantity: str, shape: list[int], generator: torch.Generator) -> Any:
    if not shape:
        return 100
    above = {"view_images": 256, "view_masks": 256}.get(quantity, 3)
    if quantity in ("view", "target_label", "target_instance", "view_neighbours") or above > 3:
        return torch.randint(0, above, shape, generator=generator)
    raise KeyError(f"no random integers for '{quantity}': add them here")


def _shaper(quantity: str) -> Callable[[Tensor], Tensor]:
    """Return the map from uniform numbers in [0, 1] to values of a quantity."""
    name = quantity
    for prefix in ("patch_", "target_", "space_", "proposal_"):
        name = name.removeprefix(prefix)
    exact = {
        "t_starts": lambda u: 1 + _edges(u) - 0.1 * (0.5 + u),
        "t_ends": lambda u: 1 + _edges(u),
        "weights": lambda u: 0.9 * u / u.shape[-1],
        "mask": lambda u: (u > 0.5).to(u.dtype),
        "box": lambda u: torch.tensor([[-1.0] * 3, [1.0] * 3], dtype=u.dtype),
        "normal": _short if quantity == "normal" else _unit,
        "point_normals": _unit,
        "normals": _unit,
        "directions": _unit,
        "viewing_directions": _unit,
        "gradients": lambda u: _unit(u) * (0.6 + 0.8 * u[..., :1]),
        "hessian_gradients": lambda u: 2 * u - 1,
        "laplacian": lambda u: 8 * u - 4,
        "sdf": lambda u: u - 0.5,
        "positions": lambda u: 2 * u - 1,
        "points": lambda u: 2 * u - 1,
        "surface_points": lambda u: 2 * u - 1,
        "hit_points": lambda u: 2 * u - 1,
        "origins": lambda u: 3 * _unit(u),
        "pixel": lambda u: 1 + 10 * u,
        "view_projections": _projections,
        "exposure": _near_identity,
        "image_exposures": _near_identity,
        "bilateral_grids": _near_identity,
        "image_sizes": lambda u: (12 + 4 * u).round(),
        "densities": lambda u: 20 * u,
        "depth": lambda u: 1 + u,
        "depth_z": lambda u: 1 + u,
        "surface_distance": lambda u: 1 + u,
        "sharpness": lambda u: 20 + 40 * u,
        "logits": lambda u: 4 * u - 2,
        "embeddings": lambda u: 2 * u - 1,
        "features": lambda u: 2 * u - 1,
    }
    # Colours and opacities lie in [0, 1]; derivatives may jump at its ends.
    return exact.get(name, lambda u: 0.05 + 0.9 * u)


def _edges(uniform: Tensor) -> Tensor:
    """Return increasing far ends of intervals along a ray."""
    return 0.1 * (0.5 + uniform).cumsum(-1)


def _projections(uniform: Tensor) -> Tensor:
    """Return cameras about 3 units from the origin, facing it, in pixels of a patch."""
    turned = torch.eye(3, dtype=uniform.dtype) + 0.1 * (uniform[..., :3] - 0.5)
    away = torch.tensor([0.0, 0.0, 3.0], dtype=uniform.dtype).expand(uniform.shape[0], 3)
    scaled = torch.tensor([[9.0, 0, 6.5], [0, 9.0, 6.0], [0, 0, 1]], dtype=uniform.dtype)
    return scaled @ torch.cat([turned, away[..., None]], -1)


def _near_identity(uniform: Tensor) -> Tensor:
    """Return affine colour transforms near the identity."""
    return torch.eye(3, 4, dtype=uniform.dtype) + 0.4 * (uniform - 0.5)


def _unit(uniform: Tensor) -> Tensor:
    vectors = 2 * uniform - 1
    return vectors / vectors.square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()


def _short(uniform: Tensor) -> Tensor:
    """Return composited normals, which are shorter than 1."""
    return 0.8 * _unit(uniform)
