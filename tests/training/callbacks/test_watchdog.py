"""The watchdog: it names what holds a run, once, and is silent about a run that learns."""

import json
import logging
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_runs import assembled

from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.geometry import Samples
from nerfloss.training.callbacks.watchdog import StuckRun, Watchdog
from nerfloss.training.failure_modes import diagnose

HEALTHY = {
    "object_sampled": 1.0,
    "object_opacity": 0.95,
    "empty_opacity": 0.05,
    "most_opaque": 1.0,
    "sdf_least": -0.3,
    "sdf_most": 0.4,
    "error": 0.005,
    "constant_error": 0.08,
    "background_error": 0.2,
    "sharpness": 60.0,
}


def quantities(**changes: Any) -> dict[str, Any]:
    """A step of 200 rays, half on a grey object, whose colours are off by ``off``."""
    off, opacity = changes.pop("off", 0.05), changes.pop("opacity", (0.95, 0.05))
    mask = torch.arange(200) < 100
    target = torch.where(mask, 0.3, 1.0)[:, None].expand(200, 3)
    return {
        "origins": torch.zeros(200, 3),
        "occupied": torch.ones(200, 4, dtype=torch.bool),
        "opacity": torch.where(mask, *opacity),
        "rgb": target + off,
        "background": torch.ones(200, 3),
        "target_rgb": target,
        "target_mask": mask.float(),
    } | changes


def watched(watchdog: Watchdog, steps: range, *, progress: float = 0.1, **changes: Any) -> None:
    for step in steps:
        watchdog.check(step, progress, quantities(**changes))


CAUSES = [
    ({"object_sampled": 0.0}, "no samples", r"0\.0% of the rays"),
    ({"object_opacity": 0.02}, "no surface", r"rays on the object.*opacity of 0\.02"),
    ({"most_opaque": 0.01}, "no surface", r"largest opacity is 0\.01"),
    ({"sdf_least": 0.1}, "no surface", "SDF is positive at every sample"),
    ({"sdf_most": -0.1}, "no surface", "SDF is negative at every sample"),
    ({"empty_opacity": 0.99}, "all surface", r"off the object.*opacity of 0\.99"),
    ({"sharpness": 1.2}, "sharpness collapsed", r"sharpness is 1\.2"),
    ({"sharpness": float("inf")}, "sharpness exploded", "sharpness is inf"),
    ({"error": 0.079}, "no better than one colour", r"is 0\.079, that of one colour 0\.08"),
    ({"error": 0.1}, "no better than one colour", r"is 0\.1, that of one colour 0\.08"),
]


@pytest.mark.parametrize(("changes", "cause", "said"), CAUSES)
def test_each_cause_is_diagnosed_from_its_metrics(changes, cause, said):
    verdict = diagnose([HEALTHY | changes] * 4)
    assert verdict is not None
    assert verdict.cause == cause
    assert re.search(said + ".*What to do: ", str(verdict))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        # All that a recipe without colours, or a density without masks, lets one see.
        {name: None for name in HEALTHY if name != "object_sampled"},
        # A small object without masks; an image of so little contrast that its mean is close.
        {"object_opacity": 0.02, "empty_opacity": None},
        {"error": 0.004, "constant_error": 0.004},
        # Out of bounds, on the way back.
        {"sharpness": [1.5, 1.6, 1.7, 1.8]},
    ],
)
def test_metrics_of_a_run_that_learns_are_no_cause(changes):
    looks = []
    for look in range(4):
        now = {n: v[look] if isinstance(v, list) else v for n, v in changes.items()}
        looks.append({name: v for name, v in (HEALTHY | now).items() if v is not None})
    assert diagnose(looks, looks) is None


def test_a_run_has_stalled_where_a_large_error_stays():
    before, after = HEALTHY | {"error": 0.030}, HEALTHY | {"error": 0.0299}
    verdict = diagnose([after] * 4, [before] * 10 + [after] * 10)
    assert verdict is not None
    assert verdict.cause == "stalled"
    falling = [HEALTHY | {"error": 0.050 - 0.001 * look} for look in range(20)]
    assert diagnose(falling[-4:], falling) is None


def test_noise_that_can_hide_a_fall_is_no_stall():
    noise = [1.2, 0.8, 1.1, 0.9, 1.25, 0.75, 1.05, 0.95, 1.3, 0.7]
    looks = [HEALTHY | {"error": 0.030 * factor} for factor in noise]
    # The mean falls by 4 percent, less than 5, and is known to 6 percent only.
    slower = [HEALTHY | {"error": 0.0288 * factor} for factor in noise]
    assert diagnose(slower[-4:], looks + slower) is None
    steady = [HEALTHY | {"error": 0.030}] * 10, [HEALTHY | {"error": 0.0288}] * 10
    verdict = diagnose(steady[1][-4:], steady[0] + steady[1])
    assert verdict is not None
    assert "images/preview" in verdict.remedy


def test_the_end_of_a_cause_is_logged_once(caplog):
    watchdog = Watchdog(every=10, grace_steps=0, window=1, stall_window=4)
    with caplog.at_level(logging.INFO):
        for begin in (0, 200, 400):
            watched(watchdog, range(begin, begin + 100), opacity=(0.01, 0.01))
            watched(watchdog, range(begin + 100, begin + 200))
    assert sum("no longer stuck" in message for message in caplog.messages) == 1
    copy = Watchdog()
    copy.load_state_dict(watchdog.state_dict())
    assert copy.recovered == watchdog.recovered == {"no surface"}


def test_a_cause_is_logged_once_with_the_step_and_what_to_do(caplog):
    watchdog = Watchdog(every=10, grace_steps=20, window=2, stall_window=4)
    with caplog.at_level(logging.INFO):
        watched(watchdog, range(200), opacity=(0.01, 0.01))
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert re.match("stuck at step 20, no surface: .* What to do: .*", caplog.messages[0])
        watched(watchdog, range(200, 300))
        watched(watchdog, range(300, 400), opacity=(0.01, 0.01))
    assert caplog.messages[1:] == ["step 200: no longer stuck (no surface)"]
    assert watchdog.cause == "no surface"
    assert watchdog.seen == {"no surface": caplog.messages[0]}


def test_a_diagnosis_needs_enough_checks_and_steps(caplog):
    watchdog = Watchdog(every=10, grace_steps=50, window=3, stall_window=6)
    watched(watchdog, range(100, 150), opacity=(0.01, 0.01))
    assert watchdog.cause is None
    watched(watchdog, range(150, 151), opacity=(0.01, 0.01))
    assert watchdog.cause == "no surface"
    assert caplog.messages


def test_a_run_that_learns_is_not_diagnosed(caplog):
    watchdog = Watchdog(every=10, grace_steps=0, window=1, stall_window=4)
    for step in range(0, 400, 10):
        watchdog.check(step, step / 400, quantities(off=0.25 * 0.97 ** (step / 10)))
    with caplog.at_level(logging.INFO):
        watched(watchdog, range(400, 800), off=0.09)
    assert caplog.messages == []


def test_a_stall_is_diagnosed_early_but_not_late_in_the_budget():
    early, late = Watchdog(every=1, stall_window=8), Watchdog(every=1, stall_window=8)
    watched(late, range(300, 600), progress=0.8, off=0.2)
    assert late.cause is None
    watched(early, range(300, 600), progress=0.3, off=0.2)
    watched(early, range(600, 900), progress=0.9, off=0.2)
    assert early.cause == "stalled"


def test_a_stalled_run_recovers_when_its_error_falls_clearly():
    watchdog = Watchdog(every=1, grace_steps=0, window=2, stall_window=10)
    watched(watchdog, range(20), off=0.2)
    assert watchdog.cause == "stalled"
    watched(watchdog, range(20, 25), off=0.193)  # 7 % less in the square
    assert watchdog.cause == "stalled"
    watched(watchdog, range(25, 30), off=0.18)
    watched(watchdog, range(30, 35), off=0.15)
    assert watchdog.cause is None


def test_the_watchdog_stops_a_run_where_stop_is_set(caplog):
    watchdog = Watchdog(every=1, grace_steps=0, stop=True)
    with pytest.raises(StuckRun, match=r"step 3, no surface: .* What to do: .*stop=false"):
        watched(watchdog, range(10), opacity=(0.0, 0.0))
    assert caplog.messages == []


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match=r"trainer\.watchdog needs .*, got 50, 4, 200 and 6"):
        Watchdog(stall_window=6)


WATCHFUL = [
    "trainer.watchdog.every=2",
    "trainer.watchdog.grace_steps=6",
    "trainer.watchdog.window=3",
    "trainer.watchdog.stall_window=10",
    "trainer.optimizer.warmup_steps=0",
    "~model.optimizer.freeze_steps",
    "initialization=sphere",
    "sampler=uniform",
]


def blinded(run):
    def nothing(field, rays, generator):  # noqa: ARG001
        t = torch.ones(len(rays), 4)
        return Samples(rays, t, t)

    run.model.sampler.forward = nothing


def pushed_away(run):
    grid = run.model.field.network.grid
    grid.set_box(grid.box + 50.0)


def zeroed(run):
    for parameter in run.model.field.parameters():
        parameter.data.zero_()


def painted_over(run):
    draw = run.batches.draw

    def noise(step, rays):
        batch = draw(step, rays)
        generator = torch.Generator().manual_seed(step)
        colors = torch.rand(batch.targets["target_rgb"].shape, generator=generator)
        return replace(batch, targets={"target_rgb": colors})

    run.batches.draw = noise


@pytest.mark.parametrize(
    ("harm", "cause"),
    [
        (blinded, "no samples"),
        (pushed_away, "no samples"),
        (zeroed, "no surface"),
        (painted_over, "no better than one colour"),
    ],
)
def test_a_damaged_run_is_diagnosed(tmp_path, caplog, harm, cause):
    run = assembled(tmp_path, *WATCHFUL, "trainer.max_steps=20", "dataset.masks=false")
    harm(run)
    assert run.train()
    assert run.watchdog.cause == cause
    assert [m for m in caplog.messages if m.startswith("stuck at step")]


@pytest.mark.parametrize(
    ("radius", "said"),
    [("0.01", "SDF is positive at every sample"), ("4.0", "SDF is negative at every sample")],
)
def test_a_surface_outside_of_the_samples_is_diagnosed(tmp_path, radius, said):
    overrides = [f"model.field.network.radius={radius}", "trainer.optimizer.learning_rate=1e-4"]
    run = assembled(tmp_path, *WATCHFUL, *overrides, "trainer.max_steps=20")
    assert run.train()
    assert run.watchdog.cause == "no surface"
    assert said in run.watchdog.seen["no surface"]


def test_diagnoses_are_in_the_scores_and_in_the_history(tmp_path):
    run = assembled(tmp_path, *WATCHFUL, "trainer.max_steps=12")
    run.evaluator = Evaluator(mesh=None)
    zeroed(run)
    assert run.train()
    run.evaluate()
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["stuck"] == 1.0
    assert "stuck at step" in written["reasons"]["stuck"]
    header, *_, last = (tmp_path / "history.csv").read_text().splitlines()
    assert last.split(",")[header.split(",").index("stuck")] == "1"


def test_without_a_watchdog_nothing_is_checked(tmp_path):
    run = assembled(tmp_path, "trainer.watchdog=null")
    run.evaluator = Evaluator(mesh=None)
    assert run.train()
    assert "stuck" not in (tmp_path / "history.csv").read_text()
    assert "trainer.watchdog=null" in str(run.evaluate().scores["stuck"].reason)


def test_a_resumed_run_keeps_its_diagnoses(tmp_path, caplog):
    overrides = WATCHFUL
    first = assembled(tmp_path, *overrides, "trainer.max_steps=13")
    painted_over(first)
    assert first.train()
    assert first.watchdog.cause is not None
    caplog.clear()
    second = assembled(tmp_path, *overrides, "trainer.max_steps=20")
    second.load(tmp_path / "checkpoints" / "last.pt")
    painted_over(second)
    assert second.train()
    assert second.watchdog.seen == first.watchdog.seen
    assert not [m for m in caplog.messages if m.startswith("stuck")]


def run_of(folder, *overrides, model="neus"):
    """Some hundred steps with the default settings, on small tables and small images."""
    settings = ["dataset.size=48", "dataset.views=20", "trainer.batch_size.samples=2048"]
    settings += [
        "trainer.batch_size.rays=256",
        "trainer.batch_size.max_rays=1024",
        "trainer.max_steps=400",
    ]
    run = assembled(folder, f"model={model}", *settings, *overrides, model=model)
    assert run.train()
    return run.watchdog


@pytest.mark.slow
def test_a_learning_rate_that_is_far_too_high_is_diagnosed(tmp_path):
    watchdog = run_of(tmp_path, "trainer.optimizer.learning_rate=0.5", "initialization=sphere")
    assert watchdog.cause is not None
    assert watchdog.seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "model", "loss"), [("craters", "neus", "neus_mask"), ("cage", "nerf", "nerf")]
)
def test_a_healthy_run_raises_no_alarm(tmp_path, scene, model, loss):
    watchdog = run_of(tmp_path, f"loss={loss}", f"dataset.scene={scene}", model=model)
    assert watchdog.seen == {}
