"""The trainer: steps of even cost, guards that name the culprit, schedules within the budget."""

import json

import pytest
import torch
from small_runs import assembled, composed, nonfinite_check

from nerfloss.assembly.build import assemble
from nerfloss.recipe import NonFiniteLoss
from nerfloss.training.callbacks.callback import Callback
from nerfloss.training.callbacks.nonfinite_check import NonFiniteCheck
from nerfloss.training.clock import Schedule
from nerfloss.training.distributed.process_group import SINGLE_PROCESS
from nerfloss.training.failure_snapshot import Failure
from nerfloss.training.optimizer import NonFiniteGradient
from nerfloss.training.timer import Timer


def term(name):
    return f"+loss.terms.bad={{fn: {{_target_: broken_terms.{name}, _partial_: true}}}}"


class FakeTime(Callback):
    """A second passes in every step, and a minute in every preview."""

    def __init__(self, run):
        self.now = 0.0
        advance = run.model.field.advance
        run.model.field.advance = lambda step: self.passed(1.0) and advance(step)
        run.trainer.callbacks.append(self)
        run.trainer.clock.timer = Timer({"wall": lambda: self.now, "cpu": lambda: 2 * self.now})

    def after_preview(self, step, test_psnr, train_psnr):  # noqa: ARG002
        self.passed(60.0)

    def passed(self, seconds):
        self.now += seconds
        return True


def parameters(run):
    return [p.detach().clone() for p in run.model.field.parameters()]


def test_the_number_of_rays_adapts_to_the_budget_of_samples(tmp_path):
    run = assembled(tmp_path, "trainer.max_steps=80", "trainer.batch_size.rays=16")
    assert run.train()
    quantities = run.trainer.train_step().quantities
    assert int(quantities["occupied"].sum()) == pytest.approx(512, rel=0.25)
    assert run.trainer.rays > 32


def test_a_term_that_is_not_finite_stops_the_step_and_is_named(tmp_path):
    run = assembled(tmp_path, term("not_a_number"))
    before = parameters(run)
    with pytest.raises(NonFiniteLoss, match="bad"):
        run.train()
    assert all(torch.equal(a, b) for a, b in zip(before, parameters(run), strict=True))


def test_a_gradient_that_is_not_finite_stops_the_step_and_names_the_term(tmp_path):
    run = assembled(tmp_path, term("vertical"))
    before = parameters(run)
    with pytest.raises(NonFiniteGradient, match=r"bad.*opacity"):
        run.train()
    assert all(torch.equal(a, b) for a, b in zip(before, parameters(run), strict=True))


@pytest.mark.parametrize(("name", "kind"), [
    ("spoils_a_view", NonFiniteLoss), ("steep_in_a_view", NonFiniteGradient),
])  # fmt: skip
def test_a_deferred_check_raises_one_step_later_and_keeps_the_failed_step(tmp_path, name, kind):
    def failed(folder, *, late):
        run = assembled(tmp_path / folder, term(name), "trainer.max_steps=9")
        nonfinite_check(run).deferred = late
        with pytest.raises(kind) as caught:
            run.train()
        return run, str(caught.value), Failure.read(tmp_path / folder / "failure.pt")

    (once, said, kept), (later, said_late, kept_late) = (
        failed(str(late), late=late) for late in (False, True)
    )
    assert later.trainer.step == once.trainer.step + 1
    assert said_late == said
    assert "at step 2" in said
    assert (kept_late.step, kept_late.fault) == (kept.step, kept.fault)
    for name in ("model", "samples", "targets"):
        one, other = getattr(kept, name), getattr(kept_late, name)
        torch.testing.assert_close(dict(one), dict(other), rtol=0, atol=0)
    assert torch.equal(kept.generator, kept_late.generator)
    # No parameter moved, neither in the step that failed nor in the one after it.
    for one, other in zip(parameters(once), parameters(later), strict=True):
        assert torch.equal(one, other)


def test_a_failed_last_step_raises_before_a_checkpoint_is_saved(tmp_path):
    run = assembled(tmp_path, term("spoils_a_view"), "trainer.max_steps=3")
    nonfinite_check(run).deferred = True
    with pytest.raises(NonFiniteLoss, match="at step 2"):
        run.train()
    assert not (tmp_path / "checkpoints" / "last.pt").exists()


def test_the_check_is_deferred_on_a_gpu_with_a_stateless_recipe_only(tmp_path):
    def deferred(device, *overrides):
        recipe = assembled(tmp_path, *overrides).recipe
        return NonFiniteCheck.can_defer(torch.device(device), recipe, SINGLE_PROCESS)

    assert deferred("cuda")
    assert not deferred("cpu")
    assert not deferred("cuda", "loss/balancer=relobralo")


def test_a_budget_of_seconds_ends_the_run_at_the_end_of_its_schedules(tmp_path):
    run = assembled(tmp_path, "trainer.max_seconds=1.0", "trainer.max_steps=1000000")
    assert run.train()
    assert run.trainer.step < 1000000
    assert run.trainer.schedule == Schedule(step=1000000, progress=1.0)


def test_a_budget_of_seconds_uses_the_chosen_clock_and_excludes_previews(tmp_path):
    def steps(clock):
        seconds = ["trainer.max_seconds=12", f"trainer.clock={clock}"]
        run = assembled(tmp_path / clock, *seconds, "trainer.preview_every=3")
        FakeTime(run)
        assert run.train()
        return run.trainer.step

    assert steps("wall") == 12
    assert steps("cpu") == 6


def test_a_resumed_run_has_the_rest_of_its_seconds(tmp_path):
    settings = ["trainer.max_seconds=20", "trainer.clock=cpu", "trainer.checkpoint_every=4"]
    first = assembled(tmp_path, *settings)
    FakeTime(first)
    assert first.train()
    assert first.trainer.step == 10
    second = assembled(tmp_path, *settings, "trainer.max_seconds=26")
    FakeTime(second)
    second.load(tmp_path / "checkpoints" / "last.pt")
    assert second.train()
    assert second.trainer.step == 13


def test_initialization_counts_and_both_clocks_are_in_the_scores(tmp_path):
    settings = ["eval.mesh=null", "eval.geometry={}", "eval.images=false"]
    run = assembled(tmp_path, *settings, "trainer.max_steps=1", "initialization=auto")
    assert run.train()
    assert 0 < run.trainer.start_seconds < run.trainer.clock.seconds
    run.evaluate()
    written = json.loads((tmp_path / "metrics.json").read_text())
    for clock, name in {"wall": "train_seconds", "cpu": "train_cpu_seconds"}.items():
        assert written[name] == run.trainer.timer.read(clock) > 0
        assert written["conventions"][name]["clock"] == clock


def test_an_unknown_clock_is_refused_before_any_image_is_read(tmp_path):
    cfg = composed("trainer.clock=cpus", "dataset.mesh=/nowhere/at/all.ply")
    with pytest.raises(ValueError, match=r"trainer\.clock='cpus'"):
        assemble(cfg, tmp_path)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path):
    def after_two_steps(name, seed):
        run = assembled(tmp_path / name, f"seed={seed}")
        assert run.train()
        return torch.cat([p.flatten() for p in parameters(run)])

    first = after_two_steps("a", 1)
    assert torch.equal(first, after_two_steps("b", 1))
    assert not torch.equal(first, after_two_steps("c", 2))
