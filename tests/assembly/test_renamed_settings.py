"""Old names of settings, groups, choices and parts are refused with their present names."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from small_runs import composed

from nerfloss.assembly.config_groups import config_groups
from nerfloss.assembly.renamed_settings import (
    RENAMED_CHOICES,
    RENAMED_SETTINGS,
    dotted_keys,
    refuse_renamed,
    refuse_renamed_keys,
    renamed_key,
)
from nerfloss.assembly.saved_config import saved_config


def test_no_present_name_is_an_old_one() -> None:
    groups = config_groups()
    for old, new in RENAMED_SETTINGS.items():
        assert renamed_key(new) is None, f"{old} leads to {new}, which was renamed as well"
        assert old not in groups
    for (group, choice), new in RENAMED_CHOICES.items():
        assert choice not in groups.get(group, [])
        name, _, present = new.partition("=")
        assert present in groups[name]


def test_the_shipped_configuration_has_no_old_name() -> None:
    for model in ("neus", "nerf", "volsdf"):
        refuse_renamed_keys(composed(f"model={model}", model=model), "conf")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("trainer.pace.rays=8", "trainer.batch_size.rays=8"),
        ("++trainer.pace.rays=8", "renamed to trainer.batch_size.rays"),
        ("start=scout", "start=scout was renamed to initialization=density_warmup"),
        ("start=auto", "start was renamed to initialization"),
        ("~start.scout", "start.scout was renamed to initialization.warmup"),
        ("dataset.residence=disk", "renamed to dataset.image_storage"),
    ],
)
def test_an_override_by_an_old_name_is_refused_with_the_present_one(
    word: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        refuse_renamed(["seed=1", word])


def test_overrides_by_present_names_pass() -> None:
    refuse_renamed(["seed=1", "model=neus", "trainer.batch_size.rays=8", "+a.b={start: 1}", "-m"])


def test_an_old_run_is_refused_with_every_renamed_setting_and_part(tmp_path: Path) -> None:
    cfg = OmegaConf.to_container(composed(), resolve=False)
    assert isinstance(cfg, dict)
    cfg["start"] = {"_target_": "nerfloss.scouting.scout.Scout"}
    cfg["trainer"]["pace"] = {"rays": 8}
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(cfg, tmp_path / ".hydra" / "config.yaml")
    with pytest.raises(ValueError, match="earlier version") as caught:
        saved_config(tmp_path, [])
    for line in (
        "start was renamed to initialization",
        "trainer.pace was renamed to trainer.batch_size",
        "nerfloss.scouting.scout.Scout: there is no such module now",
    ):
        assert line in str(caught.value)


def test_interpolations_are_not_resolved_to_list_the_keys() -> None:
    cfg = OmegaConf.create({"a": {"b": "${nothing}", "c": "???"}})
    assert dotted_keys(cfg) == ["a", "a.b", "a.c"]
