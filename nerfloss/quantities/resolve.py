"""Resolution of quantities by name: given, or computed from others lazily and once."""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from nerfloss.quantities.signature import inputs_of, plain


@dataclass(frozen=True)
class Rule:
    """The ``function`` that computes a quantity, and the names of its ``inputs`` in order.

    ``of_samples`` is True for a function that is bound to the rays and samples of a step.
    """

    inputs: tuple[str, ...]
    function: Callable
    of_samples: bool = False

    @classmethod
    def of(cls, function: Callable) -> "Rule":
        """Return the rule that a function's signature states."""
        return cls(inputs_of(function), plain(function))


def rules_in(module: ModuleType) -> dict[str, Rule]:
    """Return a rule for each public function of a module, by its name."""
    functions = {name: value for name, value in vars(module).items() if inspect.isfunction(value)}
    return {
        name: Rule.of(function)
        for name, function in functions.items()
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def primitives(needs: Collection[str], rules: Mapping[str, Rule]) -> frozenset[str]:
    """Return the quantities without a rule that all of ``needs`` depend on.

    Raises ValueError where a quantity would need itself.
    """
    found: set[str] = set()
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ValueError(f"quantity '{name}' needs itself: {' -> '.join((*path, name))}")
        if name in done:
            return
        if name in rules:
            for other in rules[name].inputs:
                visit(other, (*path, name))
        else:
            found.add(name)
        done.add(name)

    for name in needs:
        visit(name, ())
    return frozenset(found)


def obtainable(given: Collection[str], rules: Mapping[str, Rule]) -> frozenset[str]:
    """Return the given quantities and all that can be derived from them."""
    have = frozenset(given)
    return have | {name for name in rules if primitives({name}, rules) <= have}


class Quantities(Mapping[str, Any]):
    """Mapping of the quantities of one step; each is computed when it is first looked up."""

    def __init__(self, given: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
        self._values = dict(given)
        self._rules = rules

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            if name not in self._rules:
                raise KeyError(f"quantity '{name}' is neither given nor derived here")
            rule = self._rules[name]
            self._values[name] = rule.function(*(self[other] for other in rule.inputs))
        return self._values[name]

    def rule(self, name: str) -> Rule | None:
        """Return the rule of a quantity; None for a given one."""
        return self._rules.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._rules

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the quantities computed so far, in that order."""
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
