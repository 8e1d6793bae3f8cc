"""A run that is resumed with other settings says which, and what it was is recorded."""

import json
from pathlib import Path

import pytest
from small_runs import tiny

from nerfloss.assembly.run import Run

FAST = ("eval.mesh=null", "eval.geometry={}", "eval.images=false", "hydra.run.dir=run")
WEIGHT = "loss.terms.eikonal.weight"


@pytest.fixture
def resume(command, tmp_path):
    """Train a tiny run for three steps; a function that resumes it: status, log or error."""
    status, _, said = command("train", *tiny(), *FAST, "trainer.max_steps=3", f"{WEIGHT}=0.1")
    assert status == 0, said

    def resumed(*words: str) -> tuple[int, str]:
        logged = len(log_of(tmp_path))
        status, _, said = command("train", "trainer.resume=run", *words)
        return status, log_of(tmp_path)[logged:] if status == 0 else said

    return resumed


def log_of(folder: Path) -> str:
    return (folder / "run" / "train.log").read_text()


def provenance(folder: Path) -> dict:
    return json.loads((folder / "run" / "provenance.json").read_text())


def test_changed_settings_are_said_and_recorded_each_time(command, resume, tmp_path):
    began = provenance(tmp_path)
    status, log = resume(f"{WEIGHT}=0.3", "trainer.max_steps=5", "dataset.views=5")
    assert status == 0
    assert "WARNING" in log
    assert "from step 3 on" in log
    assert f"{WEIGHT} from 0.1 to 0.3" in log
    first = {
        WEIGHT: [0.1, 0.3],
        "trainer.max_steps": [3, 5],
        "dataset.views": [began_views(tmp_path), 5],
    }
    now = provenance(tmp_path)
    assert now["changed"] == [{"step": 3, "settings": first}]
    assert (now["started"], now["command"]) == (began["started"], began["command"])
    assert len(now["resumed"]) == 1

    # Without them the run goes back to the settings that it began with.
    status, log = resume("trainer.max_steps=6", "dataset.views=5")
    assert status == 0
    assert f"{WEIGHT} from 0.3 to 0.1" in log
    assert "dataset.views" not in log
    second = {WEIGHT: [0.3, 0.1], "trainer.max_steps": [5, 6]}
    now = provenance(tmp_path)
    assert now["changed"] == [
        {"step": 3, "settings": first},
        {"step": 5, "settings": second},
    ]
    assert len(now["resumed"]) == 2

    status, told, _ = command("report", "run")
    assert status == 0
    assert "1 of 1 runs were resumed with other settings" in " ".join(told.split())


def began_views(folder: Path) -> int:
    from omegaconf import OmegaConf

    return OmegaConf.load(folder / "run" / ".hydra" / "config.yaml").dataset.views


def test_a_longer_run_is_no_warning_and_the_same_settings_are_nothing(resume, tmp_path):
    status, log = resume("trainer.max_steps=4")
    assert status == 0
    assert "WARNING" not in log
    assert "trainer.max_steps from 3 to 4" in log
    status, log = resume("trainer.max_steps=4", "viewer=off")
    assert "other settings" not in log
    assert len(provenance(tmp_path)["changed"]) == 1


def test_a_damaged_record_is_no_obstacle(resume, tmp_path):
    file = tmp_path / "run" / "provenance.json"
    broken = [3, {}, {"settings": 1}, {"settings": {WEIGHT: 1}}]
    for changed in (broken, "all"):
        file.write_text(json.dumps({**provenance(tmp_path), "changed": changed}))
        status, log = resume(f"{WEIGHT}=0.3")
        assert status == 0
        assert f"{WEIGHT} from 0.1 to 0.3" in log


def test_what_is_typed_in_place_of_the_environment_is_all_that_is_read(resume, tmp_path):
    file = tmp_path / "run" / ".hydra" / "config.yaml"
    stored = file.read_text()
    assert stored.startswith("seed: 0\n")
    file.write_text(stored.replace("seed: 0", "seed: ${oc.env:NERFLOSS_NOT_SET}", 1))
    status, log = resume("seed=0", "trainer.max_steps=4")
    assert status == 0, log
    assert "seed from ${oc.env:NERFLOSS_NOT_SET} to 0" in log


def test_changes_are_recorded_before_the_first_step(resume, tmp_path, monkeypatch):
    def killed(_: Run) -> bool:
        raise SystemExit(9)

    monkeypatch.setattr(Run, "train", killed)
    monkeypatch.setattr("nerfloss.assembly.provenance._write_end", lambda *_: None)
    status, _ = resume("trainer.max_steps=4")
    assert status == 9
    assert provenance(tmp_path)["changed"][0]["settings"] == {"trainer.max_steps": [3, 4]}


@pytest.mark.parametrize("change", ["device=nowhere", f"{WEIGHT}=-1", "dataset.views=0"])
def test_a_refused_resumption_leaves_what_was_recorded(resume, tmp_path, change):
    before = provenance(tmp_path)
    status, said = resume(change, "trainer.max_steps=5")
    assert status == 2, said
    assert provenance(tmp_path) == before


def test_settings_that_a_run_of_an_earlier_version_lacks_can_be_set(resume, tmp_path):
    from omegaconf import OmegaConf

    path = tmp_path / "run" / ".hydra" / "config.yaml"
    old = OmegaConf.load(path)
    del old.kernels["torch_threads"], old.model.renderer["direction_noise"]
    OmegaConf.save(old, path)
    new = ["kernels.torch_threads=2", "model.renderer.direction_noise=0.1"]
    status, log = resume(*new, "trainer.max_steps=4")
    assert status == 0, log
    assert "model.renderer.direction_noise" in log
    status, said = resume("kernels.threads=2", "trainer.max_steps=5")
    assert status == 2
    assert "'kernels.threads'; did you mean kernels.torch_threads" in said


def test_a_run_that_is_at_its_end_says_so(resume):
    status, log = resume()
    assert status == 0
    assert "no training step was made: the run has had 3 of 3 steps; raise trainer.max_steps" in log


@pytest.mark.parametrize(
    "change", ["model.field.network.color_from_grid=false", "model.field.network.width=16"]
)
def test_settings_that_the_checkpoint_does_not_fit_are_named(resume, change):
    status, said = resume(change, "trainer.max_steps=4")
    assert status == 2
    assert change in said
    assert "train another run" in " ".join(said.split())
    assert "Traceback" not in said
