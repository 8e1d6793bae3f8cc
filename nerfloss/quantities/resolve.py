"""Quantities by name: given, or made from others by a function, lazily and at most once."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from nerfloss.quantities.signature import inputs_of, plain


@dataclass(frozen=True)
class Rule:
    """How a quantity is made: from which others, in the order in which the function takes them.

    ``of_samples`` says that the function knows the rays and samples of its step besides.
    """

    inputs: tuple[str, ...]
    function: Callable
    of_samples: bool = False

    @classmethod
    def of(cls, function: Callable) -> "Rule":
        """The rule that a function's own signature states."""
        return cls(inputs_of(function), plain(function))


def rules_in(module: ModuleType) -> dict[str, Rule]:
    """Every public function defined in a module, as the rule for the quantity of its name."""
    return {
        name: Rule.of(value)
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
        if not name.startswith("_")
    }


def primitives(needs: Collection[str], rules: Mapping[str, Rule]) -> frozenset[str]:
    """The quantities without a rule that making all of ``needs`` comes down to.

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
    """Every quantity that can be had from the given ones."""
    have = frozenset(given)
    return have | {name for name in rules if primitives({name}, rules) <= have}


class Quantities(Mapping[str, Any]):
    """The quantities of one step; looking one up makes it, once, together with what it needs."""

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
        """How a quantity is made; None for one that was given."""
        return self._rules.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._rules

    def __iter__(self) -> Iterator[str]:
        """The quantities that exist by now, in the order in which they were made."""
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
