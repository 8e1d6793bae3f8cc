"""Renders and meshes of another trainer, for the tests of ``nerfloss judge``."""

from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import trimesh
from scipy.io import savemat


def true_image(number: int, *, size: tuple[int, int] = (24, 32), alpha: bool = True) -> np.ndarray:
    """An image of 8 bits that differs from number to number; its object is a disc."""
    rows, columns = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
    waves = [0.5 + 0.4 * np.sin(rows / 3 + number + c) * np.cos(columns / 5 + c) for c in range(3)]
    inside = np.hypot(rows - size[0] / 2, columns - size[1] / 2) < min(size) / 2.5
    image = np.stack([*waves, inside.astype(float)] if alpha else waves, -1)
    return (255 * image).round().astype(np.uint8)


def composited(image: np.ndarray, background: float = 1.0) -> np.ndarray:
    alpha = image[..., 3:] / 255
    return (image[..., :3] * alpha + 255 * background * (1 - alpha)).round().astype(np.uint8)


def noisy(image: np.ndarray, seed: int = 0) -> np.ndarray:
    """The image with an error of 10 levels in every channel, so 28.13 dB where nothing clips."""
    sign = np.random.default_rng(seed).choice([-10, 10], image.shape)
    return np.clip(image.astype(int) + sign, 0, 255).astype(np.uint8)


def write_folders(
    root: Path,
    render: Callable[[np.ndarray, int], np.ndarray] = lambda image, i: noisy(composited(image), i),
    *,
    names: str = "r_{}.png",
    count: int = 4,
    alpha: bool = True,
) -> tuple[Path, Path]:
    """Folders of renders and of true images ``r_0.png``, ``r_1.png`` ..."""
    renders, truth = root / "renders" / "nerfacto", root / "data" / "lego" / "test"
    for folder in (renders, truth):
        folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image = true_image(number, alpha=alpha)
        iio.imwrite(truth / f"r_{number}.png", image)
        iio.imwrite(renders / names.format(number), render(image, number))
    return renders, truth


def write_meshes(root: Path, factor: float = 1.0) -> tuple[Path, Path]:
    """A sphere that is 2 % too large, and the true sphere, in millimetres."""
    (root / "meshes").mkdir(parents=True, exist_ok=True)
    paths = root / "meshes" / "scan65.ply", root / "meshes" / "truth.ply"
    for path, radius in zip(paths, (10.2 * factor, 10.0), strict=True):
        trimesh.creation.icosphere(subdivisions=4, radius=radius).export(path)
    write_scan(
        root / "dtu", np.asarray(trimesh.creation.icosphere(subdivisions=4, radius=10.0).vertices)
    )
    return paths


def write_scan(root: Path, points: np.ndarray) -> Path:
    """DTU's files of scan 65: everything is observed, and above the table."""
    path = root / "Points" / "stl" / "stl065_total.ply"
    path.parent.mkdir(parents=True, exist_ok=True)
    (root / "ObsMask").mkdir(exist_ok=True)
    trimesh.PointCloud(points).export(path)
    low, high = points.min(0) - 20, points.max(0) + 20
    cells = np.ones(np.ceil((high - low) / 10).astype(int) + 1, dtype=np.uint8)
    box = np.stack([low, high]).astype(np.float32)
    savemat(root / "ObsMask" / "ObsMask65_10.mat", {"ObsMask": cells, "BB": box, "Res": [[10.0]]})
    savemat(root / "ObsMask" / "Plane65.mat", {"P": [[0.0], [0], [1], [1000]]})
    return path
