"""Made-up captures of a ball, and the cameras and alpha masks of transforms files."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.posed_cameras import PosedCameras

CAMERA = Camera.pinhole(64, 48, 60.0, 62.0, 33.0, 22.0)


def look_at(position, target, up=(0, 0, 1)) -> np.ndarray:
    """A camera-to-world pose in OpenCV axes."""
    forward = np.subtract(target, position)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, up)
    right = right / np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward, position], 1)


def ring(views=10, center=(0, 0, 0), distance=3.0, seed=0) -> np.ndarray:
    """Poses around one place, at different heights, that look a little beside it."""
    random = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, views, endpoint=False)
    heights = random.uniform(-0.3, 0.6, views)
    towards = np.stack([np.cos(angles), np.sin(angles), heights], 1)
    positions = distance * towards / np.linalg.norm(towards, axis=1, keepdims=True)
    aims = random.uniform(-0.15, 0.15, (views, 3))
    poses = [look_at(p, a) for p, a in zip(positions, aims, strict=True)]
    return np.stack(poses) + np.concatenate([np.zeros((3, 3)), np.array(center)[:, None]], 1)


def ball_masks(poses, cameras, center, radius) -> list[np.ndarray]:
    """The exact masks of a ball."""
    views, masks = PosedCameras(poses, cameras), []
    for index, camera in enumerate(cameras):
        rows, columns = np.mgrid[: camera.height, : camera.width] + 0.5
        directions = views.directions(np.stack([columns, rows], -1).reshape(-1, 2), index)
        offset = np.asarray(center) - poses[index, :, 3]
        along = directions @ offset
        distance = np.linalg.norm(offset - along[:, None] * directions, axis=1)
        hit = (distance < radius) & (along > 0)
        masks.append((255 * hit).astype(np.uint8).reshape(camera.height, camera.width))
    return masks


def transformed(poses, scale, rotation, shift) -> np.ndarray:
    """The poses after a similarity transform of the world."""
    positions = scale * poses[:, :, 3] @ rotation.T + shift
    return np.concatenate([rotation @ poses[:, :, :3], positions[..., None]], 2)


def read_transforms(folder: Path) -> tuple[np.ndarray, list[Camera], list | None]:
    """Poses, cameras and alpha masks of a capture with a transforms file and no faults."""
    names = ("transforms_train.json", "transforms.json")
    content = json.loads(next(folder / n for n in names if (folder / n).is_file()).read_text())
    poses, cameras, masks = [], [], []
    for frame in content["frames"]:
        pose = np.array(frame["transform_matrix"], dtype=np.float64)[:3]
        pose[:, 1:3] *= -1
        pose[:, :3] /= np.linalg.norm(pose[:, 0])
        stem = folder / frame["file_path"]
        image = Image.open(stem if stem.is_file() else stem.with_name(stem.name + ".png"))
        values = {**content, **frame}
        width, height = (int(values.get(k, v)) for k, v in zip("wh", image.size, strict=True))
        angle = values.get("camera_angle_x", 1.0)
        fx = values.get("fl_x", 0.5 * width / np.tan(0.5 * angle))
        params = (fx, values.get("fl_y", fx), values.get("cx", width / 2))
        lens = tuple(values.get(name, 0.0) for name in ("k1", "k2", "p1", "p2"))
        params = (*params, values.get("cy", height / 2), *lens)
        poses.append(pose)
        cameras.append(Camera("OPENCV", width, height, params))
        masks.append(np.array(image)[..., 3] if image.mode == "RGBA" else None)
    return np.stack(poses), cameras, None if masks[0] is None else masks
