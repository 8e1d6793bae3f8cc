"""A written COLMAP model is what our reader and COLMAP's own read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_transforms_writer import LENSES
from transforms_scenes import content, write

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats import colmap, nerfstudio
from nerfloss.data.formats.colmap_writer import write_model
from nerfloss.data.formats.parsed_scene import ParsedPoints, ParsedScene, ParseSettings
from nerfloss.kernels.lens import direction_to_pixel

SETTINGS = ParseSettings()


@pytest.fixture
def scene(tmp_path: Path) -> ParsedScene:
    """Four views that see five points: all in views 0 and 1, some with a mask of another ending."""
    parsed = nerfstudio.parse(write(tmp_path / "scene", content()), SETTINGS)
    rng = np.random.default_rng(0)
    observations = np.array([[view, point] for view in (0, 1, 3) for point in range(view, 5)])
    points = ParsedPoints(
        rng.uniform(-0.3, 0.3, (5, 3)),
        colors=rng.integers(0, 256, (5, 3)) / 255.0,
        error=rng.uniform(0, 2, 5),
        observations=observations,
        pixels=rng.uniform(0, 6, (len(observations), 2)),
    )
    return replace(parsed, points=points)


def with_cameras(scene: ParsedScene, *cameras: Camera) -> ParsedScene:
    pairs = zip(scene.frames, (cameras * len(scene.frames))[: len(scene.frames)], strict=True)
    return replace(scene, frames=tuple(replace(frame, camera=camera) for frame, camera in pairs))


def camera_of(model: str) -> Camera:
    return Camera(model, 8, 6, tuple(float(value) for value in LENSES.get(model, ())))


def sighted(points: ParsedPoints) -> set[tuple[float, ...]]:
    """The observations, by the position of the point: its number may differ."""
    assert points.observations is not None
    assert points.pixels is not None
    rows = zip(points.observations, points.pixels, strict=True)
    return {(view, *points.positions[point], *pixel) for (view, point), pixel in rows}


def test_everything_survives(scene: ParsedScene, tmp_path: Path) -> None:
    assert write_model(scene, tmp_path / "out") == {str(i): str(i) for i in range(4)}
    read = colmap.parse(tmp_path / "out", SETTINGS)
    for ours, theirs in zip(scene.frames, read.frames, strict=True):
        assert theirs.name == ours.name
        assert theirs.camera == ours.camera
        np.testing.assert_allclose(theirs.pose, ours.pose, atol=1e-14)
        assert theirs.image.read_bytes() == ours.image.read_bytes()
    assert read.points is not None
    assert scene.points is not None
    np.testing.assert_array_equal(read.points.positions, scene.points.positions)
    np.testing.assert_array_equal(read.points.colors, scene.points.colors)
    np.testing.assert_array_equal(read.points.error, scene.points.error)
    assert sighted(read.points) == sighted(scene.points)
    cameras = (tmp_path / "out" / "sparse" / "0" / "cameras.txt").read_text()
    assert len(cameras.splitlines()) == 2, "a comment, and one camera for all"


@pytest.mark.parametrize("model", [*LENSES, "EQUIRECTANGULAR"])
def test_colmap_reads_and_writes_the_same(scene: ParsedScene, tmp_path: Path, model: str) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    scene = with_cameras(scene, camera_of(model), camera_of("PINHOLE"))
    write_model(scene, tmp_path / "out")
    folder = tmp_path / "out" / "sparse" / "0"
    theirs = pycolmap.Reconstruction(str(folder))
    assert len(theirs.cameras) == (1 if model == "PINHOLE" else 2)
    for index, frame in enumerate(scene.frames):
        image = theirs.image(index + 1)
        assert image.name == frame.image.name
        pose = image.cam_from_world().inverse().matrix()
        np.testing.assert_allclose(pose, frame.pose, atol=1e-14)
        local = np.array([0.1, -0.2, 1.3])
        lens = torch.tensor([frame.camera.row], dtype=torch.float64)
        pixel = direction_to_pixel(torch.from_numpy(local)[None], lens)[0][0].numpy()
        np.testing.assert_allclose(image.camera.img_from_cam(local), pixel, atol=1e-9)
    theirs.write_binary(str(folder))
    for path in folder.glob("*.txt"):
        path.unlink()
    read = colmap.parse(tmp_path / "out", SETTINGS)
    assert [frame.camera for frame in read.frames] == [frame.camera for frame in scene.frames]
    assert read.points is not None
    assert scene.points is not None
    assert sighted(read.points) == sighted(scene.points)


def test_observations_without_pixels_are_projected(scene: ParsedScene, tmp_path: Path) -> None:
    assert scene.points is not None
    points = ParsedPoints(scene.points.positions, observations=scene.points.observations)
    write_model(replace(scene, points=points), tmp_path / "out")
    read = colmap.parse(tmp_path / "out", SETTINGS).points
    assert read is not None
    assert read.observations is not None
    assert read.pixels is not None
    for (view, point), pixel in zip(read.observations, read.pixels, strict=True):
        frame = scene.frames[view]
        x, y, z = (read.positions[point] - frame.pose[:, 3]) @ frame.pose[:, :3]
        camera = frame.camera
        expected = [camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy]
        np.testing.assert_allclose(pixel, expected, atol=1e-9)


def test_views_of_two_splits_with_one_name_get_folders(scene: ParsedScene, tmp_path: Path) -> None:
    frames = tuple(replace(frame, name=f"r_{i % 2}") for i, frame in enumerate(scene.frames))
    names = write_model(replace(scene, frames=frames, test=(2, 3)), tmp_path / "out")
    read = colmap.parse(tmp_path / "out", SETTINGS)
    assert {frame.name for frame in read.frames} == {
        "train/r_0",
        "train/r_1",
        "test/r_0",
        "test/r_1",
    }
    assert names == {"r_0": "test/r_0", "r_1": "test/r_1"}


def test_names_that_an_ending_makes_equal_stay_two(scene: ParsedScene, tmp_path: Path) -> None:
    names = ["v", "v.png", "v.1", "a b/v"]
    frames = tuple(replace(f, name=name) for f, name in zip(scene.frames, names, strict=True))
    write_model(replace(scene, frames=frames), tmp_path / "out")
    read = colmap.parse(tmp_path / "out", SETTINGS)
    pixels = {frame.image.read_bytes(): frame.pose for frame in scene.frames}
    assert len(read.frames) == 4
    for frame in read.frames:
        np.testing.assert_allclose(frame.pose, pixels[frame.image.read_bytes()], atol=1e-14)


def test_a_name_with_a_space_is_whole_for_colmap_as_well(
    scene: ParsedScene, tmp_path: Path
) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    frames = (replace(scene.frames[0], name="a b/v 1"), *scene.frames[1:])
    write_model(replace(scene, frames=frames), tmp_path / "out")
    theirs = pycolmap.Reconstruction(str(tmp_path / "out" / "sparse" / "0"))
    ending = scene.frames[0].image.suffix
    assert theirs.image(1).name == f"a b/v 1{ending}"
    read = colmap.parse(tmp_path / "out", SETTINGS)
    assert {frame.name for frame in read.frames} == {"a b/v 1", "1", "2", "3"}
    assert read.points is not None
    assert scene.points is not None
    np.testing.assert_array_equal(read.points.positions, scene.points.positions)
    np.testing.assert_array_equal(read.points.error, scene.points.error)
    written = theirs.points3D
    assert {len(written[i].track.elements) for i in written} == {1, 2, 3}


def test_a_text_model_with_spaces_in_names_is_read(scene: ParsedScene, tmp_path: Path) -> None:
    write_model(scene, tmp_path / "out")
    listed = tmp_path / "out" / "sparse" / "0" / "images.txt"
    ending = scene.frames[0].image.suffix
    listed.write_text(listed.read_text().replace(f" 0{ending}\n", f" first view{ending}\n"))
    images = tmp_path / "out" / "images"
    (images / f"0{ending}").rename(images / f"first view{ending}")
    read = colmap.parse(tmp_path / "out", SETTINGS)
    assert {frame.name for frame in read.frames} == {"first view", "1", "2", "3"}


def test_names_with_line_breaks_are_refused(scene: ParsedScene, tmp_path: Path) -> None:
    frames = (replace(scene.frames[0], name="a\nb"), *scene.frames[1:])
    with pytest.raises(DataError, match="control characters"):
        write_model(replace(scene, frames=frames), tmp_path / "out")


def test_a_sphere_of_another_size_is_refused(scene: ParsedScene, tmp_path: Path) -> None:
    write_model(with_cameras(scene, camera_of("EQUIRECTANGULAR")), tmp_path / "out")
    cameras = tmp_path / "out" / "sparse" / "0" / "cameras.txt"
    cameras.write_text("1 EQUIRECTANGULAR 8 6 16 6\n")
    with pytest.raises(DataError, match="not its width and height"):
        colmap.parse(tmp_path / "out", SETTINGS)
