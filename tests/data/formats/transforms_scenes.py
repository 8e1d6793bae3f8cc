"""A small scene with a transforms file, for tests of its readers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CAMERA = {"w": 8, "h": 6, "fl_x": 9.0, "fl_y": 8.0, "cx": 4.5, "cy": 2.5}


def poses(count: int) -> np.ndarray:
    """Return camera-to-world matrices in OpenGL axes, on a circle about the z axis."""
    matrices = []
    for turn in np.linspace(0, 5, count):
        back = np.array([np.cos(turn), np.sin(turn), 0.0])
        right = np.array([-np.sin(turn), np.cos(turn), 0.0])
        matrix = np.eye(4)
        matrix[:3, :3] = np.stack([right, [0.0, 0.0, 1.0], back], 1)
        matrix[:3, 3] = 3 * back
        matrices.append(matrix)
    return np.stack(matrices)


def content(count: int = 4, **shared: Any) -> dict[str, Any]:
    """Return a transforms file of ``count`` images images/0.png, images/1.png, ..."""
    frames = [
        {"file_path": f"images/{index}.png", "transform_matrix": matrix.tolist()}
        for index, matrix in enumerate(poses(count))
    ]
    return {**CAMERA, **shared, "frames": frames}


def write(folder: Path, values: Any, name: str = "transforms.json", count: int = 4) -> Path:
    """Write a transforms file and its images, and return the folder."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.new("RGB", (8, 6), (index, 2, 3)).save(folder / "images" / f"{index}.png")
    (folder / name).write_text(json.dumps(values))
    return folder
