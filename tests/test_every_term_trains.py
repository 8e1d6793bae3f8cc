"""Every term of conf/loss/term trains. There is no list of exceptions."""

import functools
import math
from collections import defaultdict

import pytest
import torch
from fitting_runs import PLAIN, TERMS, models_for, settings_for
from small_runs import history

from nerfloss.assembly.config_files import conf_dir
from nerfloss.training import checkpoint

# What every term is tried with: (model, settings) -> names. One run serves all of an entry's terms.
RUNS = defaultdict(list)
for _name, _term in TERMS.items():
    for _model in sorted(models_for(_term)):
        RUNS[_model, settings_for([_term])].append(_name)


# They train too, and ask for nothing while nothing is wrong: as with the sphere of the start.
ONE_SIDED = {"boundary", "bounds", "monotone", "non_negative", "visual_hull"}


@pytest.fixture(scope="module")
def pulls(train):
    """A function: what each term of a run comes to after its steps, and whether it pulls."""

    @functools.cache
    def looked_at(model, *overrides):
        run = train(model, *overrides)
        trainer, recipe = run.trainer, run.recipe
        batch = run.batches.draw(trainer.step, trainer.rays)
        needs, given = recipe.needs(trainer.step), {**batch.targets, **vars(trainer.schedule)}
        generator = torch.Generator().manual_seed(0)
        quantities = trainer.model(batch.rays, needs, given=given, generator=generator)
        report = recipe(quantities, trainer.step)
        groups = trainer.model.parameter_groups().values()
        weights = [weight for group in groups for weight in group if weight.requires_grad]
        return {
            name: (float(value.detach()), pulled(value, weights))
            for name, value in report.values.items()
        }

    return looked_at


def pulled(value, weights):
    found = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
    gradients = [gradient for gradient in found if gradient is not None]
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)
    return any(bool(gradient.any()) for gradient in gradients)


def with_terms(run):
    """A model, and overrides that add a run's terms, under names of their own, to its recipe."""
    model, settings = run
    added = [f"+loss/term@loss.terms.{name}_added={name}" for name in RUNS[run]]
    return model, f"loss={PLAIN[model]}", *settings, *added


def run_of(name):
    return next(run for run in RUNS if name in RUNS[run])


def test_every_term_is_in_a_run():
    folder = conf_dir() / "loss" / "term"
    assert {name for run in RUNS for name in RUNS[run]} == {f.stem for f in folder.glob("*.yaml")}


@pytest.mark.parametrize(
    ("name", "run"),
    [pytest.param(name, run, id=f"{name}-{run[0]}") for run in RUNS for name in RUNS[run]],
)
def test_a_term_takes_part_in_training(train, pulls, name, run):
    rows = history(train(*with_terms(run)).folder)
    assert all(math.isfinite(float(row[f"loss/{name}_added"])) for row in rows)
    value, is_pulling = pulls(*with_terms(run))[f"{name}_added"]
    assert is_pulling or (name in ONE_SIDED and value == 0)


LOGGED = {
    "adversarial": ("discriminator", "real_score", "fake_score"),
    "feature_matching": ("discriminator", "real_score", "fake_score"),
    "info_nce": ("instances",),
    "spatial_bce": ("threshold",),
    "learnable_chamfer": ("attention",),
}


@pytest.mark.parametrize("name", LOGGED)
def test_the_state_that_a_term_learns_is_logged(train, name):
    rows = history(train(*with_terms(run_of(name))).folder)
    for entry in LOGGED[name]:
        assert all(row[f"loss/{name}_added/{entry}"] for row in rows)


def test_networks_that_are_not_trained_are_in_no_checkpoint(train):
    terms = ("perceptual", "style", "lpips")
    run = run_of("perceptual")
    assert set(terms) <= set(RUNS[run])
    saved = checkpoint.load(checkpoint.latest(train(*with_terms(run)).folder))["recipe"]
    assert any("adversarial_added" in key for key in saved)
    assert not [key for key in saved for term in terms if f"{term}_added" in key]
