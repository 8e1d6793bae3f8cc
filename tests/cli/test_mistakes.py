"""Mistakes of the user: one message on stderr that names the key, exit status 2, no traceback."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

RECIPE = "+loss/term@loss.terms"
# What is typed after `nerfloss`, and what the message must contain.
MISTAKES: Sequence[tuple[str, Sequence[str], Sequence[str]]] = [
    (
        "misspelt setting",
        ["train", "trainer.max_stepz=3"],
        ["trainer.max_stepz", "did you mean trainer.max_steps"],
    ),
    ("misspelt group", ["train", "modl=nerf"], ["'modl'", "did you mean model"]),
    ("unknown choice", ["train", "model=nerfz"], ["model=nerfz", "did you mean nerf"]),
    ("unknown experiment", ["train", "experiment=nothing"], ["experiment=nothing"]),
    (
        "unknown term",
        ["train", f"{RECIPE}.x=eikonol"],
        ["loss/term=eikonol", "did you mean eikonal"],
    ),
    ("term to remove", ["train", "~loss.terms.curvature"], ["loss.terms.curvature"]),
    ("null for a group", ["train", "loss=null"], ["a group takes the name of a choice"]),
    ("number for a group", ["train", "model=3"], ["a group takes the name of a choice"]),
    ("keys for a group", ["train", "loss={a: 1}"], ["loss: a group takes the name"]),
    ("term without +", ["train", "loss/term=tv"], ["+loss/term@loss.terms.NAME=TERM"]),
    ("group added twice", ["train", "+model=nerf"], ["model", "leave the + away"]),
    ("tilde", ["train", "dataset.path=~/scene"], ["dataset.path=$HOME/scene"]),
    ("brackets", ["train", "dataset.path=a(b"], ["dataset.path", "quotes"]),
    ("no value", ["train", "model"], ["'model' is no override", "<setting>=<value>"]),
    ("a scene alone", ["train", "/nope/shoe"], ["dataset.path=/nope/shoe"]),
    ("a run alone", ["eval", "outputs/shoe/run"], ["run=outputs/shoe/run"]),
    ("values of a sweep", ["train", "trainer.max_steps=1,2"], ["trainer.max_steps=1,2", "add -m"]),
    ("sweep over nothing", ["train", "-m", "seed=range(0)"], ["seed=range(0)"]),
    ("negative seed", ["train", "seed=-1"], ["seed=-1: must be at least 0"]),
    ("seed of letters", ["train", "seed=abc"], ["seed=abc: must be an integer"]),
    ("steps of letters", ["train", "trainer.max_steps=abc"], ["trainer.max_steps=abc: must be"]),
    (
        "width of letters",
        ["train", "model.field.network.width=wide"],
        ["model.field.network.width=wide: must be an integer"],
    ),
    ("weight of letters", ["train", "loss.terms.eikonal.weight=heavy"], ["eikonal", "heavy"]),
    (
        "flag of letters",
        ["train", "dataset.masks=perhaps"],
        ["dataset.masks=", "perhaps", "true, false"],
    ),
    ("unknown key of a part", ["train", "+model.field.colour=3"], ["model.field", "colour"]),
    ("interpolation", ["train", "trainer.max_steps=${nothing}"], ["trainer.max_steps", "nothing"]),
    (
        "function of a module that cannot be read",
        ["train", "+quantities.mine={_target_: unreadable.f, _partial_: true}"],
        ["quantities.mine", "unreadable.f cannot be imported: SyntaxError"],
    ),
    (
        "function that its module lacks",
        ["train", "+quantities.mine={_target_: nerfloss.losses.eikonal.eikonl, _partial_: true}"],
        ["quantities.mine", "eikonal.py has no 'eikonl'; did you mean eikonal"],
    ),
    (
        "function that is missing",
        ["train", "+quantities.mine={_target_: no.f, _partial_: true}"],
        ["quantities.mine", "no.f"],
    ),
    (
        "loss in place of a term",
        ["train", "+loss.terms.mine={_target_: os.getcwd, _partial_: true, weight: 1}"],
        ["loss.terms.mine", "below 'fn'", "loss.terms.mine.fn._target_=", "fn._partial_=true"],
    ),
    (
        "loss that is called too early",
        [
            "train",
            "+loss.terms.mine.fn._target_=nerfloss.losses.eikonal.eikonal",
            "initialization=sphere",
            "dataset.size=8",
        ],
        ["mine: nerfloss.losses.eikonal.eikonal", "missing", "loss.terms.mine.fn._partial_=true"],
    ),
    (
        "loss that returns no tensor",
        [
            "train",
            "loss.terms.eikonal.fn._target_=os.getcwd",
            "initialization=sphere",
            "dataset.size=8",
        ],
        ["a loss term returns a tensor, got str", "in the loss term 'eikonal'"],
    ),
    (
        "recipe that cannot be fed",
        ["train", "model=nerf", "loss=neus_eikonal"],
        ["RecipeError", "eikonal: needs 'gradients'"],
    ),
    ("scene without a path", ["train", "dataset=blender"], ["dataset.path"]),
    ("scene that is missing", ["train", "dataset=blender", "dataset.path=/nowhere"], ["/nowhere"]),
    (
        "run to resume",
        ["train", "trainer.resume=/nowhere"],
        ["error: trainer.resume=/nowhere: there is no such"],
    ),
    ("device", ["train", "device=gpu"], ["device='gpu'"]),
    ("kernel", ["train", "kernels.backend=fast"], ["kernels.backend"]),
    (
        "search path",
        ["train", "hydra.searchpath=[pkg://nowhere.conf]", "experiment=theirs"],
        ["hydra.searchpath: nowhere.conf"],
    ),
    (
        "renamed setting",
        ["train", "trainer.pace.rays=8"],
        ["trainer.pace.rays was renamed to trainer.batch_size.rays"],
    ),
    (
        "renamed choice",
        ["train", "start=scout"],
        ["start=scout was renamed to initialization=density_warmup"],
    ),
    (
        "renamed setting of schedules",
        ["schedules", "trainer.pace.rays=8"],
        ["trainer.pace.rays was renamed to trainer.batch_size.rays"],
    ),
    (
        "renamed setting of gradcheck",
        ["gradcheck", "start=scout"],
        ["start=scout was renamed to initialization=density_warmup"],
    ),
    ("renamed group", ["train", "start=auto"], ["start was renamed to initialization"]),
    ("sweep with an unknown choice", ["train", "-m", "model=nerf,neuz"], ["model=neuz"]),
    (
        "sweep with a bad setting",
        ["train", "-m", "sampler.samples=8,many", "hydra.sweep.dir=sweep"],
        ["sampler.samples=many: must be an integer", "in the job sampler.samples=many"],
    ),
    (
        "sweep with a bad weight",
        ["train", "-m", "loss.terms.eikonal.weight=0.1,-1", "hydra.sweep.dir=sweep"],
        ["eikonal: has weight -1", "in the job loss.terms.eikonal.weight=-1"],
    ),
    (
        "sweep over an unknown term",
        ["train", "-m", "loss.terms.eikonl.weight=0.1,1", "hydra.sweep.dir=sweep"],
        ["eikonl", "has no 'fn'", "in the job loss.terms.eikonl.weight=0.1"],
    ),
    ("sweep with a bad seed", ["train", "-m", "seed=0,-1"], ["seed=-1"]),
    ("seeds without a sweep", ["train", "seeds=[0,1]"], ["seeds=[0,1]", "-m"]),
    ("eval without a run", ["eval"], ["run=<folder>"]),
    ("eval of nothing", ["eval", "run=/nowhere"], ["/nowhere"]),
    ("misspelt setting of eval", ["eval", "run=/nowhere", "eval.imagez=false"], ["eval.imagez"]),
    (
        "eval cannot change",
        ["eval", "run=/nowhere", "loss.terms.rgb.weight=2"],
        ["loss.terms.rgb.weight=2", "nerfloss train"],
    ),
    ("terms", ["terms", "eikonol"], ["did you mean eikonal"]),
    ("list", ["list", "modelz"], ["'modelz'", "models"]),
    ("report", ["report", "/nowhere"], ["/nowhere"]),
    ("compare", ["compare", "/nowhere"], ["/nowhere"]),
    ("schedules", ["schedules", "loss=nothing"], ["loss=nothing"]),
    ("gradcheck", ["gradcheck", "trainer.max_stepz=3"], ["trainer.max_stepz"]),
    ("replay", ["replay", "/nowhere/failure.pt"], ["/nowhere"]),
    ("bench", ["bench", "terms", "--rays", "0"], ["--rays"]),
]


@pytest.mark.parametrize(
    ("words", "named"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_mistake_ends_with_one_message(command, words, named) -> None:
    Path("unreadable.py").write_text("def f(:\n")
    status, out, err = command(*words)
    assert status == 2, out + err
    assert "Traceback" not in out + err
    for text in named:
        assert text in err
    assert "Config search path" not in err
    assert len(err.strip().splitlines()) <= 6, err
    # All jobs of a sweep are checked before the first begins.
    assert not Path("sweep").exists()


def test_a_mistake_shows_its_traceback_on_request(command) -> None:
    status, _, err = command("train", "model=nerf", "loss=neus_eikonal", "--traceback")
    assert status == 2
    assert err.count("Traceback (most recent call last)") == 1


def test_the_log_of_the_run_has_the_traceback(command) -> None:
    command("train", "model=nerf", "loss=neus_eikonal", "hydra.run.dir=run")
    assert "Traceback" in Path("run/train.log").read_text()


def test_a_bug_shows_its_traceback_once(command, monkeypatch: pytest.MonkeyPatch) -> None:
    from nerfloss.assembly import build

    # Not a function of this file, which would count as a user's own code.
    monkeypatch.setattr(build, "assemble", {}.__getitem__)
    status, out, err = command("train", "hydra.run.dir=run")
    assert status == 1
    assert (out + err).count("Traceback (most recent call last)") == 1
    assert "TypeError" in err


def test_an_interrupt_ends_without_a_traceback(command, monkeypatch: pytest.MonkeyPatch) -> None:
    from nerfloss.assembly import build

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "assemble", interrupted)
    status, out, err = command("train", "hydra.run.dir=run")
    assert status == 130
    assert "Traceback" not in out + err


def test_each_failed_job_of_a_sweep_is_one_line(command) -> None:
    status, out, err = command(
        "train", "-m", "model=nerf", "loss=neus_eikonal,volsdf", "hydra.sweep.dir=sweep"
    )
    assert status == 1
    assert "Traceback" not in out + err
    assert "2 jobs failed" in err or "2 of 2 jobs failed" in err
    logs = [path.read_text() for path in Path("sweep").rglob("train.log")]
    assert len(logs) == 2
    assert all("Traceback" in log for log in logs)


def test_the_variable_of_hydra_is_left_as_it_was(command) -> None:
    command("train", "modl=nerf")
    assert "HYDRA_FULL_ERROR" not in os.environ


def test_an_old_run_is_refused_in_words(command, tmp_path: Path) -> None:
    folder = tmp_path / "old" / ".hydra"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("trainer: {pace: {rays: 8}}\n")
    (tmp_path / "old" / "checkpoints").mkdir()
    (tmp_path / "old" / "checkpoints" / "last.pt").touch()
    for words in (["train", "trainer.resume=old"], ["eval", "run=old"]):
        status, out, err = command(*words)
        assert status == 2, out + err
        assert "trainer.pace was renamed to trainer.batch_size" in err
        assert "Traceback" not in out + err
