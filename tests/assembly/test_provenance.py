"""What a run's folder says about where its numbers come from."""

import json

import pytest

from nerfloss.assembly.provenance import config_hash, read_provenance, recorded

CONFIG = {
    "seed": 7,
    "device": "cpu",
    "trainer": {"max_steps": 10, "resume": None},
    "loss": {"terms": {"rgb": {"weight": 1.0}, "mask": {"weight": 0.1}}},
    "objectives": {"maximize": ["psnr"]},
}


def changed(**keys):
    return {**CONFIG, **keys}


def test_the_hash_follows_every_setting_that_a_run_depends_on():
    assert config_hash(changed(seed=8)) != config_hash(CONFIG)
    assert config_hash(changed(trainer={"max_steps": 11, "resume": None})) != config_hash(CONFIG)
    assert config_hash(changed(more=None)) != config_hash(CONFIG)


def test_the_hash_leaves_out_where_a_run_goes_on_and_what_a_sweeper_is_told():
    resumed = {"max_steps": 10, "resume": "outputs/a"}
    assert config_hash(changed(trainer=resumed)) == config_hash(CONFIG)
    assert config_hash(changed(objectives={})) == config_hash(CONFIG)


def test_the_hash_knows_the_order_of_terms_and_of_nothing_else():
    backwards = dict(reversed(CONFIG.items()))
    assert config_hash(backwards) == config_hash(CONFIG)
    terms = dict(reversed(CONFIG["loss"]["terms"].items()))
    assert config_hash(changed(loss={"terms": terms})) != config_hash(CONFIG)


def test_a_run_is_recorded_at_its_start_and_completed_at_its_end(tmp_path):
    with recorded(tmp_path, CONFIG, overrides=["seed=7", "a='b c'"]):
        begun = read_provenance(tmp_path)
    ended = read_provenance(tmp_path)
    assert (begun["status"], begun["ended"]) == ("running", None)
    assert (ended["status"], ended["error"]) == ("finished", None)
    assert ended["ended"] >= ended["started"]
    assert ended["command"] == """nerfloss train seed=7 'a='"'"'b c'"'"''"""
    assert ended["config_hash"] == config_hash(CONFIG)
    assert (ended["seed"], ended["resumed"]) == (7, [])
    assert ended["versions"]["torch"]
    assert ended["versions"]["python"].startswith("3.")
    assert ended["host"]["cores"] >= 1
    assert ended["device"]


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ValueError("too small"), "failed", "ValueError: too small"),
        (KeyboardInterrupt(), "stopped", None),
    ],
)
def test_what_ends_a_run_early_is_recorded(tmp_path, error, status, said):
    with pytest.raises(type(error)), recorded(tmp_path, CONFIG, overrides=[]):
        raise error
    record = read_provenance(tmp_path)
    assert (record["status"], record["error"]) == (status, said)
    assert record["ended"]


def test_a_run_that_goes_on_keeps_when_and_how_it_began(tmp_path):
    for overrides in (["seed=7"], ["trainer.resume=here"]):
        with recorded(tmp_path, CONFIG, overrides=overrides) as record:
            record["status"] = "stopped"
    found = read_provenance(tmp_path)
    assert found["command"] == "nerfloss train seed=7"
    assert len(found["resumed"]) == 1


def test_another_run_in_the_same_folder_begins_its_own_record(tmp_path):
    with recorded(tmp_path, CONFIG, overrides=[]):
        pass
    with recorded(tmp_path, changed(seed=8), overrides=[]):
        pass
    assert read_provenance(tmp_path)["resumed"] == []


def test_the_commit_is_that_of_the_working_directory(tmp_path, repository, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with recorded(tmp_path, CONFIG, overrides=[]) as record:
        assert record["git"] is None
    if (repository / ".git").exists():
        monkeypatch.chdir(repository)
        with recorded(tmp_path, CONFIG, overrides=[]) as record:
            assert len(record["git"]["commit"]) == 40
            assert record["git"]["dirty"] in (True, False)


def test_a_damaged_record_is_none(tmp_path):
    assert read_provenance(tmp_path) is None
    (tmp_path / "provenance.json").write_text(json.dumps([1])[:-1])
    assert read_provenance(tmp_path) is None


def test_a_run_of_several_processes_says_how_these_were_begun(tmp_path, monkeypatch):
    several = {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "RANK": "0"}
    for name, value in several.items():
        monkeypatch.setenv(name, value)
    with recorded(tmp_path, CONFIG, overrides=["seed=7"]):
        pass
    command = read_provenance(tmp_path)["command"]
    assert command == "torchrun --nproc_per_node=2 train.py seed=7"
