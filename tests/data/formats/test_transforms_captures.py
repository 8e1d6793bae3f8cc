"""The captures with transforms files: an exact field through the reader's cameras is the image."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from PIL import Image

from nerfloss.data.cameras.cameras import Cameras, pixel_centers
from nerfloss.data.errors import DataError
from nerfloss.data.formats import blender_layout, nerfstudio
from nerfloss.data.formats.parsed_scene import ParseSettings

SETTINGS = ParseSettings()
AT_OBJECT = ["ns_pinhole", "ns_k1", "ns_opencv", "r09_mixed", "r07_object_mask", "r31_wh_doubled"]
AT_OBJECT += ["r30_odd", "r39_depth", "blender", "r04_offcentre"]
AT_ORIGIN = ["blender_origin", "r24_none_upper", "r24_wrong", "r29_dots", "r33_half"]


@pytest.fixture(scope="module")
def captures(test_data):
    if not (test_data / "captures").is_dir():
        pytest.skip("no captures among the test data")
    return test_data / "captures"


@pytest.fixture(scope="module")
def exact(captures):
    spec = importlib.util.spec_from_file_location("exact", captures / "exact.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def parse(folder, settings=SETTINGS):
    reader = nerfstudio if nerfstudio.detect(folder) else blender_layout
    assert reader.detect(folder)
    return reader.parse(folder, settings)


def psnr(frame, exact, center) -> float:
    """Return the PSNR, inside the object, of the exact field through the camera of a frame."""
    image = np.asarray(Image.open(frame.image).convert("RGB")) / 255
    height, width = image.shape[:2]
    cameras = Cameras.of([frame.camera.resized(width, height)], frame.pose[None])
    total, inside = np.zeros((height * width, 3)), np.ones(height * width, bool)
    steps = (-0.375, -0.125, 0.125, 0.375)
    for shift in [(x, y) for x in steps for y in steps]:
        pixels = pixel_centers(width, height) + torch.tensor(shift)
        view = torch.zeros(len(pixels), dtype=torch.long)
        rays = cameras.rays(view, pixels, torch.zeros(len(pixels), 3))
        arrays = rays.origins.double().numpy(), rays.directions.double().numpy()
        colors, hit, _ = exact.trace(*arrays, center)
        total, inside = total + colors / 16, inside & hit
    error = (total.reshape(height, width, 3) - image)[inside.reshape(height, width)]
    return -10 * np.log10(np.square(error).mean())


@pytest.mark.parametrize("name", AT_OBJECT + AT_ORIGIN)
def test_the_exact_field_through_the_cameras_is_the_image(captures, exact, name):
    scene = parse(captures / name)
    center = exact.CENTER if name in AT_OBJECT else np.zeros(3)
    assert len(scene.frames) == 15
    assert scene.test == (12, 13, 14)
    for index in (0, 13):
        assert psnr(scene.frames[index], exact, center) > 55


@pytest.mark.parametrize("images", ["images_2", "images_2_up"])
def test_smaller_copies_of_odd_images_have_their_true_ratio(captures, exact, images):
    scene = parse(captures / "r30_odd", ParseSettings(images=images))
    assert {frame.image.parent.name for frame in scene.frames} == {images}
    assert scene.frames[0].camera.width == 65
    assert scene.frames[0].states_size
    assert psnr(scene.frames[0], exact, exact.CENTER) > 47
    assert scene.frames[0].name == "0000"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("r25_missing", r"3 of 12 images are missing: .*r_002.*r_005.*r_009.*r_000.png"),
        ("r26_no_pose", r"2 of 12 frames have no pose.*r_001.*r_007"),
    ],
)
def test_what_is_missing_is_named_and_may_be_skipped(captures, name, found):
    with pytest.raises(DataError, match=found):
        parse(captures / name)
    scene = parse(captures / name, ParseSettings(missing="skip"))
    assert len(scene.frames) == 15 - int(found[0 if found[0].isdigit() else 1])
    assert any("left out" in note for note in scene.notes)


def test_an_image_with_another_ending_is_said(captures):
    assert "r_000.png for ./train/r_000.jpg" in parse(captures / "r24_wrong").notes[0]


def test_names_keep_all_but_the_last_ending(captures):
    names = [frame.name for frame in parse(captures / "r29_dots").frames]
    assert names[3] == "render.0003"


def test_a_scaled_pose_is_normalised_and_said(captures):
    scene = parse(captures / "r33_half")
    assert any("scale by 0.5" in note for note in scene.notes)
    rotation = scene.frames[0].pose[:, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-9)


def test_masks_and_depth_are_those_of_the_files(captures):
    masked, deep = parse(captures / "r07_object_mask"), parse(captures / "r39_depth")
    assert all(f.ignore_mask is not None and f.object_mask is None for f in masked.frames)
    assert all(frame.depth is not None for frame in deep.frames)
    assert (deep.depth.unit, deep.depth.along) == (0.001, "z")


def test_every_capture_is_read_or_refused_by_name(captures):
    entries = json.loads((captures / "MANIFEST.json").read_text())
    for name, entry in entries.items():
        if entry["format"] in ("nerfstudio", "blender") and name[:3] not in ("r25", "r26"):
            assert len(parse(captures / name).frames) == 15


def test_the_fox_has_its_distortion(test_data):
    scene = parse(test_data / "fox_s4")
    camera = scene.frames[0].camera
    assert len(scene.frames) == 50
    assert camera.model == "OPENCV"
    assert camera.params[4:] == (0.0578421, -0.0805099, -0.000980296, 0.00015575)
    assert any("aabb_scale=4" in note for note in scene.notes)


def test_lego_keeps_its_names_and_its_region(test_data):
    scene = parse(test_data / "lego_100", ParseSettings(scene_radius=1.5))
    assert scene.test == tuple(range(100, 125))
    assert scene.frames[0].name == "train/r_0"
    assert scene.frames[100].name == "test/r_0"
    np.testing.assert_array_equal(scene.region, np.diag([1.5, 1.5, 1.5, 1]))
    assert not scene.frames[0].states_size
