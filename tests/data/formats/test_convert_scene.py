"""A scene survives its conversion to every layout: names, cameras, poses, points, masks, split."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from transforms_scenes import content, write

from nerfloss.cli.main import main
from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats import nerfstudio
from nerfloss.data.formats.convert_scene import TARGETS, convert_scene
from nerfloss.data.formats.detection import parse_any
from nerfloss.data.formats.parsed_scene import ParsedPoints, ParseSettings
from nerfloss.data.formats.point_files import read_vertices
from nerfloss.data.splits import split_views

SETTINGS = ParseSettings()
OPENCV = Camera("OPENCV", 8, 6, (9.0, 8.0, 4.5, 2.5, 0.1, -0.02, 0.003, 0.004))


@pytest.fixture
def scene(tmp_path):
    """Four views with object masks, points, a split, and coordinates that were moved."""
    parsed = nerfstudio.parse(write(tmp_path / "scene", content()), SETTINGS)
    (tmp_path / "masks").mkdir()
    frames = []
    for index, frame in enumerate(parsed.frames):
        mask = np.zeros((6, 8), np.uint8)
        mask[2:4, 2 : 5 + index % 2] = 255
        Image.fromarray(mask).save(path := tmp_path / "masks" / f"{frame.name}.png")
        frames.append(replace(frame, object_mask=path))
    to_files = np.diag([2.0, 2.0, 2.0, 1.0])[[1, 2, 0, 3]]
    to_files[:3, 3] = 5, 6, 7
    colors = np.tile([[0.2, 0.4, 1.0]], (50, 1))
    points = ParsedPoints(np.random.default_rng(0).uniform(-0.3, 0.3, (50, 3)), colors=colors)
    return replace(parsed, frames=tuple(frames), test=(1, 3), points=points, to_files=to_files)


def original(scene, pose):
    """The pose in the coordinates of the original files, as 4 x 4."""
    matrix = (np.eye(4) if scene.to_files is None else scene.to_files) @ np.vstack(
        [pose, (0, 0, 0, 1)]
    )
    matrix[:3, :3] /= np.cbrt(np.linalg.det(matrix[:3, :3]))
    return matrix


def held_out(read, settings):
    names = [frame.name for frame in read.frames]
    if read.test is not None:
        return {names[index] for index in read.test}
    (rule,) = [word.partition("=")[2] for word in settings if "hold_out" in word]
    return {names[index] for index in split_views(names, rule, read.folder)[1]}


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("target", TARGETS)
def test_a_scene_survives(scene, tmp_path, target, link):
    done = convert_scene(scene, target, tmp_path / "out", link=link)
    read = parse_any(tmp_path / "out", SETTINGS)
    assert read.layout == target
    assert [frame.name for frame in read.frames] == [frame.name for frame in scene.frames]
    assert held_out(read, done.settings) == {scene.frames[1].name, scene.frames[3].name}
    for ours, theirs in zip(scene.frames, read.frames, strict=True):
        np.testing.assert_allclose(theirs.camera.row, ours.camera.row, atol=1e-9)
        np.testing.assert_allclose(
            original(read, theirs.pose), original(scene, ours.pose), atol=1e-9
        )
        assert theirs.image.read_bytes() == ours.image.read_bytes()
        assert theirs.object_mask.read_bytes() == ours.object_mask.read_bytes()
        assert (theirs.image.stat().st_ino == ours.image.stat().st_ino) == link
        assert theirs.image.is_relative_to(tmp_path / "out")


@pytest.mark.parametrize("target", TARGETS)
def test_points_survive(scene, tmp_path, target):
    convert_scene(scene, target, tmp_path / "out")
    wanted = scene.points.positions @ scene.to_files[:3, :3].T + scene.to_files[:3, 3]
    if target == "neus":
        columns = read_vertices(tmp_path / "out" / "points.ply")
        found = np.stack([columns[axis] for axis in "xyz"], -1)
        colors = np.stack([columns[name] for name in ("red", "green", "blue")], -1) / 255
    else:
        read = parse_any(tmp_path / "out", SETTINGS)
        found, colors = read.points.positions, read.points.colors
        if read.to_files is not None:
            found = found @ read.to_files[:3, :3].T + read.to_files[:3, 3]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    np.testing.assert_allclose(colors, scene.points.colors, atol=1e-6)


@pytest.mark.parametrize("target", TARGETS)
def test_normals_and_confidence_of_points_survive(scene, tmp_path, target):
    normals = np.tile([[0.0, 0.6, 0.8]], (50, 1))
    points = replace(scene.points, normals=normals, confidence=np.linspace(0, 1, 50))
    done = convert_scene(replace(scene, points=points), target, tmp_path / "out")
    name = "sparse_pc.ply" if target == "nerfstudio" else "points.ply"
    columns = read_vertices(tmp_path / "out" / name)
    np.testing.assert_allclose(columns["confidence"], points.confidence)
    stored = np.stack([columns[axis] for axis in ("nx", "ny", "nz")], -1)
    turn = np.eye(3) if target == "nerfstudio" else scene.to_files[:3, :3] / 2
    np.testing.assert_allclose(stored, normals @ turn.T, atol=1e-6)
    said = any("normals and confidence of points: they are in points.ply" in n for n in done.notes)
    assert said == (target == "colmap")


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_layout_cannot_hold_is_said(scene, tmp_path, target):
    seen = replace(scene.points, observations=np.array([[0, 1]]), error=np.ones(50))
    np.save(depth := tmp_path / "depth.npy", np.ones((6, 8), np.float32))
    frames = tuple(replace(frame, depth=depth) for frame in scene.frames)
    done = convert_scene(replace(scene, frames=frames, points=seen), target, tmp_path / "out")
    text = "\n".join(done.notes)
    assert ("no maps of depth and normals" in text) == (target != "nerfstudio")
    assert ("which view sees which point, and the points' errors" in text) == (target != "colmap")
    assert ("nerfstudio has no object masks" in text) == (target == "nerfstudio")


@pytest.mark.parametrize("target", TARGETS)
def test_a_stated_region_and_up_stay_by_settings(scene, tmp_path, target):
    region = np.diag([0.5, 0.5, 0.5, 1.0])
    region[:3, 3] = 1, 2, 3
    up = np.array([0.0, 0.6, 0.8])
    done = convert_scene(replace(scene, region=region, up=up), target, tmp_path / "out")
    wanted = {
        "nerfstudio": "dataset.region={center:[1,2,3],radius:0.5}",
        "colmap": "dataset.region={center:[9,12,9],radius:1,up:[0.6,0.8,0]}",
        "neus": "dataset.region={up:[0.6,0.8,0]}",
    }
    assert wanted[target] in done.settings


def test_a_name_with_a_space_makes_a_binary_model_and_it_is_said(scene, tmp_path):
    frames = (replace(scene.frames[0], name="view 0"), *scene.frames[1:])
    done = convert_scene(replace(scene, frames=frames), "colmap", tmp_path / "out")
    assert any("the model is binary" in note for note in done.notes)
    assert parse_any(tmp_path / "out", SETTINGS).frames[-1].name == "view 0"


def test_the_region_of_neus_is_that_of_the_files(scene, tmp_path):
    region = np.diag([0.5, 0.5, 0.5, 1.0])
    convert_scene(replace(scene, region=region), "neus", tmp_path / "out")
    read = parse_any(tmp_path / "out", SETTINGS)
    np.testing.assert_allclose(read.region, scene.to_files @ region)


def test_neus_has_pinholes_of_one_size(scene, tmp_path):
    lensed = tuple(replace(frame, camera=OPENCV) for frame in scene.frames)
    with pytest.raises(DataError, match=r"0 has a lens \(OPENCV\).*undistort them first"):
        convert_scene(replace(scene, frames=lensed), "neus", tmp_path / "out")
    Image.new("RGB", (16, 12)).save(larger := tmp_path / "larger.png")
    frames = (replace(scene.frames[0], image=larger), *scene.frames[1:])
    with pytest.raises(DataError, match=r"16 x 12 and 8 x 6 pixels.*undistort"):
        convert_scene(replace(scene, frames=frames), "neus", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", ["nerfstudio", "colmap"])
def test_lenses_and_names_in_folders_survive(scene, tmp_path, target):
    names = ["a/1 x", "a/2.5", "b/1 x", "b/10"]
    frames = tuple(
        replace(frame, camera=OPENCV, name=name)
        for frame, name in zip(scene.frames, names, strict=True)
    )
    convert_scene(replace(scene, frames=frames), target, tmp_path / "out")
    read = parse_any(tmp_path / "out", SETTINGS)
    assert {frame.name for frame in read.frames} == set(names)
    assert {frame.camera for frame in read.frames} == {OPENCV}


@pytest.mark.parametrize(
    "names", [["a/1", "a/2", "b/1", "b/2"], ["2", "10", "1", "x"], ["v", "v.1", "v.png", "v-1"]]
)
def test_neus_numbers_views_whose_names_have_no_order(scene, tmp_path, names):
    frames = tuple(replace(f, name=name) for f, name in zip(scene.frames, names, strict=True))
    convert_scene(replace(scene, frames=frames), "neus", tmp_path / "out")
    read = parse_any(tmp_path / "out", SETTINGS)
    by_pixels = {frame.image.read_bytes(): original(scene, frame.pose) for frame in frames}
    for frame in read.frames:
        wanted = by_pixels[frame.image.read_bytes()]
        np.testing.assert_allclose(original(read, frame.pose), wanted, atol=1e-9)


def test_ignore_masks_are_written_and_said(scene, tmp_path):
    frames = tuple(replace(f, ignore_mask=f.object_mask, object_mask=None) for f in scene.frames)
    done = convert_scene(replace(scene, frames=frames), "neus", tmp_path / "out")
    assert "dataset.mask_meaning=ignore" in done.settings
    assert (tmp_path / "out" / "mask" / "0.png").is_file()


def test_an_exif_orientation_is_applied_for_neus(scene, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = []
    for frame in scene.frames:
        pixels = np.asarray(Image.open(frame.image))
        path = tmp_path / f"turned_{frame.name}.png"
        Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(path, exif=exif)
        frames.append(replace(frame, image=path))
    convert_scene(replace(scene, frames=tuple(frames)), "neus", tmp_path / "out")
    read = parse_any(tmp_path / "out", SETTINGS)
    for ours, theirs in zip(scene.frames, read.frames, strict=True):
        assert (np.asarray(Image.open(theirs.image)) == np.asarray(Image.open(ours.image))).all()


def test_other_files_are_not_overwritten(scene, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(DataError, match="not empty"):
        convert_scene(scene, "neus", tmp_path / "out")
    with pytest.raises(ValueError, match="nerfstudio, colmap, neus, not to 'llff'"):
        convert_scene(scene, "llff", tmp_path / "new")


def test_the_command_ends_with_the_line_that_trains(tmp_path, capsys):
    write(tmp_path / "scene", content())
    words = ["convert", str(tmp_path / "scene"), "--to", "neus", "-o", str(tmp_path / "out")]
    assert main(words) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("nerfloss train ")
    assert str(tmp_path / "out") in last
    assert main(words) == 2
    assert "not empty" in capsys.readouterr().err
