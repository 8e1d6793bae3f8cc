"""Taking terms away from composed recipes: they weigh 0, and nothing else changes."""

import pytest
from small_runs import composed

from nerfloss.assembly.config_files import conf_dir
from nerfloss.assembly.instantiation import build
from nerfloss.assembly.sweep_config import ablated, plain, weights_of
from nerfloss.testing.quantities import fake

BALANCERS = sorted(path.stem for path in (conf_dir() / "loss" / "balancer").glob("*.yaml"))


def weights(*overrides):
    return weights_of(plain(ablated(composed(*overrides))))


def test_a_term_that_is_taken_away_weighs_nothing_and_the_others_what_they_did():
    full = weights("loss=neus_full")
    assert weights("loss=neus_full", "ablate=full") == full
    assert weights("loss=neus_full", "ablate=without_mask") == {**full, "mask": 0.0}
    base = weights("loss=neus_full", "ablate=base")
    assert {name for name, weight in base.items() if weight} == {"rgb"}
    assert weights("loss=neus_full", "ablate=alone_mask", "ablate_base=[eikonal]") == {
        **full,
        "rgb": 0.0,
    }


def test_a_weight_that_follows_another_keeps_its_value_when_that_one_is_taken_away():
    linked = ["loss=neus_mask", "loss.terms.mask.weight=${loss.terms.eikonal.weight}"]
    before = weights(*linked)
    assert weights(*linked, "ablate=without_eikonal") == {**before, "eikonal": 0.0}


def test_a_run_that_is_no_ablation_is_left_as_it_is():
    cfg = composed("loss=neus_full")
    assert ablated(cfg) is cfg


@pytest.mark.parametrize("balancer", BALANCERS)
@pytest.mark.parametrize("ablation", ["without_mask", "base"])
def test_every_balancer_weighs_what_is_left(balancer, ablation):
    cfg = composed("loss=neus_mask", f"loss/balancer={balancer}", f"ablate={ablation}")
    recipe = build(ablated(cfg).loss)
    for step in (0, 1):
        report = recipe({name: fake(name) for name in recipe.needs(step)}, step)
        assert report.total.isfinite()
        assert "mask" not in report.values
