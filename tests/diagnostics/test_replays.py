"""A step that fails is kept whole: replayed elsewhere, it fails in the same way."""

from dataclasses import replace

import broken_terms
import pytest
import torch
from omegaconf import OmegaConf
from small_runs import assembled

from nerfloss.assembly.build import rebuild
from nerfloss.assembly.trust.stored import signed_text
from nerfloss.cli.main import main
from nerfloss.diagnostics.replay import replay
from nerfloss.recipe import NonFiniteLoss
from nerfloss.training.callbacks.callback import Callback
from nerfloss.training.callbacks.interventions import Intervention, Interventions
from nerfloss.training.failure_snapshot import Failure
from nerfloss.training.optimizer import NonFiniteGradient

SCENE = ["dataset.size=16", "dataset.views=3", "dataset.test_views=1", "trainer.max_steps=5"]
CPU = torch.device("cpu")


def term(name):
    return f"+loss.terms.bad={{fn: {{_target_: broken_terms.{name}, _partial_: true}}}}"


def failed(folder, kind, *overrides, model="neus"):
    """A tiny run that must fail; the error and the path of what it left."""
    run = assembled(folder, *SCENE, *overrides, model=model)
    with pytest.raises(kind) as caught:
        run.train()
    return run, caught.value, folder / "failure.pt"


def again(path):
    failure = Failure.read(path)
    return failure, replay(failure, *rebuild(failure.config, CPU))


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spoilt")
    return failed(folder, NonFiniteLoss, term("spoils_a_view"))


@pytest.fixture(scope="module")
def steep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steep")
    return failed(folder, NonFiniteGradient, term("steep_in_a_view"))


def test_a_value_that_is_not_finite_names_the_step_the_term_and_the_rays(spoilt):
    run, error, path = spoilt
    fault, failure = error.fault, Failure.read(path)
    assert (fault.kind, fault.term, run.trainer.step) == ("value", "bad", 2)
    assert fault.rays == tuple((failure.rays.view == 1).nonzero().squeeze(-1).tolist())
    first = fault.rays[0]
    column, row = failure.rays.pixel[first].int().tolist()
    assert "loss term 'bad' is nan at step 2" in str(error)
    assert f"(the first: view 1, column {column}, row {row})" in str(error)
    assert f"rays {first}, " in str(error)
    assert f"nerfloss replay {path}" in error.__notes__[0]


def test_a_gradient_that_is_not_finite_names_the_step_the_term_and_the_rays(steep):
    run, error, path = steep
    fault, failure = error.fault, Failure.read(path)
    assert (fault.kind, fault.term, fault.quantity) == ("gradient", "bad", "opacity")
    assert run.trainer.step == failure.step == 2
    assert fault.rays == tuple((failure.rays.view == 1).nonzero().squeeze(-1).tolist())
    assert "at step 2 the gradient of loss term 'bad'" in str(error)


@pytest.mark.parametrize("kind", ["spoilt", "steep"])
def test_the_file_loads_without_running_code_and_holds_no_optimizer(kind, request):
    *_, path = request.getfixturevalue(kind)
    state = torch.load(path, weights_only=True)["state"]
    assert "optimizer" not in state
    assert {"config", "step", "at", "seed", "generator", "model", "recipe"} <= set(state)
    assert len(state["rays"]["origins"]) == len(state["targets"]["target_rgb"])


@pytest.mark.parametrize("kind", ["spoilt", "steep"])
def test_a_replay_has_the_same_fault(kind, request):
    _, error, path = request.getfixturevalue(kind)
    _, found = again(path)
    assert found.fault == error.fault == found.expected
    assert "grid" in found.groups or kind == "spoilt"


def test_a_replay_has_the_value_and_gradient_of_each_term(steep):
    _, found = again(steep[2])
    assert set(found.terms) == {"rgb", "eikonal", "bad"}
    good, bad = found.terms["rgb"], found.terms["bad"]
    assert good.gradient > 0
    assert good.value > 0
    assert good.faults == {}
    assert bad.value > 0
    assert bad.gradient != bad.gradient  # NaN
    assert "has a gradient with" in bad.faults["opacity"]
    assert "opacity" in found.behind


@pytest.mark.parametrize(
    ("model", "overrides"),
    [
        ("nerf", ["model=nerf", "loss=nerf"]),
        (
            "nerf",
            ["model=nerf", "loss=nerf", "sampler=proposal", "+loss/term@loss.terms.i=interlevel"],
        ),
        ("nerf", ["model=nerf", "loss=nerf", "appearance=affine"]),
        ("neus", ["loss/balancer=dwa", "loss.balancer.window=1"]),
        ("neus", ["loss/balancer=gradnorm", "loss.balancer.every=1"]),
        ("neus", ["loss/balancer=pcgrad", "+loss/term@loss.terms.n=normal_smoothness"]),
    ],
    ids=[
        "a cache renewed at random",
        "a sampler that learns",
        "exposures of the training images",
        "a memory",
        "a memory of gradients",
        "terms that draw",
    ],
)
@pytest.mark.parametrize("way", ["spoils_a_view", "steep_in_a_view"])
def test_a_replay_restores_every_state_that_the_step_changed(tmp_path, model, overrides, way):
    kinds = (NonFiniteLoss, NonFiniteGradient)
    _, error, path = failed(tmp_path, kinds, *overrides, term(way), model=model)
    failure, found = again(path)
    assert found.fault == error.fault
    memory = {k: v for k, v in failure.recipe.items() if "memory" in k}
    assert all(value.isfinite().all() for value in memory.values())


class ChangeAt(Callback):
    """Ask for weights when a step has ended, as somebody at the viewer would."""

    def __init__(self, asked, step, weights):
        self.asked, self.step, self.weights = asked, step, weights

    def after_step(self, trainer, step):  # noqa: ARG002
        if trainer.step == self.step:
            for name, weight in self.weights.items():
                self.asked.request(name, weight)


@pytest.mark.parametrize("way", ["spoils_a_view", "steep_in_a_view"])
def test_a_replay_has_the_weights_that_were_changed_before_the_step(tmp_path, capsys, way):
    off = term(way).replace("{fn:", "{weight: 0.5, fn:")
    run = assembled(tmp_path, *SCENE, off)
    asked = next(each for each in run.trainer.callbacks if isinstance(each, Interventions))
    change = ChangeAt(asked, 1, {"eikonal": 0.7, "bad": 0.25})
    run.trainer.callbacks.insert(0, change)
    with pytest.raises((NonFiniteLoss, NonFiniteGradient)) as caught:
        run.train()
    # Asked for after the step that failed, as a check that is deferred would see it.
    asked.made.append(Intervention(3, "rgb", 1.0, 9.0))
    assert [each.term for each in asked.in_force(2)] == ["eikonal", "bad"]
    _, found = again(tmp_path / "failure.pt")
    assert found.fault == caught.value.fault == found.expected
    assert {name: each.weight for name, each in found.terms.items()} == {
        "rgb": 1.0,
        "eikonal": 0.7,
        "bad": 0.25,
    }
    assert main(["replay", str(tmp_path / "failure.pt"), "--device", "cpu"]) == 0
    said = "weight of eikonal: 0.7 since an intervention after step 1, as the failed step had it"
    assert said in capsys.readouterr().out


def test_a_weight_of_zero_is_replayed_as_one_and_old_files_have_the_configured_ones(spoilt):
    failure = Failure.read(spoilt[2])
    assert list(failure.interventions) == []
    model, recipe = rebuild(failure.config, CPU)
    changed = {"step": 1, "term": "bad", "old": 1.0, "new": 0.0}
    found = replay(replace(failure, interventions=[changed]), model, recipe)
    assert found.fault is None
    assert "bad" not in found.terms
    old = {**vars(failure), "config": failure.config}
    del old["interventions"]
    assert Failure(**old).interventions == ()


def test_a_replay_locates_a_fault_behind_the_quantities(tmp_path, capsys):
    own = "+quantities.rough={_target_: broken_terms.rough, _partial_: true}"
    _, error, path = failed(tmp_path, NonFiniteGradient, own, term("of_rough"))
    assert "so the fault lies behind the quantities" in str(error)
    _, found = again(path)
    assert found.terms["bad"].faults == {}
    assert "rough" not in found.behind
    assert list(found.behind)[-1] == "opacity"
    assert main(["replay", str(path), "--device", "cpu"]) == 0
    assert (
        "the first non-finite gradient in the backward pass is that of 'opacity'"
        in capsys.readouterr().out
    )


def test_the_command_exits_with_0_for_the_same_fault(spoilt, steep, capsys):
    for _, error, path in (spoilt, steep):
        assert main(["replay", str(path), "--device", "cpu"]) == 0
        said = capsys.readouterr().out
        assert f"reproduced: {error.fault}" in said
        assert "bad" in said


def test_a_step_that_no_longer_fails_exits_with_1(spoilt, capsys, monkeypatch):
    monkeypatch.setattr(broken_terms, "spoils_a_view", broken_terms.flat)
    assert main(["replay", str(spoilt[2]), "--device", "cpu"]) == 1
    assert "not reproduced: every value and gradient of this step is finite" in (
        capsys.readouterr().out
    )


def test_another_fault_is_not_reported_as_the_same(spoilt, capsys, monkeypatch):
    monkeypatch.setattr(broken_terms, "spoils_a_view", broken_terms.steep_in_a_view)
    assert main(["replay", str(spoilt[2]), "--device", "cpu"]) == 1
    assert "not reproduced: the step fails here in another way" in capsys.readouterr().out


def test_other_files_are_refused(tmp_path, capsys):
    (tmp_path / "rubbish.pt").write_bytes(b"no file of ours")
    run = assembled(tmp_path, *SCENE)
    run.save()
    refused = {
        tmp_path / "nothing.pt": "no checkpoint at",
        tmp_path / "rubbish.pt": "cannot be read",
        tmp_path / "checkpoints" / "last.pt": "is a checkpoint, no failed step",
    }
    for path, reason in refused.items():
        assert main(["replay", str(path), "--device", "cpu"]) == 2
        assert reason in capsys.readouterr().err


def test_a_term_whose_code_is_missing_is_named(spoilt):
    config = Failure.read(spoilt[2]).config.replace("broken_terms", "terms_of_another")
    with pytest.raises(ValueError, match="the package terms_of_another is not trusted"):
        rebuild(config, CPU)
    config = signed_text(OmegaConf.create(config))
    with pytest.raises(ValueError, match=r"terms_of_another[\s\S]*must be importable"):
        rebuild(config, CPU)


def test_a_full_disk_does_not_hide_the_fault(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nerfloss.training.checkpoint.save", full)
    _, error, path = failed(tmp_path, NonFiniteLoss, term("not_a_number"))
    assert "could not be saved: [Errno 28] No space left" in error.__notes__[0]
    assert not path.exists()
