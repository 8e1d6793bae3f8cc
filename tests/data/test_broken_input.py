"""Broken data is reported with its path before training."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_scenes import small_scene, write_blender, write_neus

from nerfloss.data.errors import DataError, existing
from nerfloss.data.formats.blender import BlenderDataset
from nerfloss.data.formats.neus import NeusDataset


@pytest.fixture(scope="module")
def scene():
    return small_scene("sphere", views=4, test_views=1, size=16)


@pytest.fixture
def blender(scene, tmp_path) -> Path:
    return write_blender(tmp_path / "scene", scene)


@pytest.fixture
def neus(scene, tmp_path) -> Path:
    return write_neus(tmp_path / "scene", scene)


def fails(dataset, path: Path | str, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: {message}"):
        dataset.load()


def edit_frames(folder: Path, change) -> Path:
    """Apply a change to the content of the transforms file for training."""
    path = folder / "transforms_train.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def edit_cameras(folder: Path, name: str, value) -> Path:
    """Replace one matrix among the cameras, or drop it."""
    path = folder / "cameras_sphere.npz"
    matrices = dict(np.load(path))
    matrices[name] = value
    np.savez(path, **{k: v for k, v in matrices.items() if v is not None})
    return path


@pytest.mark.parametrize("dataset", [BlenderDataset, NeusDataset])
def test_an_unset_path_is_an_error(dataset):
    fails(dataset(), "dataset.path", "not set; set dataset.path=<folder> to where a ")
    with pytest.raises(DataError, match="not set"):
        _ = dataset().offers


@pytest.mark.parametrize("dataset", [BlenderDataset, NeusDataset])
def test_a_missing_folder_is_named(dataset, tmp_path):
    fails(dataset(str(tmp_path / "gone")), tmp_path / "gone", "no such file or folder; set dataset")


def test_a_folder_of_another_format_names_the_missing_file(blender, neus):
    (blender / "transforms_train.json").unlink()
    remedy = "no such file; dataset.path must be a NeRF-synthetic scene"
    fails(BlenderDataset(str(blender)), blender / "transforms_train.json", remedy)
    (neus / "cameras_sphere.npz").unlink()
    fails(NeusDataset(str(neus)), neus / "cameras_sphere.npz", "no such file, and no cameras.npz")


def test_a_missing_image_is_named(blender, neus):
    (blender / "train" / "train_001.png").unlink()
    fails(BlenderDataset(str(blender)), blender / "train" / "train_001.png", "no such image")
    (neus / "image" / "001.png").unlink()
    fails(NeusDataset(str(neus)), neus / "mask", "5 masks for 4 images")


def test_missing_test_views_are_named_with_the_remedy(blender):
    (blender / "transforms_test.json").unlink()
    message = "no such file, and no transforms_val.json; restore the file, or select test"
    fails(BlenderDataset(str(blender)), blender / "transforms_test.json", message)


def test_a_truncated_image_is_named(blender, neus):
    for dataset, path in (
        (BlenderDataset(str(blender)), blender / "train" / "train_002.png"),
        (NeusDataset(str(neus)), neus / "mask" / "002.png"),
    ):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        fails(dataset, path, "truncated or corrupt")


def test_a_file_that_is_not_an_image_is_named(neus):
    (neus / "image" / "003.png").write_text("not an image")
    fails(NeusDataset(str(neus)), neus / "image" / "003.png", "not an image that can be read")


def test_an_image_of_more_than_eight_bits_is_refused(neus):
    path = neus / "image" / "001.png"
    Image.fromarray(np.zeros((16, 16), dtype=np.uint16)).save(path)
    fails(NeusDataset(str(neus)), path, "pixel format I;16.*convert it to 8 bits")


def test_an_image_of_another_size_is_named(blender, neus):
    path = blender / "train" / "train_001.png"
    Image.new("RGBA", (16, 20)).save(path)
    message = "16 x 20 pixels, where the first view has 16 x 16"
    fails(BlenderDataset(str(blender)), path, message)
    for mask in (neus / "mask").iterdir():
        Image.new("L", (20, 16), 255).save(mask)
    with pytest.raises(DataError, match=r"mask.*20 x 16 pixels, the image has 16 x 16"):
        NeusDataset(str(neus)).load()


def test_an_empty_mask_is_named(blender, neus):
    path = blender / "train" / "train_001.png"
    Image.new("RGBA", (16, 16)).save(path)
    fails(BlenderDataset(str(blender)), path, "the mask is empty")
    Image.new("L", (16, 16), 100).save(neus / "mask" / "002.png")
    fails(NeusDataset(str(neus)), neus / "mask" / "002.png", "the mask is empty")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 0], [0, 1]], r"transform_matrix of ./train/train_000 has shape \(2, 2\)"),
        (np.full((4, 4), np.nan).tolist(), "transform_matrix of ./train/train_000 holds NaN"),
        (np.diag([1, 0, 1, 1]).tolist(), "transform_matrix of ./train/train_000 is singular"),
        (np.diag([2, 2, 2, 1]).tolist(), ".*train_000 is not a rotation with a translation"),
        (np.diag([1, 1, -1, 1]).tolist(), ".*train_000 is not a rotation with a translation"),
        ("rotated", "transform_matrix of ./train/train_000 is not a matrix of numbers"),
    ],
)
def test_a_broken_pose_is_named_with_its_frame(blender, matrix, message):
    path = edit_frames(blender, lambda c: c["frames"][0].update(transform_matrix=matrix))
    fails(BlenderDataset(str(blender)), path, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(frames=[]), "lists no views"),
        (lambda c: c.pop("camera_angle_x"), "not a NeRF-synthetic transforms file.*camera_angle_x"),
        (lambda c: c["frames"][1].pop("file_path"), "not a NeRF-synthetic.*file_path"),
        (lambda c: c.update(camera_angle_x=60), "camera_angle_x=60.0; give .* in radians"),
    ],
)
def test_a_broken_transforms_file_is_named(blender, change, message):
    fails(BlenderDataset(str(blender)), edit_frames(blender, change), message)


def test_a_transforms_file_that_is_not_json_is_named(blender):
    (blender / "transforms_train.json").write_text("{")
    path = blender / "transforms_train.json"
    fails(BlenderDataset(str(blender)), path, "not a NeRF-synthetic transforms file")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("world_mat_2", np.full((4, 4), np.nan), "world_mat_2 holds NaN"),
        ("world_mat_2", np.zeros((4, 4)), "world_mat_2 is singular"),
        ("world_mat_2", np.eye(3), r"world_mat_2 has shape \(3, 3\)"),
        ("world_mat_2", None, r"4 cameras \(world_mat_i\) for 5 images"),
        ("scale_mat_3", None, "scale_mat_3 is missing"),
        ("scale_mat_3", np.eye(4), "scale_mat_3 differs from scale_mat_0"),
    ],
)
def test_a_broken_camera_is_named(neus, name, value, message):
    fails(NeusDataset(str(neus)), edit_cameras(neus, name, value), message)


def test_a_broken_archive_of_cameras_is_named(neus):
    (neus / "cameras_sphere.npz").write_bytes(b"PK\x03\x04 nothing")
    fails(NeusDataset(str(neus)), neus / "cameras_sphere.npz", "not an npz archive")


def test_a_folder_without_images_is_named(neus):
    for image in (neus / "image").iterdir():
        image.unlink()
    fails(NeusDataset(str(neus)), neus / "image", "no images; it needs files ending in .png")


def test_required_masks_must_exist(scene, tmp_path):
    dataset = NeusDataset(str(write_neus(tmp_path, scene, masks=False)), masks=True)
    fails(dataset, tmp_path / "mask", "no such folder, but dataset.masks=true")


def test_a_random_background_needs_an_alpha_channel(blender):
    for split in ("train", "test"):
        for path in (blender / split).iterdir():
            Image.open(path).convert("RGB").save(path)
    assert BlenderDataset(str(blender)).offers == {"target_rgb"}
    dataset = BlenderDataset(str(blender), background="random")
    fails(dataset, blender, "no alpha channel, which a random background needs")


def test_a_downscale_that_does_not_divide_the_image_is_refused(neus):
    path = neus / "image" / "001.png"
    fails(NeusDataset(str(neus), downscale=3), path, "16 x 16 pixels, not a multiple of")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such mesh; set dataset.mesh"),
        (b"ply\nformat nonsense", "not a readable mesh|no triangles"),
        (b"v 0 0 0\nv 1 0 0\n", "no triangles|not a readable mesh"),
    ],
)
def test_a_broken_mesh_is_named(neus, tmp_path, content, message):
    path = tmp_path / ("truth.obj" if content and content.startswith(b"v") else "truth.ply")
    if content is not None:
        path.write_bytes(content)
    fails(NeusDataset(str(neus), mesh=str(path)), path, f"({message})")


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match=r"dataset.masks='maybe' is none of true, false, auto"):
        NeusDataset("x", masks="maybe")
    with pytest.raises(ValueError, match="scene_radius must be positive, got 0"):
        BlenderDataset("x", scene_radius=0)


def test_a_folder_may_be_named_by_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("65").mkdir()
    assert existing(65, "a scene") == Path("65")
    with pytest.raises(DataError, match=r"^66: no such file or folder"):
        existing(66, "a scene")
