"""Small scenes on disk in the layouts of benchmarks; only their training views are written."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from small_scenes import projection_matrix

from nerfloss.data.scene import Scene


def write_llff(folder: Path, scene: Scene) -> Path:
    """Write poses_bounds.npy and images/, in scene units."""
    images = write_images(folder / "images", scene)
    rows = []
    for index in range(len(images)):
        right, down, forward, center = camera_to_world(scene, index)[:3].T
        width, height = scene.train.cameras.size(index)
        size = (height, width, intrinsics_of(scene, index)[0, 0])
        rows.append(np.stack([down, right, -forward, center, size], 1).ravel())
    np.save(
        folder / "poses_bounds.npy", np.column_stack([rows, np.tile([1.0, 9.0], (len(rows), 1))])
    )
    return folder


def write_sdfstudio(folder: Path, scene: Scene) -> Path:
    """Write meta_data.json with its images, in scene units."""
    images = write_images(folder, scene)
    width, height = scene.train.cameras.size(0)
    frames = [
        {
            "rgb_path": path.name,
            "camtoworld": camera_to_world(scene, index).tolist(),
            "intrinsics": intrinsics_of(scene, index).tolist(),
        }
        for index, path in enumerate(images)
    ]
    meta = {"camera_model": "OPENCV", "width": width, "height": height, "frames": frames}
    meta["worldtogt"] = np.eye(4).tolist()
    meta["scene_box"] = {"aabb": [[-1, -1, -1], [1, 1, 1]]}
    (folder / "meta_data.json").write_text(json.dumps(meta))
    return folder


def write_blendedmvs(folder: Path, scene: Scene) -> Path:
    """Write blended_images/ and cams/, in scene units; the centre of the first pixel is 0."""
    (folder / "cams").mkdir(parents=True)
    for index, path in enumerate(write_images(folder / "blended_images", scene)):
        to_camera, matrix = (
            np.linalg.inv(camera_to_world(scene, index)),
            intrinsics_of(scene, index),
        )
        matrix[:2, 2] -= 0.5
        words = ["extrinsic", *to_camera.ravel(), "intrinsic", *matrix.ravel(), 1.0, 0.1, 64, 9.0]
        (folder / "cams" / f"{path.stem}_cam.txt").write_text(" ".join(map(str, words)))
    return folder


def write_dtu(
    root: Path, scene: Scene, scan: int = 24, light: str = "3", scale: float = 120.0
) -> Path:
    """Write a scene as DTU publishes its own, and return the folder of the images.

    One scene unit is ``scale`` millimetres. The files of the evaluation are empty.
    """
    place, calibration = root / "Rectified" / f"scan{scan}", root / "Calibration" / "cal18"
    place.mkdir(parents=True)
    calibration.mkdir(parents=True)
    to_scene = np.diag([1 / scale, 1 / scale, 1 / scale, 1.0])
    for position in range(1, len(scene.train) + 1):
        image = Image.fromarray(scene.train.rgb[position - 1].numpy())
        image.save(place / f"rect_{position:03d}_{light}_r5000.png")
        matrix = projection_matrix(scene.train, position - 1) @ to_scene
        np.savetxt(calibration / f"pos_{position:03d}.txt", matrix[:3], "%.9f")
    for name in ("stl/stl{:03d}_total.ply", "ObsMask/ObsMask{}_10.mat", "ObsMask/Plane{}.mat"):
        path = root / ("Points" if name.startswith("stl") else "") / name.format(scan)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return place


def write_tanks_and_temples(
    folder: Path, scene: Scene, to_reference: np.ndarray, name: str = "Barn"
) -> Path:
    """Write the training views as Tanks and Temples, in scene units, with a crop of side 2."""
    (folder / "images").mkdir(parents=True)
    blocks = []
    for index in range(len(scene.train)):
        image = Image.fromarray(scene.train.rgb[index].numpy())
        image.save(folder / "images" / f"{index + 1:06d}.png")
        pose = np.eye(4)
        pose[:3] = scene.train.cameras.poses[index].double().numpy()
        rows = [" ".join(f"{value:.12f}" for value in row) for row in pose]
        blocks.append("\n".join([f"{index} {index} 0", *rows]))
    (folder / f"{name}_COLMAP_SfM.log").write_text("\n".join(blocks) + "\n")
    np.savetxt(folder / f"{name}_trans.txt", to_reference)
    square = np.array([[-1.0, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]])
    scale = float(np.cbrt(np.linalg.det(to_reference[:3, :3])))
    shift = to_reference[:3, 3]
    crop = {
        "class_name": "SelectionPolygonVolume",
        "version_major": 1,
        "version_minor": 0,
        "orthogonal_axis": "Y",
        "axis_min": float(shift[1] - scale),
        "axis_max": float(shift[1] + scale),
        "bounding_polygon": (scale * square + shift).tolist(),
    }
    (folder / f"{name}.json").write_text(json.dumps(crop))
    (folder / f"{name}.ply").touch()
    return folder


def write_images(folder: Path, scene: Scene) -> list[Path]:
    """Write the training images as 00000000.png, 00000001.png ..."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:08d}.png" for index in range(len(scene.train))]
    for path, image in zip(paths, scene.train.rgb, strict=True):
        Image.fromarray(image.numpy()).save(path)
    return paths


def camera_to_world(scene: Scene, index: int) -> np.ndarray:
    """The pose of a training view as a 4 x 4 matrix, in OpenCV axes."""
    pose = np.eye(4)
    pose[:3] = scene.train.cameras.poses[index].double().numpy()
    return pose


def intrinsics_of(scene: Scene, index: int) -> np.ndarray:
    """The intrinsics of a training view; the centre of the first pixel is (0.5, 0.5)."""
    return scene.train.cameras.intrinsics[index].double().numpy().copy()
