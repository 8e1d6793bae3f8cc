"""Scenes of NeuS: poses in the files' coordinates, masks by name, cameras by order."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from small_scenes import small_scene, write_neus

from nerfloss.data.errors import DataError
from nerfloss.data.formats.camera_order import order_by_masks
from nerfloss.data.formats.neus import NeusDataset
from nerfloss.data.formats.neus_layout import detect, parse, with_order_of_names
from nerfloss.data.formats.parsed_scene import ParseSettings
from nerfloss.data.mask_files import read_mask

WIDTH, HEIGHT = 32, 24
FOCAL, CENTER = (40.0, 36.0), (18.0, 10.0)
REGION = np.array([[2.0, 0, 0, 5], [0, 2.0, 0, -1], [0, 0, 2.0, 7], [0, 0, 0, 1]])


def look_at(angle, height=1.0):
    """Camera-to-world pose of a camera 8 from the region's centre, looking at it."""
    center = REGION[:3, 3] + [8 * np.cos(angle), 8 * np.sin(angle), height]
    forward = REGION[:3, 3] - center
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    return np.column_stack([right, np.cross(forward, right), forward, center])


def poses(count):
    return [look_at(i * 2 * np.pi / count, np.sin(2.4 * i)) for i in range(count)]


def world_mat(pose):
    intrinsics = np.eye(4)
    intrinsics[[0, 1], [0, 1]] = FOCAL
    intrinsics[:2, 2] = np.array(CENTER) - 0.5  # the first pixel's centre is 0 in the files
    full = np.vstack([pose, [0, 0, 0, 1]])
    return 3.7 * np.diag([1, 1, 1, 1 / 3.7]) @ intrinsics @ np.linalg.inv(full)


def silhouette(pose):
    """Mask of an ellipsoid in the region, by its rays."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    local = np.stack([(x - CENTER[0]) / FOCAL[0], (y - CENTER[1]) / FOCAL[1], np.ones_like(x)], -1)
    axes = np.array([1.6, 0.4, 0.6])
    direction = local @ pose[:, :3].T / axes
    origin = (pose[:, 3] - REGION[:3, 3] - [0.2, 0.0, -0.5]) / axes
    b, a = direction @ origin, (direction**2).sum(-1)
    return ((b**2 > a * (origin @ origin - 1)) * 255).astype(np.uint8)


def write(folder: Path, count=6, name="{:03d}", mask="{:03d}", order=None) -> Path:
    """Write a scene; ``order`` gives the view of each camera."""
    (folder / "image").mkdir(parents=True)
    (folder / "mask").mkdir()
    matrices = {}
    for view, pose in enumerate(poses(count)):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "image" / f"{name.format(view)}.png")
        Image.fromarray(silhouette(pose)).save(folder / "mask" / f"{mask.format(view)}.png")
    for number, view in enumerate(order or range(count)):
        matrices[f"world_mat_{number}"] = world_mat(poses(count)[view])
        matrices[f"scale_mat_{number}"] = REGION
    np.savez(folder / "cameras_sphere.npz", **matrices)
    return folder


def edit(folder: Path, change) -> None:
    path = folder / "cameras_sphere.npz"
    matrices = dict(np.load(path))
    change(matrices)
    np.savez(path, **matrices)


def masks_of(parsed):
    return [read_mask(frame.object_mask) for frame in parsed.frames]


def test_poses_are_in_the_coordinates_of_the_files(tmp_path):
    assert detect(write(tmp_path / "scene"))
    parsed = parse(tmp_path / "scene", ParseSettings())
    np.testing.assert_allclose(parsed.region, REGION)
    assert not parsed.notes
    for frame, pose in zip(parsed.frames, poses(6), strict=True):
        np.testing.assert_allclose(frame.pose, pose, atol=1e-9)
        np.testing.assert_allclose(frame.camera.params, (*FOCAL, *CENTER), rtol=1e-9)
        assert (frame.camera.width, frame.camera.height) == (WIDTH, HEIGHT)
        assert not frame.states_size


def test_names_lose_the_ending_of_the_image_only(tmp_path):
    parsed = parse(write(tmp_path, name="render.{:04d}", mask="render.{:04d}"), ParseSettings())
    assert [frame.name for frame in parsed.frames][:2] == ["render.0000", "render.0001"]


def test_masks_of_other_names_are_paired_by_number_and_said(tmp_path):
    parsed = parse(write(tmp_path, name="v2_{:06d}", mask="{:03d}_mask"), ParseSettings())
    assert [f.object_mask.name for f in parsed.frames] == [f"{i:03d}_mask.png" for i in range(6)]
    assert "masks are paired with images by the numbers in their names" in parsed.notes[0]


def test_masks_that_pair_with_no_image_are_named_on_both_sides(tmp_path):
    write(tmp_path)
    (tmp_path / "mask" / "004.png").rename(tmp_path / "mask" / "099.png")
    with pytest.raises(DataError, match=r"no mask for 004.png and no image for 099.png"):
        parse(tmp_path, ParseSettings())
    parsed = parse(tmp_path, ParseSettings(missing="skip"))
    assert [frame.name for frame in parsed.frames] == ["000", "001", "002", "003", "005"]
    np.testing.assert_allclose(parsed.frames[4].pose, poses(6)[5], atol=1e-9)
    assert "those views are left out" in parsed.notes[0]
    assert len(parse(tmp_path, ParseSettings(masks=False)).frames) == 6


def test_two_images_of_one_name_are_refused(tmp_path):
    write(tmp_path)
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "image" / "003.jpg")
    with pytest.raises(DataError, match=r"003.* and 003.* have one name; keep one"):
        parse(tmp_path, ParseSettings())


def test_cameras_with_gaps_belong_to_the_images_of_their_numbers(tmp_path):
    write(tmp_path)
    edit(tmp_path, lambda m: [m.pop(f"{kind}_mat_2") for kind in ("world", "scale")])
    for kind in ("image", "mask"):
        (tmp_path / kind / "002.png").unlink()
    parsed = parse(tmp_path, ParseSettings())
    np.testing.assert_allclose(parsed.frames[2].pose, poses(6)[3], atol=1e-9)
    assert parsed.notes == ("cameras belong to the images of their numbers, which have gaps",)


def renumbered(folder, numbers):
    """Give the images and masks of a scene other numbers, in their order."""
    for kind in ("image", "mask"):
        paths = sorted((folder / kind).iterdir())
        for path, number in reversed(list(zip(paths, numbers, strict=True))):
            path.rename(path.with_name(f"{number:06d}{path.suffix}"))


@pytest.mark.parametrize(
    "numbers",
    [
        [0, 1, 2, 4, 5, 6],
        [1, 2, 3, 4, 5, 7],
        [0, 1, 2, 3, 4, 99],
        [0, 2, 4, 6, 8, 10],
        [50, 51, 53, 54, 55, 56],
    ],
)
def test_gaps_in_the_numbers_of_images_contradict_the_cameras(tmp_path, numbers):
    renumbered(write(tmp_path), numbers)
    wrong = next(i for i, number in enumerate(numbers) if number != numbers[0] + i)
    message = rf"world_mat_5, but their numbers have gaps: {numbers[wrong]:06d}.png is number"
    with pytest.raises(DataError, match=message):
        parse(tmp_path, ParseSettings())


@pytest.mark.parametrize(
    "numbers", [range(1, 7), range(30, 36), [160211, 160249, 160307, 170000, 170031, 181500]]
)
def test_an_offset_and_the_times_of_a_clock_keep_the_order_of_the_cameras(tmp_path, numbers):
    renumbered(write(tmp_path), numbers)
    parsed = parse(tmp_path, ParseSettings())
    for frame, pose in zip(parsed.frames, poses(6), strict=True):
        np.testing.assert_allclose(frame.pose, pose, atol=1e-9)
    first = f"{next(iter(numbers)):06d}.png"
    assert f"cameras follow the order of the images: world_mat_0 is of {first}" in parsed.notes


def test_numbers_that_are_equal_in_all_names_are_no_gaps(tmp_path):
    write(tmp_path, name="scan65_{:03d}_v2", mask="scan65_{:03d}_v2")
    assert parse(tmp_path, ParseSettings()).notes == ()


def test_cameras_for_images_of_another_size_are_refused(tmp_path):
    write(tmp_path)
    for path in (tmp_path / "image").iterdir():
        Image.new("RGB", (WIDTH // 2, HEIGHT // 2)).save(path)
    with pytest.raises(DataError, match=r"far from the middle of its image of 16 x 12 pixels"):
        parse(tmp_path, ParseSettings())


def test_skew_is_refused(tmp_path):
    def skew(matrices):
        matrices["world_mat_3"] = world_mat(poses(6)[3])
        matrices["world_mat_3"][0] += 0.05 * matrices["world_mat_3"][1]

    write(tmp_path)
    edit(tmp_path, skew)
    with pytest.raises(DataError, match=r"world_mat_3 has a skew of .*; pixels must be"):
        parse(tmp_path, ParseSettings())


def test_an_archive_without_scale_states_no_region(tmp_path):
    write(tmp_path)
    edit(tmp_path, lambda m: [m.pop(f"scale_mat_{i}") for i in range(6)])
    parsed = parse(tmp_path, ParseSettings())
    assert parsed.region is None
    assert "no scale_mat" in parsed.notes[0]


def test_padded_numbers_have_one_order(tmp_path):
    parsed = parse(write(tmp_path, count=12), ParseSettings())
    assert with_order_of_names(parsed) is parsed
    assert order_by_masks(parsed, masks_of(parsed)) is parsed


@pytest.mark.parametrize("by_text", [False, True])
def test_the_masks_choose_the_order_of_the_cameras(tmp_path, by_text):
    order = sorted(range(14), key=str) if by_text else None
    parsed = parse(write(tmp_path, 14, "{}", "{}", order), ParseSettings())
    assert any("natural order" in note for note in parsed.notes)
    chosen = order_by_masks(parsed, masks_of(parsed))
    for frame, pose in zip(chosen.frames, poses(14), strict=True):
        np.testing.assert_allclose(frame.pose, pose, atol=1e-9)
    assert any("of the masked rays" in note for note in chosen.notes)


VALUES = st.one_of(
    st.sampled_from([np.nan, np.inf, 1e308, -1e308, 1e30, 1e-300, 0.0, -1.0]).map(
        lambda value: np.full((4, 4), value)
    ),
    st.sampled_from(["text", None, True, 3, 1j]).map(lambda value: np.array(value)),
    st.lists(st.integers(0, 5), min_size=1, max_size=3).map(lambda shape: np.ones(shape)),
    st.lists(st.floats(), min_size=16, max_size=16).map(lambda row: np.reshape(row, (4, 4))),
    st.just(np.array([["1", "2"], ["3", "4"]])),
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("neus") / "scene")
    return folder, (folder / "cameras_sphere.npz").read_bytes()


def parses_or_is_refused(folder):
    try:
        parsed = parse(folder, ParseSettings())
    except DataError:
        return
    for frame in parsed.frames:
        assert np.isfinite(frame.pose).all()
        np.testing.assert_allclose(frame.pose[:, :3] @ frame.pose[:, :3].T, np.eye(3), atol=1e-6)


MANY = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@MANY
@given(
    key=st.sampled_from(
        ["world_mat_0", "world_mat_3", "scale_mat_0", "scale_mat_5", "world_mat_x"]
    ),
    value=VALUES,
)
def test_a_replaced_matrix_is_refused_or_is_a_camera(scene, key, value):
    folder, content = scene
    (folder / "cameras_sphere.npz").write_bytes(content)
    edit(folder, lambda matrices: matrices.update({key: value}))
    parses_or_is_refused(folder)


@MANY
@given(row=st.integers(0, 2), column=st.integers(0, 3), value=st.floats())
def test_a_replaced_number_is_refused_or_is_a_camera(scene, row, column, value):
    folder, content = scene
    (folder / "cameras_sphere.npz").write_bytes(content)

    def change(matrices):
        matrices["world_mat_2"][row, column] = value

    edit(folder, change)
    parses_or_is_refused(folder)


@MANY
@given(data=st.data())
def test_damaged_bytes_are_refused_or_harmless(scene, data):
    folder, content = scene
    damaged = bytearray(content)
    first = data.draw(st.integers(0, len(damaged) - 1))
    damaged[first : first + 8] = data.draw(st.binary(max_size=8))
    (folder / "cameras_sphere.npz").write_bytes(damaged)
    parses_or_is_refused(folder)


@MANY
@given(content=st.binary(max_size=200))
def test_random_bytes_are_refused(scene, content):
    folder, _ = scene
    (folder / "cameras_sphere.npz").write_bytes(content)
    with pytest.raises(DataError, match="not an npz archive"):
        parse(folder, ParseSettings())


@pytest.mark.parametrize("broken", [False, True])
def test_without_masks_those_of_test_views_are_for_scores_only(tmp_path, caplog, broken):
    scene = small_scene("sphere", views=6, test_views=2, size=24)
    folder = write_neus(tmp_path / "scan", scene)
    if broken:
        for path in (folder / "mask").iterdir():
            path.write_bytes(b"no image")
    with caplog.at_level("WARNING"):
        loaded = NeusDataset(str(folder), masks=False).load()
    assert loaded.train.mask is None
    assert loaded.background == "none"
    if broken:
        assert loaded.test.mask is None
        assert "masks: those of the test views are not used" in caplog.text
    else:
        with_masks = NeusDataset(str(folder)).load()
        assert torch.equal(loaded.test.mask, with_masks.test.mask)
        assert torch.equal(loaded.train.rgb, with_masks.train.rgb)
        assert "of test views only" in loaded.conventions["mask"]
