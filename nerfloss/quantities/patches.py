"""Per-ray quantities as images, for batches that consist of whole patches."""

from jaxtyping import Float
from torch import Tensor

Shape = tuple[int, int]


def patch_origins(
    origins: Float[Tensor, "rays 3"], patch_shape: Shape
) -> Float[Tensor, "patches height width 3"]:
    """Return the origins of the rays."""
    return _as_patches(origins, patch_shape)


def patch_directions(
    directions: Float[Tensor, "rays 3"], patch_shape: Shape
) -> Float[Tensor, "patches height width 3"]:
    """Return the unit directions of the rays."""
    return _as_patches(directions, patch_shape)


def patch_rgb(
    rgb: Float[Tensor, "rays 3"], patch_shape: Shape
) -> Float[Tensor, "patches height width 3"]:
    """Return the composited colour."""
    return _as_patches(rgb, patch_shape)


def patch_depth(
    depth: Float[Tensor, "rays"], patch_shape: Shape
) -> Float[Tensor, "patches height width 1"]:
    """Return the expected distance along the ray, in scene units."""
    return _as_patches(depth, patch_shape)


def patch_normal(
    normal: Float[Tensor, "rays 3"], patch_shape: Shape
) -> Float[Tensor, "patches height width 3"]:
    """Return the composited normal."""
    return _as_patches(normal, patch_shape)


def patch_opacity(
    opacity: Float[Tensor, "rays"], patch_shape: Shape
) -> Float[Tensor, "patches height width 1"]:
    """Return the opacity."""
    return _as_patches(opacity, patch_shape)


def patch_target_rgb(
    target_rgb: Float[Tensor, "rays 3"], patch_shape: Shape
) -> Float[Tensor, "patches height width 3"]:
    """Return the observed colour."""
    return _as_patches(target_rgb, patch_shape)


def patch_target_mask(
    target_mask: Float[Tensor, "rays"], patch_shape: Shape
) -> Float[Tensor, "patches height width 1"]:
    """Return the observed mask: 1 on the object, 0 off it."""
    return _as_patches(target_mask, patch_shape)


def patch_target_depth(
    target_depth: Float[Tensor, "rays"], patch_shape: Shape
) -> Float[Tensor, "patches height width 1"]:
    """Return the observed distance along the ray; 0 where unknown."""
    return _as_patches(target_depth, patch_shape)


def patch_target_normal(
    target_normal: Float[Tensor, "rays 3"], patch_shape: Shape
) -> Float[Tensor, "patches height width 3"]:
    """Return the observed normal; 0 where unknown."""
    return _as_patches(target_normal, patch_shape)


def _as_patches(
    values: Float[Tensor, "rays *channels"], patch_shape: Shape
) -> Float[Tensor, "patches height width channels"]:
    """Return per-ray values as images with at least one channel.

    Rays are ordered patch by patch, each in row-major order. Raises ValueError unless the rays
    make whole patches.
    """
    height, width = patch_shape
    if len(values) % (height * width):
        raise ValueError(
            f"{len(values)} rays do not make whole patches of {height} x {width}: "
            f"order the rays patch by patch, row by row"
        )
    return values.reshape(-1, height, width, values[0].numel() if values.ndim > 1 else 1)
