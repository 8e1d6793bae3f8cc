"""Colour networks; the parameters of ``forward`` name the quantities that they need."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.mlp import MLP
from nerfloss.kernels.directions import spherical_harmonics

# Coefficients of an encoded viewing direction: degrees 0 to 3.
SH_COEFFICIENTS = 16


class _ColorNetwork(nn.Module):
    """An MLP of an embedding, ``geometry_channels`` further numbers and the viewing direction.

    ``image_embedding`` is the number of channels of a further input, a vector per image.
    """

    geometry_channels = 0

    def __init__(
        self,
        *,
        embedding: int,
        hidden: int = 2,
        width: int = 64,
        backend: str = "auto",
        precision: str = "float32",
        image_embedding: int = 0,
    ) -> None:
        super().__init__()
        self.network = MLP(
            embedding + self.geometry_channels + SH_COEFFICIENTS + image_embedding,
            3,
            hidden=hidden,
            width=width,
            squash=True,
            backend=backend,
            precision=precision,
        )


class SurfaceColor(_ColorNetwork):
    """Colour of a surface point seen from a direction; it depends on the normal.

    Reference: Yariv et al., "Multiview Neural Surface Reconstruction (IDR)", NeurIPS 2020, sec. 3.
    """

    geometry_channels = 3

    def forward(
        self,
        directions: Float[Tensor, "points 3"],
        normals: Float[Tensor, "points 3"],
        embeddings: Float[Tensor, "points embedding"],
    ) -> Float[Tensor, "points 3"]:
        """Return colours in [0, 1]."""
        return self.network(embeddings, normals, spherical_harmonics(directions))


class RadianceColor(_ColorNetwork):
    """Colour emitted by a point of a density field in a direction.

    Reference: Müller et al., "Instant Neural Graphics Primitives", SIGGRAPH 2022, sec. 5.4.
    """

    def forward(
        self,
        directions: Float[Tensor, "points 3"],
        embeddings: Float[Tensor, "points embedding"],
    ) -> Float[Tensor, "points 3"]:
        """Return colours in [0, 1]."""
        return self.network(embeddings, spherical_harmonics(directions))


class SurfaceColorOfImage(_ColorNetwork):
    """`SurfaceColor` that also depends on a vector of the image.

    Reference: Martin-Brualla et al., "NeRF in the Wild", CVPR 2021, section 4.1.
    """

    geometry_channels = 3

    def forward(
        self,
        directions: Float[Tensor, "points 3"],
        normals: Float[Tensor, "points 3"],
        embeddings: Float[Tensor, "points embedding"],
        image_embedding: Float[Tensor, "points code"],
    ) -> Float[Tensor, "points 3"]:
        """Return colours in [0, 1]."""
        harmonics = spherical_harmonics(directions)
        return self.network(embeddings, normals, harmonics, image_embedding)


class RadianceColorOfImage(_ColorNetwork):
    """`RadianceColor` that also depends on a vector of the image.

    Reference: Martin-Brualla et al., "NeRF in the Wild", CVPR 2021, section 4.1.
    """

    def forward(
        self,
        directions: Float[Tensor, "points 3"],
        embeddings: Float[Tensor, "points embedding"],
        image_embedding: Float[Tensor, "points code"],
    ) -> Float[Tensor, "points 3"]:
        """Return colours in [0, 1]."""
        return self.network(embeddings, spherical_harmonics(directions), image_embedding)


def surface_color(*, image_embedding: int = 0, **settings: Any) -> nn.Module:
    """Build the colour network of a surface, with the ``settings`` of `SurfaceColor`.

    With ``image_embedding`` channels, not 0, it also depends on a vector of the image.
    """
    kind = SurfaceColorOfImage if image_embedding else SurfaceColor
    return kind(image_embedding=image_embedding, **settings)


def radiance_color(*, image_embedding: int = 0, **settings: Any) -> nn.Module:
    """Build the colour network of a density field; ``image_embedding`` as for `surface_color`."""
    kind = RadianceColorOfImage if image_embedding else RadianceColor
    return kind(image_embedding=image_embedding, **settings)


def build_color_network(
    appearance: nn.Module | Callable[..., nn.Module], embedding: int
) -> nn.Module:
    """Return a field's colour network, built with ``embedding`` channels unless it is a module."""
    return appearance if isinstance(appearance, nn.Module) else appearance(embedding=embedding)
