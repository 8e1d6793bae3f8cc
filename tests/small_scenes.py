"""Small scenes on disk in the formats of the readers, for tests."""

import json
import math
from pathlib import Path

import numpy as np
from PIL import Image

from nerfloss.data.scene import Scene
from nerfloss.data.synthetic.dataset import AnalyticDataset
from nerfloss.data.views import Views


def small_scene(
    name: str = "craters", views: int = 6, test_views: int = 2, size: int = 24
) -> Scene:
    """Return a small analytic scene."""
    return AnalyticDataset(scene=name, views=views, test_views=test_views, size=size).load()


def write_blender(folder: Path, scene: Scene, scene_radius: float = 1.5) -> Path:
    """Write a scene as NeRF-synthetic: one scene unit is ``scene_radius`` of the files' units."""
    for split, views in (("train", scene.train), ("test", scene.test)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        frames = []
        for index, name in enumerate(views.names):
            Image.fromarray(_with_alpha(views, index)).save(folder / split / f"{name}.png")
            pose = np.eye(4)
            pose[:3] = views.cameras.poses[index].double().numpy()
            pose[:3, 1:3] *= -1  # from OpenCV to OpenGL
            pose[:3, 3] *= scene_radius
            frames.append({"file_path": f"./{split}/{name}", "transform_matrix": pose.tolist()})
        focal = float(views.cameras.intrinsics[0, 0, 0])
        angle = 2 * math.atan(0.5 * views.cameras.width / focal)
        content = {"camera_angle_x": angle, "frames": frames}
        (folder / f"transforms_{split}.json").write_text(json.dumps(content))
    return folder


def write_neus(
    folder: Path,
    scene: Scene,
    masks: bool = True,
    scale: float = 120.0,
    offset: tuple[float, float, float] = (5.0, -20.0, 300.0),
) -> Path:
    """Write a scene as NeuS does; ``test.txt`` lists the held-out views, which come last.

    ``scale`` and ``offset`` place it in made-up world coordinates.
    """
    (folder / "image").mkdir(parents=True, exist_ok=True)
    if masks:
        (folder / "mask").mkdir(exist_ok=True)
    to_world = np.diag([scale, scale, scale, 1.0])
    to_world[:3, 3] = offset
    matrices, held, count = {}, [], 0
    for views in (scene.train, scene.test):
        for index in range(len(views)):
            name = f"{count:03d}.png"
            Image.fromarray(views.rgb[index].numpy()).save(folder / "image" / name)
            if masks and views.mask is not None:
                Image.fromarray(views.mask[index].numpy()).save(folder / "mask" / name)
            matrices[f"world_mat_{count}"] = projection_matrix(views, index) @ np.linalg.inv(
                to_world
            )
            matrices[f"scale_mat_{count}"] = to_world
            held += [name] if views is scene.test else []
            count += 1
    np.savez(folder / "cameras_sphere.npz", **matrices)
    (folder / "test.txt").write_text("\n".join(held))
    return folder


def _with_alpha(views: Views, index: int) -> np.ndarray:
    if views.mask is None:
        return views.rgb[index].numpy()
    return np.dstack([views.rgb[index].numpy(), views.mask[index].numpy()])


def projection_matrix(views: Views, index: int) -> np.ndarray:
    """From scene units to pixels whose centres are whole numbers, as a 4 x 4 matrix."""
    intrinsics = np.eye(4)
    intrinsics[:3, :3] = views.cameras.intrinsics[index].double().numpy()
    intrinsics[:2, 2] -= 0.5
    pose = np.eye(4)
    pose[:3] = views.cameras.poses[index].double().numpy()
    return intrinsics @ np.linalg.inv(pose)
