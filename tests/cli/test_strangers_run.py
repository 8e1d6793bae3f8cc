"""A run that was downloaded runs none of the code that its files name, by any command."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from small_runs import composed

from nerfloss.assembly.trust.packages import VARIABLE
from nerfloss.assembly.trust.stored import signed_text
from nerfloss.geometry import Rays
from nerfloss.training import checkpoint
from nerfloss.training.failure_snapshot import Failure

Command = Callable[..., tuple[int, str, str]]
# Calls the function, which leaves a file; and only imports the module, which leaves another.
INTRUSIONS = {
    "metric": "+eval.metrics.harm={_target_: intruder.run}",
    "partial": "+eval.metrics.harm={_target_: intruder.run, _partial_: true}",
    "term": "+loss.terms.harm={fn: {_target_: intruder.run}}",
    "nested": "+loss.terms.harm={fn: {_target_: nerfloss.losses.photometric.huber, _partial_: true,"
    " delta: {_target_: intruder.run}}}",
    "list": "+quantities.harm=[{_target_: intruder.run}]",
    "walk": "+eval.metrics.harm={_target_: nerfloss.assembly.provenance.os.mkdir, path: called}",
    "ours": "+eval.metrics.harm={_target_: nerfloss.data.capture.model_files.Path.mkdir,"
    " self: {_target_: pathlib.Path, _args_: [called]}}",
    "read": "+eval.metrics.harm={_target_: numpy.fromfile, file: secret}",
}
COMMANDS = {
    "eval": ["eval", "run=stranger", "device=cpu"],
    "resume": ["train", "trainer.resume=stranger"],
    "render": ["render", "stranger", "--no-video"],
    "convert": ["convert", "stranger", "--to", "colmap", "-o", "scene"],
    "export": ["export", "stranger", "--mesh", "mesh.ply", "--device", "cpu"],
    "report": ["report", "stranger", "--html"],
    "compare": ["compare", "stranger", "other"],
}


@pytest.fixture(autouse=True)
def intruder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that Python finds, as any installed package, which leaves traces."""
    code = "from pathlib import Path\nPath('imported').touch()\n"
    code += "def run(*given, **more):\n    Path('called').touch()\n    return lambda rgb: rgb\n"
    (tmp_path / "intruder.py").write_text(code)
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "settings"))


def strangers_run(folder: Path, *overrides: str) -> Path:
    """A run's folder with a configuration of the stranger's choosing."""
    cfg = composed("cameras=refine", *overrides)
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")
    checkpoint.save(folder / "checkpoints" / "last.pt", {"step": 0})
    return folder


@pytest.mark.parametrize("kind", INTRUSIONS)
@pytest.mark.parametrize("name", ["eval", "resume", "convert", "export"])
def test_no_command_runs_what_a_stored_configuration_names(
    command: Command, tmp_path: Path, name: str, kind: str
) -> None:
    strangers_run(tmp_path / "stranger", INTRUSIONS[kind])
    status, _, err = command(*COMMANDS[name])
    assert status == 2
    assert "names what nerfloss does not run from a stored configuration" in err
    assert "Traceback" not in err
    assert not (tmp_path / "called").exists()
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("name", ["report", "compare"])
def test_runs_are_tabulated_without_running_what_they_name(
    command: Command, tmp_path: Path, name: str
) -> None:
    folder = strangers_run(tmp_path / "stranger", INTRUSIONS["metric"], INTRUSIONS["term"])
    (folder / "metrics.json").write_text('{"psnr": 30.0}')
    shutil.copytree(folder, tmp_path / "other")
    status, out, err = command(*COMMANDS[name])
    assert status == 0, out + err
    assert not (tmp_path / "called").exists()
    assert not (tmp_path / "imported").exists()


def failed_step(path: Path, config: str) -> Path:
    ray = torch.zeros(1, 3)
    rays = Rays(ray, ray, torch.zeros(1, 2), torch.zeros(1).long(), ray)
    state = torch.get_rng_state()
    Failure(config, 1, {"step": 1}, 0, state, state, {}, {}, rays, {}, {}, {}).write(path)
    return path


def test_a_failed_step_is_not_replayed_with_a_strangers_code(command: Command, tmp_path) -> None:
    config = OmegaConf.to_yaml(composed(INTRUSIONS["term"]))
    status, _, err = command("replay", str(failed_step(tmp_path / "failure.pt", config)))
    assert status == 2
    assert "failure.pt names what nerfloss does not run" in err
    assert "loss.terms.harm.fn._target_: intruder.run" in err
    assert not (tmp_path / "imported").exists()


def test_a_checkpoint_without_its_parts_is_a_message(command: Command, tmp_path: Path) -> None:
    strangers_run(tmp_path / "stranger")
    status, _, err = command(*COMMANDS["eval"])
    assert status == 2
    assert "last.pt is not the checkpoint of a run: it lacks model, optimizer" in err
    assert "Traceback" not in err


def test_the_environment_is_not_read_by_a_stored_configuration(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "verysecret")
    strangers_run(tmp_path / "stranger", "dataset.mesh=${oc.env:TOKEN}")
    status, out, err = command(*COMMANDS["eval"])
    assert status == 2
    assert "dataset.mesh: ${oc.env:TOKEN} (reads the environment" in err
    assert "verysecret" not in out + err


def test_trust_is_given_once(command: Command, tmp_path: Path) -> None:
    strangers_run(tmp_path / "stranger", INTRUSIONS["partial"])
    _, _, err = command(*COMMANDS["eval"])
    assert "add trust=[intruder] to the command (it is remembered)" in err
    _, _, err = command(*COMMANDS["eval"], "trust=[intruder]")
    assert "trusted from now on: intruder" in err
    assert "does not run from a stored configuration" not in err
    assert (tmp_path / "imported").exists()
    _, _, err = command(*COMMANDS["eval"])
    assert "does not run from a stored configuration" not in err
    status, _, err = command(*COMMANDS["eval"], "--trust", "os")
    assert status == 2
    assert "trust=[os]: os is a part of Python" in err


def test_code_that_the_user_types_is_theirs(command: Command, tmp_path: Path) -> None:
    strangers_run(tmp_path / "stranger")
    command(*COMMANDS["eval"], INTRUSIONS["metric"])
    assert (tmp_path / "called").exists()


def test_a_run_of_ones_own_is_evaluated_as_before(command: Command, tmp_path: Path) -> None:
    folder = strangers_run(tmp_path / "stranger", INTRUSIONS["metric"])
    path = folder / ".hydra" / "config.yaml"
    path.write_text(signed_text(composed("cameras=refine", INTRUSIONS["metric"])))
    _, _, err = command(*COMMANDS["eval"])
    assert "does not run from a stored configuration" not in err
    assert (tmp_path / "called").exists()


@pytest.mark.parametrize("option", ["--experimental-rerun", "--experimental", "--e"])
@pytest.mark.parametrize("joined", [True, False])
def test_no_pickle_of_a_run_is_read(
    command: Command, tmp_path: Path, option: str, joined: bool
) -> None:
    harm = tmp_path / "config.pickle"
    harm.write_bytes(b"cpathlib\nPath.touch\n(cpathlib\nPosixPath\n(Vcalled\ntRtR.")
    words = [f"{option}={harm}"] if joined else [option, str(harm)]
    status, _, err = command("train", *words)
    assert status == 2
    assert "the pickle that it reads can run any program" in err
    assert not (tmp_path / "called").exists()
