"""Parsing of terms: from the keys of a YAML file to a Term, or to a list of all faults."""

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from nerfloss.quantities.signature import inputs_of, plain, settings_of, underlying
from nerfloss.recipe.requirements import setting_key
from nerfloss.recipe.settings_checks import faults_of_values
from nerfloss.recipe.term import Term

KEYS = ("fn", "weight", "schedule", "where", "inputs")


class RecipeError(ValueError):
    """A recipe that cannot be built, or cannot run with the chosen dataset, sampler and model."""


def read_terms(specs: Mapping[str, Any]) -> dict[str, Term]:
    """Return the terms of a recipe in order. Raises RecipeError with every fault of every term."""
    if not specs:
        raise RecipeError(
            "a loss recipe needs at least one term, got none: add one with "
            "+loss/term@loss.terms.rgb=rgb_l1"
        )
    faults = [f"  {name}: {fault}" for name in specs for fault in _faults(name, specs)]
    if faults:
        raise RecipeError("the loss recipe cannot be built:\n" + "\n".join(faults))
    return {name: _term(spec) for name, spec in specs.items()}


def check_terms(specs: Any) -> None:
    """Raise RecipeError with every term without a function, and every weight that is none.

    Before any function is made: each may still be a mapping.
    """
    terms = specs if isinstance(specs, Mapping) else {}
    faults = [f"  {name}: {fault}" for name in terms for fault in faults_of_keys(name, terms)]
    faults += [
        f"  {name}: {fault}"
        for name, spec in terms.items()
        if isinstance(spec, Mapping)
        for fault in _faults_of_weight(spec)
    ]
    if faults:
        raise RecipeError("the loss recipe cannot be built:\n" + "\n".join(faults))


def suggestion(name: str, known: Collection[str]) -> str:
    """Return e.g. ``; did you mean 'target_mask'?``, or '' where no known name is close."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _term(spec: Mapping[str, Any]) -> Term:
    given = {key: value for key, value in spec.items() if value is not None}
    given["weight"] = float(given.get("weight", 1.0))
    given["fn"] = plain(given["fn"])
    return Term(**given)


def _faults(name: str, specs: Mapping[str, Any]) -> Iterator[str]:
    yield from faults_of_keys(name, specs)
    spec = specs[name]
    if not isinstance(spec, Mapping):
        return
    if not _is_missing(spec.get("fn")):
        yield from _faults_of_function(name, spec["fn"], spec.get("inputs"))
    yield from _faults_of_values(spec)


def faults_of_keys(name: str, specs: Mapping[str, Any]) -> Iterator[str]:
    """Yield a message for each fault of a term's name and keys; ``fn`` may still be a mapping."""
    if not isinstance(name, str) or not name or "." in name:
        yield f"the name {name!r} of a term has to be a word without dots"
        return
    spec = specs[name]
    if isinstance(spec, bool | int | float | str | list | None):
        yield f"is {spec!r}, not a term: give it the keys {', '.join(KEYS)}"
        return
    if not isinstance(spec, Mapping) or "_target_" in spec:
        yield "is a function, not a term: a term is {'fn': function, 'weight': ...}"
        return
    for key in spec:
        if key not in KEYS:
            hint = suggestion(str(key), KEYS) or f": a term has the keys {', '.join(KEYS)}"
            yield f"has the unknown key '{key}'{hint}"
    if _is_missing(fn := spec.get("fn")):
        keys = ", ".join(f"'{key}'" for key in spec) or "nothing"
        missing = "'fn'" if fn is None else "function ('fn._target_')"
        hint = suggestion(name, specs.keys() - {name})
        yield (
            f"sets {keys} but has no {missing}, so the recipe has no term of that name{hint}: "
            f"choose one of its own, or add yours with "
            f"+loss/term@loss.terms.{name}=<file in conf/loss/term>"
        )


def _is_missing(fn: Any) -> bool:
    """Return True where ``fn`` is neither a function nor a mapping that names one."""
    return fn is None or (isinstance(fn, Mapping) and "_target_" not in fn)


def _faults_of_weight(spec: Mapping[str, Any]) -> Iterator[str]:
    weight = spec.get("weight", 1.0)
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not (number and math.isfinite(weight) and weight >= 0):
        yield f"has weight {weight!r}: a weight is a finite number, 0 or more"


def _faults_of_values(spec: Mapping[str, Any]) -> Iterator[str]:
    yield from _faults_of_weight(spec)
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
    bound = fn.func if isinstance(fn, functools.partial) else fn
    if inspect.isclass(bound):
        yield f"has the class {_name(bound)} for fn, not an instance: drop '_partial_: true'"
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
        elif parameter.kind != parameter.KEYWORD_ONLY and not _is_required(parameter):
            yield (
                f"fn {_name(function)} has a default for '{parameter.name}': a quantity is always "
                f"required, and a setting goes after '*'"
            )
    yield from _faults_of_settings(name, fn)
    yield from _faults_of_inputs(fn, inputs)


def _is_required(quantity: inspect.Parameter) -> bool:
    """Return True for a positional parameter without a default, and for ``generator=None``.

    A recipe supplies the generator like any quantity; other callers may leave it out.
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
    yield from unknown_settings(term, bound - set(quantities), settings)
    for name, default in settings.items():
        if default is inspect.Parameter.empty and name not in bound:
            yield f"leaves its setting '{name}' without a value: bind it next to '_target_'"
    yield from faults_of_values(term, fn)


def unknown_settings(term: str, given: Collection[str], settings: Collection[str]) -> Iterator[str]:
    """Yield a message for each ``given`` name that is none of a term's ``settings``."""
    for name in sorted(set(given) - set(settings)):
        known = ", ".join(settings) or "none"
        hint = suggestion(name, settings) or f": remove {setting_key(term, name)}"
        yield f"has no setting '{name}' (settings: {known}){hint}"


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
    named = inspect.isroutine(function) or inspect.isclass(function)
    return str(function.__qualname__ if named else type(function).__name__)
