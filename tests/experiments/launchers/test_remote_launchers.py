"""Launchers to other machines, with this process in their place: what is sent, and comes home."""

import contextlib
import json
import re
import shlex
import sys

import pytest
from hydra import compose, initialize_config_dir

from nerfloss.assembly.config_files import conf_dir
from nerfloss.assembly.hydra_resolvers import register_resolvers
from nerfloss.experiments.launchers.ray import RayLauncher
from nerfloss.experiments.launchers.result_archive import (
    SweepFolder,
    archive_of,
    extract,
    mark_sweep_folder,
)
from nerfloss.experiments.launchers.retry_loop import JobLost
from nerfloss.experiments.launchers.submitit import SubmititLauncher


class Here:
    """An engine that runs pickled_jobs at once; the first so many are lost after they ran."""

    capacity = 4

    def __init__(self) -> None:
        self.losing, self.results = 0, []

    def submit(self, pickled_jobs):
        for job in pickled_jobs:
            self.results.append(JobLost("gone") if self.losing > 0 else job())
            self.losing -= 1
        return range(len(self.results) - len(pickled_jobs), len(self.results))

    def wait(self, handles):
        return list(handles)

    def result(self, handle):
        if isinstance(self.results[handle], JobLost):
            raise self.results[handle]
        return self.results[handle]

    def cancel(self, handles):
        pass


@pytest.fixture
def here(monkeypatch) -> Here:
    """Ray's launcher with an engine that is this process."""
    engine = Here()
    monkeypatch.setattr(RayLauncher, "require", lambda self: None)  # noqa: ARG005
    monkeypatch.setattr(RayLauncher, "engine", lambda *_: contextlib.nullcontext(engine))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return engine


ON_RAY = "hydra/launcher=ray"


def test_jobs_go_to_the_engine_and_what_is_finished_is_not_run_again(sweep, play, here):  # noqa: ARG001
    play.failing = {"seed=1"}
    assert sweep(ON_RAY, "seed=0,1") == 1
    play.forget()
    assert sweep(ON_RAY, "seed=0,1") == 0
    assert "seed=0" not in play.started + play.resumed
    assert (play.folder / "seed=1" / "metrics.json").is_file()
    assert json.loads((play.folder / "seed=1" / "provenance.json").read_text())["seed"] == 1


def test_a_job_that_fails_is_reported_and_not_tried_again(sweep, play, here, capsys):  # noqa: ARG001
    play.failing = {"seed=0"}
    assert sweep(ON_RAY, "seed=0,1") == 1
    assert play.started == ["seed=0", "seed=1"]
    said = capsys.readouterr().err
    assert "1 of 2 jobs failed:" in said
    assert "seed=0: ArithmeticError: a loss was not finite" in said


def test_a_lost_job_is_tried_again(sweep, play, here):
    here.losing = 2
    assert sweep(ON_RAY, "seed=0,1") == 0
    assert sorted(play.started) == ["seed=0", "seed=1"]


def test_a_job_that_is_lost_for_good_is_reported(sweep, play, here, capsys):  # noqa: ARG001
    here.losing = 9
    assert sweep(ON_RAY, "hydra.launcher.retries=1", "seed=0,1") == 1
    assert "seed=0: JobLost: 2 times, the last: gone" in capsys.readouterr().err


def test_results_come_home_from_a_machine_that_has_another_disk(sweep, play, here, monkeypatch):  # noqa: ARG001
    monkeypatch.setattr(SweepFolder, "is_visible", lambda self: False)  # noqa: ARG005
    assert sweep(ON_RAY, "seed=0,1") == 0
    for job in ("seed=0", "seed=1"):
        names = {path.name for path in (play.folder / job).iterdir()}
        assert {"metrics.json", "provenance.json", ".hydra", "train.log", "checkpoints"} <= names
    play.forget()
    assert sweep(ON_RAY, "seed=0,1") == 0
    assert play.started == [], "what came home is finished"


def test_a_folder_of_the_same_name_on_another_machine_is_not_home(tmp_path):
    home = mark_sweep_folder(tmp_path / "sweep")
    assert home.is_visible()
    assert not SweepFolder(tmp_path / "nowhere", home.token).is_visible()
    mark_sweep_folder(tmp_path / "sweep")  # somebody else's
    assert not home.is_visible()


def test_a_parcel_of_nothing_is_an_empty_folder(tmp_path):
    extract(archive_of(tmp_path / "never begun"), tmp_path / "job")
    assert list((tmp_path / "job").iterdir()) == []


@pytest.mark.parametrize("name", ["ray", "submitit"])
def test_a_missing_library_is_answered_with_the_extra(sweep, play, capsys, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    assert sweep(f"hydra/launcher={name}", "seed=0,1") == 2
    assert f"pip install 'nerfloss[{name}]'" in capsys.readouterr().err
    assert play.started == []


def test_an_unknown_cluster_is_refused():
    with pytest.raises(ValueError, match="choose from slurm, local"):
        SubmititLauncher(cluster="pbs")


def test_each_job_asks_slurm_for_what_it_was_given():
    slurm = {"partition": "gpu", "account": None}
    launcher = SubmititLauncher("slurm", 32, cpus=8, gpus=1, memory_gb=16, slurm=slurm)
    asked = launcher.sbatch_parameters()
    assert asked["gpus_per_node"] == 1
    assert (asked["cpus_per_task"], asked["mem"], asked["time"]) == (8, "16GB", 240)
    assert asked["partition"] == "gpu"
    assert "account" not in asked


def test_submitit_writes_it_into_the_file_sbatch_parameters(tmp_path, monkeypatch):
    submitit = pytest.importorskip("submitit", reason="needs the extra 'submitit'")
    monkeypatch.setattr(submitit.SlurmExecutor, "affinity", classmethod(lambda cls: 2))  # noqa: ARG005
    launcher = SubmititLauncher("slurm", gpus=1, memory_gb=16, slurm={"partition": "gpu"})
    with launcher.engine(tmp_path) as engine:
        text = engine.executor._make_submission_file_text("python", "id")
    for line in ("gpus-per-node=1", "mem=16GB", "partition=gpu", "time=240", "signal=USR2@120"):
        assert f"#SBATCH --{line}" in text


def words_about_launchers() -> list[list[str]]:
    """What the page on sweeps tells a reader to type about ray and submitit."""
    page = (conf_dir().parent / "docs" / "sweeps.md").read_text()
    blocks = "".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL)).replace("\\\n", " ")
    typed = [shlex.split(line, comments=True) for line in blocks.splitlines()]
    return [words for words in typed if {ON_RAY, "hydra/launcher=submitit"} & set(words)]


def test_the_page_shows_both_launchers():
    assert len(words_about_launchers()) >= 4


@pytest.mark.parametrize("words", words_about_launchers(), ids=" ".join)
def test_what_the_page_says_of_launchers_composes(words):
    register_resolvers()
    ours = [word for word in words if word.lstrip("+").startswith(("hydra/launcher", "hydra.la"))]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        launcher = compose("train", ours, return_hydra_config=True).hydra.launcher
    assert launcher._target_.startswith("hydra_plugins.nerfloss_launchers.")
