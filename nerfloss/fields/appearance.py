"""Colour at a point: networks whose parameters' names say which quantities they look at."""

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.mlp import MLP
from nerfloss.kernels.directions import spherical_harmonics

HARMONICS = 16


class SurfaceColor(nn.Module):
    """Colour of a surface point, seen from a direction.

    Reference: Yariv et al., "Multiview Neural Surface Reconstruction (IDR)", NeurIPS 2020, sec. 3.
    """

    def __init__(
        self,
        *,
        embedding: int = 15,
        hidden: int = 2,
        width: int = 64,
        backend: str = "auto",
        precision: str = "float32",
    ) -> None:
        super().__init__()
        self.network = MLP(
            embedding + 3 + HARMONICS, 3, hidden=hidden, width=width, squash=True,
            backend=backend, precision=precision,
        )  # fmt: skip

    def forward(
        self,
        directions: Float[Tensor, "points 3"],
        normals: Float[Tensor, "points 3"],
        embeddings: Float[Tensor, "points embedding"],
    ) -> Float[Tensor, "points 3"]:
        """Colours in [0, 1]."""
        seen_from = spherical_harmonics(directions)
        return self.network(embeddings, normals, seen_from)


class RadianceColor(nn.Module):
    """Colour that a point of a density field emits in a direction.

    Reference: Müller et al., "Instant Neural Graphics Primitives", SIGGRAPH 2022, sec. 5.4.
    """

    def __init__(
        self,
        *,
        embedding: int = 16,
        hidden: int = 2,
        width: int = 64,
        backend: str = "auto",
        precision: str = "float32",
    ) -> None:
        super().__init__()
        self.network = MLP(
            embedding + HARMONICS, 3, hidden=hidden, width=width, squash=True,
            backend=backend, precision=precision,
        )  # fmt: skip

    def forward(
        self,
        directions: Float[Tensor, "points 3"],
        embeddings: Float[Tensor, "points embedding"],
    ) -> Float[Tensor, "points 3"]:
        """Colours in [0, 1]."""
        return self.network(embeddings, spherical_harmonics(directions))
