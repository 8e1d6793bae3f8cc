"""Estimated maps: written beside a scene by a function of one image, and read without a scale."""

import sys
import types

import numpy as np
import pytest
import torch
from small_scenes import small_scene, write_blender

from nerfloss import load_recipe
from nerfloss.cli.main import main
from nerfloss.data.errors import DataError
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.priors.estimator import load_estimator, maps_of
from nerfloss.data.priors.prior_files import prior_file
from nerfloss.data.priors.write_priors import write_priors
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe import RecipeError

VIEWS = 5
# What a run with an SDF has beside its data.
OBSERVED = {name for name in VOCABULARY if name.startswith(("target_", "patch_"))}
OF_AN_SDF = frozenset(VOCABULARY) - OBSERVED | {
    "target_relative_depth_known",
    "target_normal_known",
}


def brightness(image):
    """Stand in for a network: a map of the image's size that is no constant."""
    return image.astype(np.float32).mean(-1) * 3 - 50


def depth_and_normal(image):
    normal = np.zeros((*image.shape[:2], 3), np.float32)
    normal[..., 2] = -1
    return {"depth": brightness(image), "normal": normal}


@pytest.fixture
def folder(tmp_path):
    scene = small_scene("sphere", views=VIEWS - 1, test_views=1, size=16)
    return write_blender(tmp_path / "scene", scene)


def dataset(folder, **settings):
    return FolderDataset(path=str(folder), **settings)


def run(folder, model=brightness, kinds=("depth",), name="mine:model", **more):
    return write_priors(dataset(folder).parsed, model, kinds, name=name, **more)


def test_relative_depth_is_a_quantity_of_its_own_and_no_metric_depth(folder):
    before = dataset(folder).offers
    assert run(folder).written == VIEWS
    read = dataset(folder)
    assert read.offers - before == {"target_relative_depth"}
    assert any("known up to a scale and a shift" in note for note in read.parsed.notes)
    views = read.load().train
    assert views.depth is None
    expected = brightness(views.rgb[0].numpy())
    assert np.corrcoef(views.relative_depth[0].flatten(), expected.flatten())[0, 1] > 0.99
    assert views.relative_depth.min() > 0
    assert dataset(folder, priors=False).offers == before


def test_terms_on_metric_depth_are_refused_and_those_without_a_scale_are_not(folder):
    run(folder, depth_and_normal, ("depth", "normal"))
    offers = dataset(folder).offers | OF_AN_SDF
    load_recipe("monosdf").check(offers)
    with pytest.raises(RecipeError, match="depth: needs 'target_depth', which only datasets with"):
        load_recipe("neus", ["+term@terms.depth=depth_l1"]).check(offers)


def test_disparity_and_normals_are_read_as_such(folder):
    run(folder, lambda image: brightness(image)[None, ..., None], ("disparity",), "a:b")
    run(folder, depth_and_normal, ("depth", "normal"), "c:d")
    scene = dataset(folder).load()
    offered = {"target_disparity", "target_relative_depth", "target_normal"}
    assert offered <= dataset(folder).offers
    assert offered <= scene.train.offers
    # Camera axes: towards the camera is minus z.
    forward = scene.train.cameras.poses[0, :, 2]
    assert torch.allclose(scene.train.normal[0, 0, 0], -forward, atol=1e-5)
    assert scene.test.normal is None, "estimates are no truth to score against"


def test_an_interrupted_call_goes_on_where_it_was(folder):
    calls = []

    def fails_once(image):
        calls.append(len(calls))
        if calls[-1] == 2:
            raise KeyboardInterrupt
        return brightness(image)

    with pytest.raises(KeyboardInterrupt):
        run(folder, fails_once)
    assert not list(folder.rglob("*.unfinished"))
    told = []
    done = run(folder, fails_once, progress=lambda *numbers: told.append(numbers))
    assert (done.written, done.there) == (VIEWS - 2, 2)
    assert told == [(i, VIEWS) for i in range(VIEWS + 1)]
    assert len(calls) == VIEWS + 1
    assert run(folder, lambda _: 1 / 0).there == VIEWS


def test_maps_of_another_model_are_not_mixed(folder):
    run(folder)
    with pytest.raises(DataError, match="of --model mine:model, not other:model"):
        run(folder, name="other:model")


def test_views_without_an_estimate_are_unknown(folder):
    run(folder)
    names = [frame.name for frame in dataset(folder).parsed.frames]
    prior_file(folder, "depth", names[0]).unlink()
    read = dataset(folder)
    assert any(f"{VIEWS - 1} of {VIEWS} views" in note for note in read.parsed.notes)
    views = read.load().train
    assert (views.relative_depth[views.names.index(names[0])] == 0).all()


@pytest.mark.parametrize(
    ("model", "kinds", "message"),
    [
        (lambda image: np.ones(image.shape[:2]), ("depth",), "same everywhere"),
        (lambda image: np.full(image.shape[:2], np.nan), ("depth",), "same everywhere"),
        (lambda image: image, ("depth",), r"shape \(16, 16, 3\)"),
        (lambda _: np.eye(16, 8), ("depth",), "8 x 16 pixels, the image 16 x 16"),
        (lambda image: image.astype(float), ("normal",), "no unit vectors"),
        (lambda image: np.full(image.shape[:2], "x"), ("depth",), "type <U1"),
    ],
)
def test_a_map_that_cannot_be_one_is_refused_with_its_image(folder, model, kinds, message):
    with pytest.raises(DataError, match=rf"\.png: .*{message}"):
        run(folder, model, kinds)
    assert not list(folder.rglob("*.npy"))


def test_results_must_have_the_kinds_that_were_asked_for():
    with pytest.raises(ValueError, match="one array for the kinds depth, normal"):
        maps_of(np.ones((2, 2)), ("depth", "normal"))
    with pytest.raises(ValueError, match="returned disparity, and no depth"):
        maps_of({"disparity": 1}, ("depth",))
    assert maps_of({"depth": torch.ones(2, 2, requires_grad=True)}, ("depth",))["depth"].sum() == 4


def test_the_command_estimates_and_names_the_terms(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "mynetwork.py").write_text("def estimate(image):\n    return image.mean(-1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    words = ["priors", str(folder), "--model", "mynetwork:estimate", "--kind", "disparity"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert f"estimated {VIEWS} views, 0 were there" in printed
    assert "+loss/term@loss.terms.disparity=disparity" in printed
    assert main(words) == 0
    assert f"estimated 0 views, {VIEWS} were there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("estimate", "names no function: write module:function"),
        ("no_such_module:f", "no module is called no_such_module"),
        ("json:no_such", "json has no function no_such"),
        ("json:JSONDecoder", "is a class"),
        ("transformers:", "names no function"),
    ],
)
def test_a_wrong_model_is_a_message_and_no_traceback(folder, capsys, name, message):
    assert main(["priors", str(folder), "--model", name, "--kind", "depth"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_without_transformers_the_extra_is_named(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert main(["priors", str(folder), "--model", "transformers:x", "--kind", "depth"]) == 2
    assert "pip install 'nerfloss[priors]'" in capsys.readouterr().err


def test_what_a_network_returns_is_interpolated_to_the_image(monkeypatch):
    def pipeline(task, model, device):
        assert (task, model) == ("depth-estimation", "some/network")
        if device not in (0, -1):
            raise OSError
        return lambda _: {"predicted_depth": torch.arange(6.0).reshape(1, 2, 3)}

    stand_in = types.SimpleNamespace(pipeline=pipeline, __spec__=types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "transformers", stand_in)
    found = load_estimator("transformers:some/network")(np.zeros((8, 12, 3), np.uint8))
    assert found.shape == (8, 12)
    assert (found.min(), found.max()) == (0, 5)


def test_a_checkpoint_that_cannot_be_loaded_is_said(folder, monkeypatch, capsys):
    def pipeline(_, model, **__):
        raise OSError(f"{model} is not a local folder")

    stand_in = types.SimpleNamespace(pipeline=pipeline, __spec__=types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "transformers", stand_in)
    assert main(["priors", str(folder), "--model", "transformers:x/y", "--kind", "depth"]) == 2
    assert "transformers cannot load x/y" in capsys.readouterr().err
