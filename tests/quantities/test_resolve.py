"""Quantities are found by name, made lazily, and made once."""

import pytest

from nerfloss.quantities import derived
from nerfloss.quantities.resolve import Quantities, Rule, obtainable, primitives, rules_in


def counted(calls):
    def total(a, b):
        calls.append("total")
        return a + b

    def double(total):
        return 2 * total

    def triple(total):
        return 3 * total

    return {f.__name__: Rule.of(f) for f in (total, double, triple)}


def test_a_quantity_is_computed_at_most_once():
    calls = []
    quantities = Quantities({"a": 1, "b": 2}, counted(calls))
    assert (quantities["double"], quantities["triple"]) == (6, 9)
    assert calls == ["total"]


def test_quantities_that_are_not_looked_up_are_not_computed():
    calls = []
    quantities = Quantities({"a": 1, "b": 2}, counted(calls))
    assert quantities["a"] == 1
    assert "double" in quantities
    assert calls == []


def test_a_given_quantity_wins_over_a_rule():
    assert Quantities({"total": 5}, counted([]))["double"] == 10


def test_an_unknown_name_raises_a_key_error_with_the_name():
    with pytest.raises(KeyError, match="'sdf' is neither given nor derived"):
        Quantities({}, {})["sdf"]


def test_primitives_are_the_quantities_without_a_rule():
    assert primitives({"double", "triple"}, counted([])) == {"a", "b"}


def test_a_quantity_that_needs_itself_is_named_with_its_path():
    rules = {"x": Rule(("y",), abs), "y": Rule(("x",), abs)}
    with pytest.raises(ValueError, match="needs itself: x -> y -> x"):
        primitives({"x"}, rules)


def test_obtainable_leaves_out_what_lacks_a_primitive():
    assert obtainable({"a"}, counted([])) == {"a"}
    assert obtainable({"a", "b"}, counted([])) == {"a", "b", "total", "double", "triple"}


def test_rules_of_a_module_are_its_own_public_functions():
    rules = rules_in(derived)
    assert rules["rgb"].inputs == ("rgb_foreground", "opacity", "background_rgb")
    assert "compositing_weights" not in rules
