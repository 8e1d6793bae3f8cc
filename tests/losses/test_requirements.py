"""Requirements are declared at a loss without changing the function."""

import copy
import inspect
import pickle
from functools import partial

import pytest

from nerfloss.losses.adversarial import Adversarial
from nerfloss.losses.requirements import Requirements, Size, requires
from nerfloss.losses.settings_checks import (
    check_settings,
    clamp_margin,
    condition,
    count,
    finite,
    not_negative,
    odd,
    positive,
)
from nerfloss.losses.structural import dssim
from nerfloss.recipe.requirements import requirements_of


def test_a_declared_function_keeps_its_identity_signature_and_docstring():
    def loss(rgb, *, sigma=1.0):
        """Return the colour."""
        return sigma * rgb

    declared = requires(positive("sigma"))(loss)
    assert declared is loss
    assert str(inspect.signature(declared)) == "(rgb, *, sigma=1.0)"
    assert declared(2.0, sigma=3.0) == 6.0


def test_requirements_are_read_from_functions_partials_and_modules_alike():
    assert requirements_of(dssim) is requirements_of(partial(partial(dssim, window=7), sigma=1.0))
    assert requirements_of(Adversarial(layers=3)).smallest_patch({}) == 24
    assert requirements_of(lambda rgb: rgb) is None


def test_a_size_is_a_constant_or_a_function_of_the_settings_that_it_names():
    assert Size.of(3)({}) == 3
    assert Size.of(lambda window: 2 * window)({"window": 5, "sigma": 1.0}) == 10
    assert Size.of(lambda window: 2 * window).settings == ("window",)


def test_requirements_of_a_module_can_be_copied_and_pickled():
    required = Requirements(smallest_patch=Size.of(16))
    for twin in (copy.deepcopy(required), pickle.loads(pickle.dumps(required))):
        assert twin.smallest_patch({}) == 16


@pytest.mark.parametrize(
    ("rule", "valid", "invalid"),
    [
        (positive("x"), [1e-6, 2], [0.0, -1.0, float("nan")]),
        (not_negative("x"), [0.0, 3], [-1e-9, float("nan")]),
        (finite("x"), [0.0, -1e9], [float("inf"), float("nan")]),
        (count("x"), [1, 7], [0, -3, 2.5, True, "3"]),
        (odd("x"), [1, 7], [0, 2]),
        (clamp_margin("x"), [1e-3, 0.49], [0.0, 0.5, -1e-3]),
        (condition("x near 1", lambda x: abs(x - 1) < 0.1), [1.05], [2]),
    ],
    ids=lambda value: getattr(value, "text", None),
)
def test_a_condition_takes_valid_values_and_names_an_invalid_one(rule, valid, invalid):
    for value in valid:
        check_settings("loss", {"x": value}, rule)
    for value in invalid:
        with pytest.raises(ValueError, match=rf"loss needs .*x.*, got x={value}"):
            check_settings("loss", {"x": value}, rule)


def test_a_condition_on_two_settings_names_both():
    rule = condition("low < high", lambda low, high: low < high)
    assert rule.settings == ("low", "high")
    assert rule.fault("loss", {"low": 2, "high": 1}) == "loss needs low < high, got low=2, high=1"
