"""``nerfloss weights`` names what is needed and where it is, and fetches what is missing."""

import pytest
import torch

from nerfloss.losses.pretrained import weight_files
from nerfloss.losses.pretrained.inventory import USERS


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    monkeypatch.setattr(weight_files, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(weight_files, "package_folder", lambda _: None)
    monkeypatch.delenv("NERFLOSS_WEIGHTS", raising=False)
    return tmp_path


@pytest.mark.usefixtures("nowhere")
def test_every_network_is_listed_with_its_users_and_address(command):
    status, out, _ = command("weights")
    assert status == 0
    assert all(name in out for name in USERS)
    assert "metric lpips_alex" in out
    assert "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth" in out
    assert "missing" in out


@pytest.mark.usefixtures("nowhere")
def test_missing_weights_fail_the_check_and_cannot_be_fetched_offline(command):
    assert command("weights", "check")[0] == 1
    status, _, err = command("weights", "fetch")
    assert status == 2
    assert "NERFLOSS_OFFLINE is set" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("nowhere")
def test_weights_in_a_folder_are_verified(command, monkeypatch, test_data):
    monkeypatch.setenv("NERFLOSS_WEIGHTS", str(test_data / "weights"))
    status, out, _ = command("weights", "check", "alex")
    assert status == 0
    assert out.count("verified") == 2
    assert command("weights", "fetch")[1].count("(was there)") == 2


def test_damaged_weights_are_named(command, nowhere):
    (nowhere / "cache").mkdir()
    file = nowhere / "cache" / "lpips_alex.pth"
    torch.save({"lin0.model.1.weight": torch.ones(1, 64, 1, 1)}, file)
    status, out, _ = command("weights", "check")
    assert status == 1
    assert "damaged" in out
    assert f"{file} does not hold the published weights" in " ".join(out.split())


@pytest.mark.usefixtures("nowhere")
def test_an_unknown_name_is_refused(command):
    status, _, err = command("weights", "fetch", "resnet")
    assert status == 2
    assert "no weights are called 'resnet': there are alex, vgg16, squeeze, vgg19" in err
