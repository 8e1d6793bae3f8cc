"""Gradient checks: correct terms pass, wrong ones fail, the others state the reason."""

import pytest
import torch
from small_runs import TINY_SDF, composed

from nerfloss.assembly.build import build_model
from nerfloss.assembly.instantiation import build
from nerfloss.cli.main import main
from nerfloss.cli.reference.gradient_table import gradient_table
from nerfloss.diagnostics.finite_differences import compare_derivatives
from nerfloss.diagnostics.frozen_stop_gradients import FrozenStopGradients
from nerfloss.diagnostics.gradient_check import FROZEN, TOLERANCE, check_recipe

CPU = torch.device("cpu")


def own(*names):
    return [
        f"+loss.terms.{name}={{fn: {{_target_: broken_terms.{name}, _partial_: true}}}}"
        for name in names
    ]


def checked(*overrides, model="neus"):
    cfg = composed(*overrides, model=model)
    return check_recipe(build(cfg.loss), build_model(cfg, CPU), step=100)


@pytest.fixture(scope="module")
def traps():
    """A recipe of sound terms and of broken ones, checked once."""
    names = ("half_the_gradient", "careless", "stops", "draws", "raises", "flat")
    return checked("+loss/term@loss.terms.curvature=curvature", *own(*names))


def test_correct_terms_pass(traps):
    for name in ("rgb", "eikonal", "curvature"):
        assert not traps[name].wrong
        for trial in (traps[name].on_quantities, traps[name].through_field):
            assert trial.error <= TOLERANCE
            assert trial.note == ""


def test_a_wrong_backward_pass_fails_on_quantities_and_through_the_field(traps):
    found = traps["half_the_gradient"]
    assert found.wrong
    # Half of the derivative is missing: the relative difference is 1/2.
    assert found.on_quantities.error == pytest.approx(0.5, rel=1e-3)
    assert found.through_field.error == pytest.approx(0.5, rel=1e-3)


def test_a_stop_gradient_passes_with_a_note(traps):
    found = traps["stops"]
    assert not found.wrong
    assert found.on_quantities.note == found.through_field.note == FROZEN


def test_a_random_term_is_checked_with_fixed_random_numbers(traps):
    found = traps["draws"]
    assert not found.wrong
    assert found.draws
    assert found.through_field.error <= TOLERANCE


def test_a_declared_approximate_gradient_has_a_larger_tolerance(traps):
    assert traps["careless"].on_quantities.error == pytest.approx(0.1, rel=1e-3)
    assert not traps["careless"].wrong
    assert "careless: approximate by design, off by a tenth" in gradient_table(traps).notes


def test_terms_that_cannot_be_checked_state_the_reason(traps):
    assert traps["raises"].on_quantities.note.startswith("not tried: ArithmeticError: no answer")
    assert not traps["raises"].wrong
    assert traps["flat"].through_field.note == "does not move it"


def test_the_table_has_a_result_for_each_term(traps):
    table = gradient_table(traps)
    verdicts = {row[0]: row[-1] for row in table.rows}
    assert verdicts["rgb"] == "right"
    assert verdicts["half_the_gradient"] == "WRONG"
    assert verdicts["stops"] == "right (frozen stop-gradients)"
    assert verdicts["draws"] == "right (draws)"
    assert verdicts["raises"] == verdicts["flat"] == "not checked"
    assert any("stop-gradient" in note for note in table.notes)


@pytest.mark.parametrize(
    ("model", "overrides"),
    [
        ("nerf", ["loss=nerf", "sampler=proposal", "+loss/term@loss.terms.i=interlevel"]),
        ("volsdf", ["loss=volsdf"]),
        ("neus", ["+loss/term@loss.terms.dssim=dssim"]),
        ("neus", ["+loss/term@loss.terms.t=tangent_curvature"]),
        pytest.param("neus", ["+loss/term@loss.terms.s=sinkhorn_emd"], marks=pytest.mark.slow),
    ],
    ids=["a sampler that learns", "volsdf", "patches", "random directions", "approximate"],
)
def test_synthetic_batches_fit_all_models_samplers_and_batches(model, overrides):
    found = checked(f"model={model}", *overrides, model=model)
    for name, term in found.items():
        assert not term.wrong, (name, term)
        assert term.through_field.error is not None, (name, term)


def test_a_term_that_the_model_cannot_feed_is_checked_on_quantities_alone():
    found = checked("+loss/term@loss.terms.d=density_cauchy")["d"]
    assert found.through_field.note.startswith("not tried: needs 'densities', which only density")
    assert found.on_quantities.error is not None
    assert found.on_quantities.error <= TOLERANCE


def test_the_command_fails_where_a_gradient_is_wrong(capsys):
    assert main(["gradcheck", "loss=neus_eikonal", *TINY_SDF, *own("half_the_gradient")]) == 1
    assert "WRONG" in capsys.readouterr().out
    assert main(["gradcheck", "loss=no_such_recipe"]) == 2
    assert "no_such_recipe" in capsys.readouterr().err


def test_detached_tensors_are_reused_and_the_rest_is_recomputed():
    x = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    frozen = FrozenStopGradients()

    def value():
        with torch.no_grad():
            frozen = x * 10
        return (x + frozen + x.detach()).sum()

    with frozen:
        assert value().item() == 24
    with torch.no_grad():
        x.add_(1)
    with frozen:
        assert value().item() == 25
    assert value().item() == 36
    assert torch.is_grad_enabled()


def test_stop_gradients_that_change_between_evaluations_are_refused():
    x = torch.ones(1, requires_grad=True)
    frozen = FrozenStopGradients()
    with frozen:
        assert x.detach() == 1
    with pytest.raises(RuntimeError, match="change from one evaluation to the next"), frozen:
        assert x.detach() == x.detach()


def test_derivatives_agree_at_any_scale():
    for size in (1e-8, 1.0, 1e8):
        x = (size * torch.rand(5, dtype=torch.float64)).requires_grad_()
        found = compare_derivatives(lambda x=x: x.sin().sum() + x.square().sum(), [x])
        assert found.moves
        assert found.error < 1e-4
