"""Diagnosed runs: the same bits as undiagnosed ones, and a table of what their terms do."""

import csv

import pytest
import torch
from omegaconf import OmegaConf
from slow_params import slow_but
from small_runs import assembled, composed

from nerfloss.assembly.build import assemble
from nerfloss.assembly.config_files import conf_dir
from nerfloss.assembly.saved_config import saved_config
from nerfloss.diagnostics import gradient_logger
from nerfloss.diagnostics.gradient_logger import Diagnostics
from nerfloss.training.callbacks.checkpointing import Checkpointing

BALANCERS = sorted(file.stem for file in (conf_dir() / "loss" / "balancer").glob("*.yaml"))
LATE = "{_target_: nerfloss.recipe.schedules.after, begin: 2}"
SCENE = ["dataset.size=16", "dataset.views=3", "dataset.test_views=1"]
RECIPE = [
    "loss=neus_full",
    f"+loss.terms.sparsity.schedule={LATE}",
    "loss.terms.sparsity.weight=0.01",
]
ON = ["diagnostics=on", "diagnostics.every=2"]


def state(run):
    found = run.trainer.state_dict()
    flat = {f"model.{k}": v for k, v in found["model"]["field"].items()}
    flat |= {f"recipe.{k}": v for k, v in found["recipe"].items()}
    flat |= {f"mean.{i}": v for i, v in enumerate(found["optimizer"]["mean"])}
    return {key: value for key, value in flat.items() if isinstance(value, torch.Tensor)}


def rows(folder):
    with open(folder / "diagnostics.csv") as file:
        return list(csv.DictReader(file))


def callback_of(run, kind):
    return next(each for each in run.trainer.callbacks if isinstance(each, kind))


def trained(folder, *overrides, model="neus"):
    run = assembled(folder, *SCENE, *overrides, model=model)
    assert run.train()
    return run


@pytest.mark.parametrize("balancer", slow_but(("none", "pcgrad"), BALANCERS))
def test_diagnostics_do_not_change_the_run_with_any_balancer(tmp_path, balancer):
    settings = [*RECIPE, f"loss/balancer={balancer}", "trainer.max_steps=5"]
    plain = state(trained(tmp_path / "plain", *settings))
    diagnosed = state(trained(tmp_path / "diagnosed", *settings, *ON))
    assert plain.keys() == diagnosed.keys()
    assert [key for key in plain if not torch.equal(plain[key], diagnosed[key])] == []
    assert not (tmp_path / "plain" / "diagnostics.csv").exists()
    assert [row["step"] for row in rows(tmp_path / "diagnosed")] == ["2", "4"]


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("nerf", ["loss=nerf_robust"]),
        ("nerf", ["loss=nerf", "sampler=proposal", "+loss/term@loss.terms.i=interlevel"]),
        ("volsdf", ["loss=volsdf", "sampler=hierarchical"]),
    ],
)
def test_diagnostics_do_not_change_the_run_of_any_model(tmp_path, model, settings):
    settings = [f"model={model}", *settings, "trainer.max_steps=4"]
    plain = state(trained(tmp_path / "plain", *settings, model=model))
    diagnosed = state(trained(tmp_path / "diagnosed", *settings, *ON, model=model))
    assert [key for key in plain if not torch.equal(plain[key], diagnosed[key])] == []


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory):
    """The rows of a run of six steps with a term that begins late, and its folder."""
    folder = tmp_path_factory.mktemp("diagnosed")
    settings = [*RECIPE, *ON, "trainer.max_steps=6", "trainer.preview_every=3"]
    trained(folder, *settings)
    return rows(folder), folder


def test_the_columns_are_those_of_all_terms_from_the_beginning(diagnosed):
    found, _ = diagnosed
    terms = ["rgb", "eikonal", "mask", "sparsity"]
    assert list(found[0]) == ["step", *gradient_logger.columns_of(terms)]
    assert "conflict/eikonal/sparsity" in found[0]


def test_a_term_that_begins_late_has_empty_cells_and_no_weight_until_then(diagnosed):
    found, _ = diagnosed
    first, later = found[0], found[-1]
    assert (first["sparsity/value"], first["sparsity/weight"]) == ("", "0")
    assert first["conflict/rgb/sparsity"] == first["health/sparsity"] == ""
    assert float(later["sparsity/weight"]) == 0.01
    assert -1 <= float(later["conflict/rgb/sparsity"]) <= 1
    assert later["health/sparsity"] == "ok"


def test_shares_of_the_total_and_of_the_gradient_sum_to_one(diagnosed):
    found, _ = diagnosed
    for name in ("share", "gradient_share"):
        cells = [found[-1][f"{term}/{name}"] for term in ("rgb", "eikonal", "mask", "sparsity")]
        assert sum(map(float, cells)) == pytest.approx(1)


def test_the_gap_is_logged_at_previews(diagnosed):
    found, _ = diagnosed
    assert {row["step"]: bool(row["gap/psnr"]) for row in found} == {
        "2": False,
        "3": True,
        "4": False,
        "6": True,
    }


def test_the_numbers_are_written_to_tensorboard(diagnosed):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found, folder = diagnosed
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    seen = {event.step: event.value for event in events.Scalars("conflict/rgb/eikonal")}
    assert seen == {
        int(row["step"]): pytest.approx(float(row["conflict/rgb/eikonal"]))
        for row in found
        if row["conflict/rgb/eikonal"]
    }
    assert [event.value for event in events.Scalars("health/rgb")] == [1.0, 1.0, 1.0]


def test_a_resumed_run_has_the_rows_of_an_uninterrupted_one(tmp_path):
    settings = [*RECIPE, *ON, "diagnostics.every=1", "trainer.checkpoint_every=2"]
    trained(tmp_path / "whole", *settings, "trainer.max_steps=6")
    first = assembled(tmp_path / "parts", *SCENE, *settings, "trainer.max_steps=6")
    checkpointing = callback_of(first, Checkpointing)
    save = checkpointing.save
    checkpointing.save = lambda trainer: save(trainer) if trainer.step == 2 else None
    assert first.train()
    assert len(rows(tmp_path / "parts")) == 6
    second = assembled(tmp_path / "parts", *SCENE, *settings, "trainer.max_steps=6")
    second.load(tmp_path / "parts" / "checkpoints" / "last.pt")
    assert second.trainer.step == 2
    assert second.train()
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")
    healths = [callback_of(run, Diagnostics)._health for run in (first, second)]
    assert healths[0]
    assert healths[1]
    assert healths[0]["rgb"]._norms == healths[1]["rgb"]._norms


def test_a_term_whose_gradient_stays_0_is_reported_dead(tmp_path, caplog):
    flat = "+loss.terms.flat={fn: {_target_: broken_terms.flat, _partial_: true}}"
    trained(tmp_path, flat, *ON, "diagnostics.every=1", "diagnostics.dead=2", "trainer.max_steps=3")
    assert [row["health/flat"] for row in rows(tmp_path)] == ["ok", "dead", "dead"]
    said = [record.getMessage() for record in caplog.records if "'flat'" in record.getMessage()]
    assert said == ["step 2: the gradient of loss term 'flat' is dead"]


def test_a_run_without_diagnostics_cannot_be_resumed_with_them(tmp_path):
    cfg = composed()
    OmegaConf.save(cfg, tmp_path / "config.yaml")
    (tmp_path / ".hydra").mkdir()
    (tmp_path / "config.yaml").rename(tmp_path / ".hydra" / "config.yaml")
    with pytest.raises(ValueError, match="begin another run with diagnostics=on"):
        assemble(saved_config(tmp_path, ["diagnostics=on"]), tmp_path)


def test_an_interval_below_1_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"diagnostics\.every must be at least 1, got 0"):
        assembled(tmp_path, "diagnostics=on", "diagnostics.every=0")
