"""The configuration of a run that has begun: what can be changed, and what is refused."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from small_runs import composed

from nerfloss.assembly.saved_config import saved_config, settings_of_evaluation


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / ".hydra").mkdir()
    cfg = composed("dataset=blender", "dataset.path=/old", dataset="blender")
    OmegaConf.save(cfg, tmp_path / ".hydra" / "config.yaml")
    return tmp_path


def test_settings_inside_of_parts_can_be_changed(run: Path) -> None:
    words = ["+dataset.path=/new/place", "eval.chunk=7", "+eval.metrics.mine={_target_: my.f}"]
    cfg = saved_config(run, words)
    assert cfg.dataset.path == "/new/place"
    assert cfg.eval.chunk == 7
    assert cfg.eval.metrics.mine._target_ == "my.f"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model=nerf", r"cannot be replaced.*model\.field=\.\.\..*nerfloss train model=nerf"),
        ("loss/balancer=gradnorm", r"cannot be replaced.*nerfloss train loss/balancer=gradnorm"),
        ("~loss.terms.rgb", "cannot be replaced"),
        ("dataset.pth=/new", r"no setting 'dataset\.pth'; did you mean dataset\.path"),
        ("output=/new", "has no setting 'output'"),
        ("datset=blender", "no setting 'datset'; did you mean dataset"),
        ("datset.path=/new", r"no setting 'datset\.path'; did you mean dataset\.path"),
        ("trainer.pace.rays=8", r"trainer\.pace\.rays was renamed to trainer\.batch_size\.rays"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_a_remedy(
    run: Path, word: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        saved_config(run, [word])


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no run: it has no \.hydra/config\.yaml"):
        saved_config(tmp_path, [])


@pytest.mark.parametrize("word", ["+loss.terms.rgb.weight=2", "+trainer.max_steps=3", "+seed=1"])
def test_an_evaluation_changes_no_setting_of_training(word: str) -> None:
    with pytest.raises(ValueError, match=r"affects training only.*nerfloss train"):
        settings_of_evaluation([word])


def test_an_evaluation_changes_data_and_rendering() -> None:
    words = ["run=x", "device=cpu", "+dataset.path=/new", "eval.split=train", "+sampler.samples=9"]
    changed = ["dataset.path=/new", "eval.split=train", "sampler.samples=9"]
    assert settings_of_evaluation(words) == changed
