"""From the keys of a term's YAML to a Term, or to a list of everything that is wrong with them."""

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from nerfloss.quantities.signature import inputs_of, plain, settings_of, underlying
from nerfloss.recipe.settings_checks import faults_of_values
from nerfloss.recipe.term import Term

KEYS = ("fn", "weight", "schedule", "where", "inputs")


class RecipeError(ValueError):
    """A recipe that cannot be built, or cannot run with the chosen dataset, sampler and model."""


def read_terms(specs: Mapping[str, Any]) -> dict[str, Term]:
    """The terms of a recipe in their order. Raises RecipeError with every fault of every term."""
    if not specs:
        raise RecipeError(
            "a loss recipe needs at least one term, got none: add one with "
            "+loss/term@loss.terms.rgb=rgb_l1"
        )
    faults = [f"  {name}: {fault}" for name in specs for fault in _faults(name, specs[name])]
    if faults:
        raise RecipeError("the loss recipe cannot be built:\n" + "\n".join(faults))
    return {name: _term(spec) for name, spec in specs.items()}


def suggestion(name: str, known: Collection[str]) -> str:
    """``; did you mean 'target_mask'?``, or nothing where no known name is close."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _term(spec: Mapping[str, Any]) -> Term:
    given = {key: value for key, value in spec.items() if value is not None}
    given["weight"] = float(given.get("weight", 1.0))
    given["fn"] = plain(given["fn"])
    return Term(**given)


def _faults(name: str, spec: Any) -> Iterator[str]:
    if not isinstance(name, str) or not name or "." in name:
        yield f"the name {name!r} of a term has to be a word without dots"
        return
    if not isinstance(spec, Mapping):
        yield f"is {spec!r}, not a term: give it the keys {', '.join(KEYS)}"
        return
    for key in spec:
        if key not in KEYS:
            hint = suggestion(str(key), KEYS) or f": a term has the keys {', '.join(KEYS)}"
            yield f"has the unknown key '{key}'{hint}"
    if spec.get("fn") is None:
        set_keys = ", ".join(f"'{key}'" for key in spec) or "nothing"
        yield (
            f"sets {set_keys} but has no 'fn', so the recipe has no term of that name: choose one "
            f"of its own, or add yours with +loss/term@loss.terms.{name}=<file in conf/loss/term>"
        )
    else:
        yield from _faults_of_function(name, spec["fn"], spec.get("inputs"))
    yield from _faults_of_values(spec)


def _faults_of_values(spec: Mapping[str, Any]) -> Iterator[str]:
    weight = spec.get("weight", 1.0)
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not (number and math.isfinite(weight) and weight >= 0):
        yield f"has weight {weight!r}: a weight is a finite number, 0 or more"
    if spec.get("schedule") is not None and not callable(spec["schedule"]):
        yield (
            f"has schedule {spec['schedule']!r}: a schedule is a function of the step, e.g. "
            f"{{_target_: nerfloss.recipe.schedules.ramp, begin: 0, end: 1000}}"
        )
    if spec.get("where") is not None and not isinstance(spec["where"], str):
        yield f"has where {spec['where']!r}: name one quantity, e.g. target_mask"


def _faults_of_function(name: str, fn: Any, inputs: Any) -> Iterator[str]:
    if not callable(fn):
        yield f"has fn {fn!r}, which cannot be called: name a function by '_target_'"
        return
    if inspect.isclass(getattr(fn, "func", fn)):
        given = _name(getattr(fn, "func", fn))
        yield f"has the class {given} for fn, not an instance: drop '_partial_: true'"
        return
    function = underlying(fn)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        yield f"fn {_name(function)} does not say what it takes: wrap it in a Python function"
        return
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            yield f"fn {_name(function)} takes {parameter}: quantities and settings need names"
        elif parameter.kind != parameter.KEYWORD_ONLY and not _always_asked_for(parameter):
            yield (
                f"fn {_name(function)} has a default for '{parameter.name}': a quantity is always "
                f"required, and a setting goes after '*'"
            )
    yield from _faults_of_settings(name, fn)
    yield from _faults_of_inputs(fn, inputs)


def _always_asked_for(quantity: inspect.Parameter) -> bool:
    """Whether a positional parameter has no default, beside ``generator=None``.

    A recipe supplies the generator like any quantity; calls by hand may leave it out.
    """
    if quantity.name == "generator" and quantity.default is None:
        return True
    return quantity.default is quantity.empty


def _faults_of_settings(term: str, fn: Callable) -> Iterator[str]:
    quantities, settings = inputs_of(fn), settings_of(fn)
    partial = fn if isinstance(fn, functools.partial) else functools.partial(fn)
    bound = {*partial.keywords, *quantities[: len(partial.args)]}
    for name in sorted(bound & set(quantities)):
        yield (
            f"binds '{name}', which the run provides: only settings, the parameters after '*', "
            f"take values in YAML; 'inputs' renames quantities"
        )
    for name in sorted(bound - settings.keys() - set(quantities)):
        known = ", ".join(settings) or "none"
        hint = suggestion(name, settings) or f": remove loss.terms.{term}.fn.{name}"
        yield f"has no setting '{name}' (settings: {known}){hint}"
    for name, default in settings.items():
        if default is inspect.Parameter.empty and name not in bound:
            yield f"leaves its setting '{name}' without a value: bind it beside '_target_'"
    yield from faults_of_values(term, fn)


def _faults_of_inputs(fn: Callable, inputs: Any) -> Iterator[str]:
    if inputs is None:
        return
    if not isinstance(inputs, Mapping):
        yield f"has inputs {inputs!r}: map parameters to quantities, {{prediction: depth}}"
        return
    parameters = inputs_of(fn)
    for name, quantity in inputs.items():
        if name not in parameters:
            known = ", ".join(parameters) or "none"
            hint = suggestion(str(name), parameters)
            yield f"inputs rename '{name}', but fn takes no such quantity (takes: {known}){hint}"
        if not isinstance(quantity, str):
            yield f"inputs give '{name}' the value {quantity!r}: name a quantity"


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", type(function).__name__)
