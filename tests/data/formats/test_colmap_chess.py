"""A published COLMAP scene with downscaled photographs: the points are where the images see them.

Its images are a quarter of the size that the model states, rounded: some differ by a pixel.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from nerfloss.data.formats import colmap
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.formats.parsed_scene import ParsedScene, ParseSettings
from nerfloss.data.scene import Scene


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    place = request.getfixturevalue("test_data") / "colmap_chess_s4"
    if not place.is_dir():
        pytest.skip("no colmap_chess_s4 in the test data")
    return place


@pytest.fixture(scope="module")
def parsed(folder: Path) -> ParsedScene:
    return colmap.parse(folder, ParseSettings())


@pytest.fixture(scope="module")
def scene(folder: Path) -> Scene:
    return FolderDataset(str(folder)).load()


def test_every_view_is_read(scene: Scene, parsed: ParsedScene) -> None:
    assert len(parsed.frames) == 23
    assert len(scene.train) + (0 if scene.test is None else len(scene.test)) == 23
    stated = {frame.name: frame.camera for frame in parsed.frames}
    sizes = {scene.train.cameras.size(view) for view in range(len(scene.train))}
    assert len(sizes) > 1
    for view, name in enumerate(scene.train.names):
        across, down = scene.train.cameras.size(view)
        assert abs(across - stated[name].width / 4) < 1
        assert abs(down - stated[name].height / 4) < 1
    assert any("images_4" in note for note in parsed.notes)


def test_points_are_where_the_images_see_them(scene: Scene, parsed: ParsedScene) -> None:
    points, cameras = parsed.points, scene.train.cameras
    assert points is not None
    assert points.observations is not None
    assert points.pixels is not None
    inside = (points.positions - scene.to_world[:3, 3]) @ np.linalg.inv(scene.to_world[:3, :3]).T
    errors = []
    for view, name in enumerate(scene.train.names):
        index = next(i for i, frame in enumerate(parsed.frames) if frame.name == name)
        frame, rows = parsed.frames[index], points.observations[:, 0] == index
        seen = torch.from_numpy(inside[points.observations[rows, 1]]).float()
        pixel, depth = cameras.project(seen, view)
        assert (depth > 0).all()
        ratio = np.array(cameras.size(view)) / (frame.camera.width, frame.camera.height)
        errors.append(np.linalg.norm(pixel.numpy() - points.pixels[rows] * ratio, axis=-1))
    assert len(np.concatenate(errors)) > 1000
    # Half a pixel of wrong convention would be 0.5 or more.
    assert np.concatenate(errors).mean() < 0.1
    assert np.concatenate(errors).max() < 0.5
