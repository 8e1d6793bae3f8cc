"""A small scene on disk: a textured ball seen by cameras on a ring, and ways to break it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.formats.parsed_scene import Frame, ParsedPoints, ParsedScene
from nerfloss.data.posed_cameras import PosedCameras

CENTER, RADIUS, DISTANCE = np.array([2.0, -1.0, 3.0]), 0.5, 2.5
CAMERA = Camera("OPENCV", 120, 90, (110.0, 112.0, 58.0, 47.0, -0.05, 0.01, 0.0, 0.0))


@dataclass
class SmallScene:
    """A parsed scene whose files may be edited."""

    parsed: ParsedScene

    def image(self, view: int) -> np.ndarray:
        return np.asarray(Image.open(self.parsed.frames[view].image))

    def edit(self, view: int, change: Callable[[np.ndarray], np.ndarray]) -> None:
        path = self.parsed.frames[view].image
        Image.fromarray(change(self.image(view)).astype(np.uint8)).save(path)

    def with_poses(self, change: Callable[[np.ndarray], np.ndarray]) -> ParsedScene:
        frames = (replace(frame, pose=change(frame.pose)) for frame in self.parsed.frames)
        return replace(self.parsed, frames=tuple(frames))


def pose_at(angle: float, height: float = 0.8) -> np.ndarray:
    """Return the pose of a camera on the ring that looks at the ball; z is up."""
    position = np.array([np.cos(angle), np.sin(angle), height])
    position *= DISTANCE / np.linalg.norm(position)
    forward = -position / np.linalg.norm(position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    return np.concatenate([np.stack([right, down, forward], 1), (CENTER + position)[:, None]], 1)


def texture(positions: np.ndarray) -> np.ndarray:
    """Return colours of points on the ball: blocks of random brightness, sharp at their edges."""
    cells = np.floor((positions - CENTER) / RADIUS * 5 + 100).astype(np.int64)
    number = cells @ np.array([73856093, 19349663, 83492791])
    return np.stack([(number // prime) % 200 + 30 for prime in (1, 7, 49)], -1).astype(np.uint8)


def render(pose: np.ndarray, background: int = 200) -> np.ndarray:
    """Return the RGBA image of the ball."""
    rows, columns = np.mgrid[: CAMERA.height, : CAMERA.width] + 0.5
    pixels = np.stack([columns.ravel(), rows.ravel()], 1)
    directions = PosedCameras(pose[None], (CAMERA,)).directions(pixels, 0)
    offset = pose[:, 3] - CENTER
    half, rest = directions @ offset, offset @ offset - RADIUS**2
    root = half**2 - rest
    hit = root > 0
    distance = -half - np.sqrt(np.maximum(root, 0))
    colors = texture(pose[:, 3] + distance[:, None] * directions)
    rgba = np.full((len(pixels), 4), background, dtype=np.uint8)
    rgba[:, 3] = 0
    rgba[hit, :3], rgba[hit, 3] = colors[hit], 255
    return rgba.reshape(CAMERA.height, CAMERA.width, 4)


def write_scene(folder: Path, views: int) -> SmallScene:
    """Write views of the ball, with alpha, from cameras on a ring."""
    (folder / "images").mkdir(parents=True)
    frames = []
    for view in range(views):
        pose = pose_at(2 * np.pi * view / views, 0.3 + 0.5 * (view % 2))
        path = folder / "images" / f"{view:03}.png"
        Image.fromarray(render(pose)).save(path)
        frames.append(Frame(f"{view:03}", path, CAMERA, pose))
    return SmallScene(ParsedScene(folder, "nerfstudio", tuple(frames), notes=("a note",)))


@pytest.fixture
def small_scene(tmp_path: Path) -> SmallScene:
    """Twelve views of a textured ball, in a folder with a space in its name."""
    return write_scene(tmp_path / "a ball", 12)


@pytest.fixture
def dense_scene(tmp_path: Path) -> SmallScene:
    """The same with forty views: features match between neighbours."""
    return write_scene(tmp_path / "dense", 40)


def sparse_points(parsed: ParsedScene, count: int = 400) -> ParsedPoints:
    """Return points on the ball with the pixels at which views see them."""
    generator = np.random.default_rng(0)
    normals = generator.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    positions = CENTER + RADIUS * normals
    posed = PosedCameras(
        np.stack([frame.pose for frame in parsed.frames]),
        tuple(frame.camera for frame in parsed.frames),
    )
    seen, pixels = [], []
    for view in range(len(posed)):
        facing = ((posed.centers[view] - positions) * normals).sum(1) > 0.3
        pixel, _ = posed.project(positions, view)
        seen.append(np.stack([np.full(facing.sum(), view), np.flatnonzero(facing)], 1))
        pixels.append(pixel[facing])
    return ParsedPoints(
        positions,
        colors=texture(positions) / 255.0,
        error=np.full(count, 0.1),
        observations=np.concatenate(seen),
        pixels=np.concatenate(pixels),
    )


@pytest.fixture
def points() -> Callable[[ParsedScene], ParsedPoints]:
    """The function that makes sparse points of a small scene."""
    return sparse_points
