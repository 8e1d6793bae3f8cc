"""The confidence of depth maps: from files beside them to a target of loss terms."""

import numpy as np
import pytest
import torch
from PIL import Image
from transforms_scenes import content, write

from nerfloss.data.formats.convert_scene import convert_scene
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.inspection.inspect_scene import inspect_scene
from nerfloss.data.pixel_samplers.uniform import UniformPixelSampler
from nerfloss.losses.photometric import l1
from nerfloss.recipe.term import Term

LEVELS = np.tile(np.array([0, 1, 2, 2], np.uint8), (6, 2))  # ARKit's
DEPTH = np.tile(np.array([500, 500, 0, 700], np.uint16), (6, 2))
EXPECTED = np.tile(np.array([0, 0.5, 0, 1], np.float32), (6, 2))  # 0 where the depth is unknown


@pytest.fixture
def folder(tmp_path):
    """Four views with depth maps, three with a confidence."""
    data = content()
    root = write(tmp_path / "scene", data)
    for name in ("depth", "confidence"):
        (root / name).mkdir()
    for index, frame in enumerate(data["frames"]):
        frame["depth_file_path"] = f"depth/{index}.png"
        Image.fromarray(DEPTH).save(root / "depth" / f"{index}.png")
        if index != 2:
            Image.fromarray(LEVELS).save(root / "confidence" / f"{index}.png")
    write(root, data)
    return root


def test_it_reaches_views_and_batches(folder, caplog) -> None:
    caplog.set_level("INFO")
    made = FolderDataset(str(folder), scene_radius=2.0)
    assert "target_depth_confidence" in made.offers
    scene = made.load()
    assert made.offers <= scene.train.offers
    without = [frame.name for frame in made.parsed.frames if frame.depth_confidence is None]
    assert len(without) == 1
    for views in (scene.train, scene.test):
        assert views.depth_confidence is not None
        for index, name in enumerate(views.names):
            expected = (DEPTH > 0).astype(np.float32) if name in without else EXPECTED
            np.testing.assert_array_equal(views.depth_confidence[index], expected)
    assert "depth without a confidence, which others have: taken as 1 (1 of 4 views)" in caplog.text
    batch = UniformPixelSampler(scene.train).draw(0, 100)
    confidence, depth = batch.targets["target_depth_confidence"], batch.targets["target_depth"]
    assert ((confidence > 0) <= (depth > 0)).all()
    assert {0.0, 0.5, 1.0} == set(confidence.tolist())


def test_it_weighs_a_term(folder) -> None:
    scene = FolderDataset(str(folder), scene_radius=2.0).load()
    batch = UniformPixelSampler(scene.train).draw(0, 100)
    depth = torch.ones(100)
    inputs = {"prediction": "depth", "target": "target_depth"}
    term = Term(l1, inputs=inputs, where="target_depth_confidence")
    weight, target = batch.targets["target_depth_confidence"], batch.targets["target_depth"]
    expected = (weight * (depth - target).abs()).sum() / weight.sum()
    torch.testing.assert_close(term({"depth": depth, **batch.targets}), expected)


def test_without_one_it_is_not_offered(folder) -> None:
    for path in (folder / "confidence").iterdir():
        path.unlink()
    made = FolderDataset(str(folder), scene_radius=2.0)
    assert "target_depth" in made.offers
    assert "target_depth_confidence" not in made.offers
    assert made.load().train.depth_confidence is None


def test_inspect_says_so_and_convert_keeps_it(folder, tmp_path) -> None:
    made = FolderDataset(str(folder), scene_radius=2.0)
    rows = {row.name: row.value for row in inspect_scene(made.parsed, matches=False).rows}
    assert "with a confidence in 3 of 4 maps" in rows["depth maps"]
    convert_scene(made.parsed, "nerfstudio", tmp_path / "out")
    read = FolderDataset(str(tmp_path / "out"), scene_radius=2.0).load()
    scene = made.load()
    kept, given = read.train.depth_confidence, scene.train.depth_confidence
    assert kept is not None
    assert given is not None
    assert torch.equal(kept, given)
