"""Sweeps of train.py: what they expand to, how they go on, what they say of failures."""

import json
import shlex
import sys

import pytest
from omegaconf import OmegaConf

WEIGHTS = "loss.terms.eikonal.weight=0.1,0.5"
PAIR = ("full", "without_eikonal")
LOW, HIGH = (f"loss.terms.eikonal.weight={weight}" for weight in ("0.1", "0.5"))


def test_folders_are_named_by_what_was_swept(sweep, play):
    assert sweep(WEIGHTS, "trainer.max_steps=5", "seeds=[3]") == 0
    assert play.started == [f"{LOW},seed=3", f"{HIGH},seed=3"]
    assert {path.name for path in play.folder.iterdir() if path.is_dir()} == set(play.started)
    assert play.configs[f"{HIGH},seed=3"].seed == 3


def test_a_sweep_of_nothing_has_one_job(sweep, play):
    assert sweep("trainer.max_steps=5") == 0
    assert play.started == ["0"]


def test_what_is_finished_is_not_run_again_and_what_is_missing_is(sweep, play):
    assert sweep("seeds=[0]") == 0
    metrics = (play.folder / "seed=0" / "metrics.json").stat().st_mtime_ns
    play.forget()
    assert sweep("seed=0,1") == 0
    assert (play.started, play.resumed) == (["seed=1"], [])
    assert (play.folder / "seed=0" / "metrics.json").stat().st_mtime_ns == metrics
    noted = json.loads((play.folder / "sweep.json").read_text())
    assert list(noted["jobs"]) == ["seed=0", "seed=1"]


def test_a_stopped_sweep_says_how_to_go_on_and_resumes_the_job_that_it_was_at(sweep, play, capsys):
    play.stopped = "seed=1"
    assert sweep("seed=0,1,2") == 130
    assert play.started == ["seed=0", "seed=1"]
    command = shlex.join(["python", *sys.argv[:3], f"hydra.sweep.dir={play.folder}"])
    assert f"go on with: {command}\n" in capsys.readouterr().out
    assert play.record("seed=1")["status"] == "stopped"
    # As if killed while it wrote its scores.
    (play.folder / "seed=0" / "metrics.json").write_text('{"psnr": 3')
    play.forget()
    assert sweep("seed=0,1,2") == 0
    assert (play.started, play.resumed) == (["seed=2"], ["seed=0", "seed=1"])
    record = play.record("seed=1")
    assert record["status"] == "finished"
    assert len(record["resumed"]) == 1


def test_a_job_that_fails_stops_no_other_and_is_reported_with_its_error(sweep, play, capsys):
    play.failing = {"seed=0"}
    assert sweep("seed=0,1") == 1
    assert play.started == ["seed=0", "seed=1"]
    said = capsys.readouterr().err
    assert "1 of 2 jobs failed:" in said
    assert "seed=0: ArithmeticError: a loss was not finite\n    and this is why" in said
    assert play.record("seed=0")["error"].startswith("ArithmeticError: a loss")
    assert (play.folder / "seed=0" / ".hydra" / "config.yaml").is_file()
    assert "a loss was not finite" in (play.folder / "seed=0" / "train.log").read_text()
    play.forget()
    assert sweep("seed=0,1") == 0
    assert play.started == ["seed=0"]


def test_another_configuration_in_the_same_folder_is_refused_before_any_job(sweep, play, capsys):
    sweep("seeds=[0]")
    kept = (play.folder / "seed=0" / ".hydra" / "config.yaml").read_text()
    play.forget()
    assert sweep("seed=1,0", "trainer.max_steps=77") == 2
    assert play.started == []
    assert "holds the run of another configuration" in capsys.readouterr().err
    assert (play.folder / "seed=0" / ".hydra" / "config.yaml").read_text() == kept


def test_objectives_are_no_part_of_what_is_run(sweep, play):
    sweep("seed=0")
    play.forget()
    assert sweep("seed=0", "objectives.minimize=[]") == 0
    assert play.started == []


def test_scores_that_nothing_explains_are_not_taken_for_this_runs(sweep, play, capsys):
    (play.folder / "seed=0").mkdir(parents=True)
    (play.folder / "seed=0" / "metrics.json").write_text('{"psnr": 30.0}')
    assert sweep("seed=0,1") == 2
    assert "without provenance.json" in capsys.readouterr().err


@pytest.mark.slow
def test_an_ablation_runs_over_scenes(sweep, play):
    assert sweep("ablate=[mask]", "dataset.scene=craters,rings", "loss=neus_mask") == 0
    assert play.started == [
        f"ablate={part},dataset.scene={scene}"
        for scene in ("craters", "rings")
        for part in ("full", "without_mask", "alone_mask", "base")
    ]
    job = "ablate=without_mask,dataset.scene=rings"
    assert play.record(job, "ablation.json")["terms"] == ["mask"]
    assert play.configs[job].dataset.scene == "rings"


@pytest.mark.slow
def test_each_recipe_of_an_ablation_is_taken_apart_into_its_own_terms(sweep, play):
    assert sweep("ablate=all", "loss=neus,neus_mask") == 0
    parts = {"neus": PAIR, "neus_mask": ("full", "without_eikonal", "without_mask", "base")}
    assert play.started == [f"ablate={a},loss={r}" for r, found in parts.items() for a in found]


@pytest.mark.slow
def test_an_experiment_may_hold_its_seeds_and_its_ablation(sweep, play, tmp_path):
    own = tmp_path / "conf" / "experiment"
    own.mkdir(parents=True)
    content = {"ablate": ["eikonal"], "seeds": [4, 5]}
    (own / "mine.yaml").write_text("# @package _global_\n" + OmegaConf.to_yaml(content))
    assert sweep(f"hydra.searchpath=[file://{tmp_path}/conf]", "experiment=mine") == 0
    assert set(play.started) == {f"seed={s},ablate={a}" for s in (4, 5) for a in PAIR}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ablate=[eikonol]"], "did you mean 'eikonal'"),
        (["ablate=eikonal"], "ablate=[eikonal]"),
        (["seeds=0,1"], "seeds takes a list"),
        (["seeds=[a]"], "no list of whole numbers"),
        (["seeds=[0]", "seed=1"], "leave one of them away"),
        (["trainer.resume=."], "resumes one run"),
        (["seed=0,1", "hydra.sweep.subdir=same"], "two jobs would write to"),
        (["seed=0,1", "trainer.no_such_key=1"], "no_such_key"),
        (["hydra/launcher=joblib", "hydra.launcher._target_=hydra_plugins.none.X"], "[sweep]"),
    ],
    ids=str,
)
def test_what_cannot_be_swept_is_refused_before_any_job(sweep, play, capsys, words, message):
    assert sweep(*words) == 2
    assert message in capsys.readouterr().err
    assert play.started == []


@pytest.mark.parametrize("words", ["ablate=all", "ablate=[eikonal]", "seeds=[0,1]"])
def test_one_run_cannot_be_several(sweep, play, capsys, words):
    assert sweep(words, many=False) == 2
    assert "add -m" in capsys.readouterr().err
    assert play.started == []


def test_one_variant_of_an_ablation_can_be_run_by_itself(sweep, play):
    assert sweep("ablate=without_eikonal", many=False) == 0
    assert play.record("", "ablation.json")["acting"] == ["rgb"]


def test_hydras_own_sweeper_goes_on_too(sweep, play):
    assert sweep("hydra/sweeper=basic", "seed=0") == 0
    play.forget()
    assert sweep("hydra/sweeper=basic", "seed=0,1") == 0
    assert play.started == ["1"]
