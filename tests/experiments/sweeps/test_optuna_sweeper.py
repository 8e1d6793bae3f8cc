"""A study: two objectives, a file that lasts, trials that fail, and what cannot be searched."""

import json
import sys

import pytest

from nerfloss.experiments.sweeps.job_status import ConfigurationMismatch
from nerfloss.experiments.sweeps.overrides import read_overrides
from nerfloss.experiments.sweeps.search_space import Dimension, search_space
from nerfloss.experiments.sweeps.study import Study

KEY = "loss.terms.eikonal.weight"
SPACE = {"x": Dimension(0.001, 1.0, log=True), "y": Dimension(choices=("a", "b"))}
WAYS = {"psnr": "maximize", "chamfer_l1": "minimize"}
STUDY = ["hydra/sweeper=optuna", f"{KEY}=tag(log, interval(0.001, 1))"]
pytest.importorskip("optuna", reason="needs the extra 'sweep'")


def space_of(*words):
    return search_space(read_overrides(words))


def opened(folder, **asked):
    return Study(folder, SPACE, WAYS, asked=asked, sampler="random", seed=3)


def scored(trial):
    return [trial.settings["x"], trial.settings["x"] ** 2]


def test_hydras_sweeps_become_dimensions():
    assert space_of("a=tag(log, interval(0.001, 1))")["a"] == Dimension(0.001, 1.0, log=True)
    assert space_of("a=range(2, 9, 3)")["a"] == Dimension(2, 8, 3)
    assert space_of("a=x,y", "b=3")["a"] == Dimension(choices=("x", "y"))
    assert space_of("a=choice(1, 2)").keys() == {"a"}
    assert space_of("b=3") == {}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("a=tag(log, interval(0, 1))", "0 < low"),
        ("a=interval(2, 1)", "low <= high"),
        ("a=tag(lgo, interval(1, 2))", "unknown tag 'lgo': the only tag is 'log'"),
        ("a=tag(log, range(1, 9))", "use an interval"),
        ("a=range(3, 3)", "is empty"),
    ],
)
def test_what_is_no_dimension_is_refused(word, message):
    with pytest.raises(ValueError, match=message):
        space_of(word)


def test_a_study_that_was_stopped_proposes_what_it_would_have(tmp_path):
    whole = opened(tmp_path / "whole")
    for _ in range(4):
        trial = whole.ask()
        whole.tell(trial, scored(trial))
    first = opened(tmp_path / "parts")
    for _ in range(2):
        trial = first.ask()
        first.tell(trial, scored(trial))
    begun = first.ask()
    second = opened(tmp_path / "parts")
    assert second.pending() == [begun]
    second.tell(begun, scored(begun))
    trial = second.ask()
    second.tell(trial, scored(trial))
    assert second.pareto_front() == whole.pareto_front()
    assert (second.count, second.pending()) == (4, [])


def test_the_front_holds_what_no_other_trial_beats(tmp_path):
    study = opened(tmp_path)
    for values in ([1.0, 5.0], [2.0, 4.0], [3.0, 6.0], [0.5, 7.0]):
        study.tell(study.ask(), values)
    study.tell(study.ask(), None, "it did not finish")
    assert [trial.values for trial in study.pareto_front()] == [(2.0, 4.0), (3.0, 6.0)]
    assert opened(tmp_path).failures() == {4: "it did not finish"}


def test_a_study_of_something_else_is_refused(tmp_path):
    opened(tmp_path, settings="a", seeds=[0])
    opened(tmp_path, settings="a", seeds=[0])
    with pytest.raises(ConfigurationMismatch, match=r"something else \(other seeds\)"):
        opened(tmp_path, settings="a", seeds=[1])


@pytest.mark.slow
def test_a_search_goes_on_where_it_was_stopped(sweep, play, capsys):
    play.stopped = "trial=1"
    assert sweep(*STUDY, "hydra.sweeper.n_trials=3") == 130
    assert play.started == ["trial=0", "trial=1"]
    weight = play.configs["trial=1"].loss.terms.eikonal.weight
    play.forget()
    assert sweep(*STUDY, "hydra.sweeper.n_trials=3") == 0
    assert (play.started, play.resumed) == (["trial=2"], ["trial=1"])
    assert play.configs["trial=1"].loss.terms.eikonal.weight == weight
    said = capsys.readouterr().out
    # A larger weight scores better in the one and worse in the other: none beats another.
    assert "Pareto front of 3 trials (maximize psnr, minimize chamfer_l1):" in said
    assert said.count(f"{KEY}=") >= 3
    play.forget()
    assert sweep(*STUDY, "hydra.sweeper.n_trials=3") == 0
    assert (play.started, play.resumed) == ([], [])


def test_a_trial_that_fails_is_reported_whenever_the_study_is_looked_at(sweep, play, capsys):
    play.failing = {"trial=0"}
    words = [*STUDY, "hydra.sweeper.n_trials=2", "objectives.minimize=[]"]
    assert sweep(*words) == 1
    assert play.started == ["trial=0", "trial=1"]
    play.forget()
    assert sweep(*words) == 1
    said = capsys.readouterr()
    assert said.err.count("trial=0: ArithmeticError: a loss was not finite") == 2
    assert "best of 2 trials (maximize psnr)" in said.out


def test_with_seeds_a_trial_is_a_run_for_each_and_scores_their_mean(sweep, play, capsys):
    assert sweep(*STUDY, "hydra.sweeper.n_trials=1", "seeds=[2,4]") == 0
    assert play.started == ["trial=0,seed=2", "trial=0,seed=4"]
    runs = [json.loads((play.folder / n / "metrics.json").read_text()) for n in play.started]
    mean = sum(run["psnr"] for run in runs) / 2
    assert f"psnr {mean:.4g}" in capsys.readouterr().out


def test_a_trial_without_one_of_the_scores_has_failed(sweep, play, capsys):
    play.scored = False
    assert sweep(*STUDY, "hydra.sweeper.n_trials=1") == 1
    assert "no value of chamfer_l1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (STUDY[:1], "nothing is searched"),
        ([*STUDY, "ablate=all"], "an ablation is a list of runs"),
        ([*STUDY, "objectives.maximize=[psrn]"], "no score 'psrn'"),
        ([*STUDY, "eval.mesh=null"], "no score 'chamfer_l1'"),
        ([*STUDY, "hydra.sweeper.sampler=best"], "choose from tpe, nsga2, random"),
    ],
    ids=str,
)
def test_what_cannot_be_searched_is_refused_before_any_job(sweep, play, capsys, words, message):
    assert sweep(*words) == 2
    assert message in capsys.readouterr().err
    assert play.started == []


def test_without_optuna_the_extra_is_named(sweep, play, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert sweep(*STUDY) == 2
    assert "pip install 'nerfloss[sweep]'" in capsys.readouterr().err
    assert play.started == []
