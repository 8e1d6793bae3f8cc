"""Broken data is reported with its path before training."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
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
    message = r"1 of 4 images are missing: ./train/train_001 \(train/ holds train_000.png"
    fails(BlenderDataset(str(blender)), blender / "transforms_train.json", message)
    (neus / "image" / "001.png").unlink()
    fails(NeusDataset(str(neus)), neus / "mask", "5 masks for 4 images")


def test_missing_test_views_are_replaced_by_a_rule_that_is_said(blender, caplog):
    (blender / "transforms_test.json").unlink()
    with caplog.at_level("INFO"):
        loaded = BlenderDataset(str(blender)).load()
    assert loaded.test.names == ("train_000",)
    assert loaded.conventions["hold_out"] == "every 8th view"
    assert "the files name no test views: every 8th view is held out" in caplog.text


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


def test_an_image_of_sixteen_bits_is_reduced_to_eight(neus, caplog):
    Image.fromarray(np.full((16, 16), 257 * 80, dtype=np.uint16)).save(neus / "image" / "001.png")
    with caplog.at_level("INFO"):
        train = NeusDataset(str(neus)).load().train
    assert (train.rgb[train.names.index("001")] == 80).all()
    assert "16 bit" in caplog.text


def test_an_image_of_another_size_has_a_camera_of_its_own(blender):
    path = blender / "train" / "train_001.png"
    solid = Image.open(path).resize((16, 20))
    solid.save(path)
    cameras = BlenderDataset(str(blender)).load().train.cameras
    assert cameras.sizes.tolist() == [[16, 16], [16, 20], [16, 16], [16, 16]]
    # The field of view is stated across: the focal length is that of the other views.
    assert cameras.intrinsics[1, 0, 0] == cameras.intrinsics[0, 0, 0]
    assert cameras.intrinsics[1, 1, 2] == 10


def test_a_mask_of_another_aspect_ratio_is_named(neus):
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
        (
            [[1, 0], [0, 1]],
            r"transform_matrix of .*train_000 is \[\[1, 0\], \[0, 1\]\], not",
        ),
        (
            np.full((4, 4), np.nan).tolist(),
            "1 of 4 frames have no pose .*not finite.*train_000;",
        ),
        (np.diag([1, 0, 1, 1]).tolist(), "transform_matrix of ./train/train_000 is singular"),
        (np.diag([1, 2, 2, 1]).tolist(), ".*train_000 scales its axes by 2, 2 and 1"),
        (np.diag([1, 1, -1, 1]).tolist(), ".*train_000 is a reflection"),
        ("rotated", 'transform_matrix of ./train/train_000 is "rotated", not 4 x 4'),
        ([["a"] * 4] * 4, '.*train_000 holds "a", not a number'),
    ],
)
def test_a_broken_pose_is_named_with_its_frame(blender, matrix, message):
    path = edit_frames(blender, lambda c: c["frames"][0].update(transform_matrix=matrix))
    fails(BlenderDataset(str(blender)), path, message)


def test_a_uniform_scale_of_a_pose_is_removed_and_said(blender, caplog):
    def enlarge(content):
        for frame in content["frames"]:
            matrix = np.array(frame["transform_matrix"])
            matrix[:3, :3] *= 2
            frame["transform_matrix"] = matrix.tolist()

    before = BlenderDataset(str(blender)).load().train.cameras.poses
    edit_frames(blender, enlarge)
    with caplog.at_level("INFO"):
        after = BlenderDataset(str(blender)).load().train.cameras.poses
    torch.testing.assert_close(after, before)
    assert "the poses scale by 2: the scale is removed" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(frames=[]), "lists no views"),
        (
            lambda c: c.pop("camera_angle_x"),
            ".*train_000 has no focal length.*camera_angle_x",
        ),
        (lambda c: c["frames"][1].pop("file_path"), r"frames\[1\] has no file_path"),
        (
            lambda c: c.update(camera_angle_x=60),
            "camera_angle_x=60 of .*; give .* in radians",
        ),
    ],
)
def test_a_broken_transforms_file_is_named(blender, change, message):
    fails(BlenderDataset(str(blender)), edit_frames(blender, change), message)


def test_a_transforms_file_that_is_not_json_is_named(blender):
    (blender / "transforms_train.json").write_text("{")
    path = blender / "transforms_train.json"
    fails(BlenderDataset(str(blender)), path, "not JSON that can be read .*line 1 column 2")


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
    fails(dataset, blender, "no alpha channel and no masks, which a random background needs")


def test_a_downscale_that_does_not_divide_the_image_keeps_the_field_of_view(neus):
    full, third = (NeusDataset(str(neus), downscale=step).load().train for step in (1, 3))
    assert third.rgb.shape[1:3] == (5, 5)
    ratio = third.cameras.intrinsics[:, :2] / full.cameras.intrinsics[:, :2]
    used = full.cameras.intrinsics[:, :2].abs() > 1e-3
    torch.testing.assert_close(ratio[used], torch.full_like(ratio[used], 5 / 16))


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
