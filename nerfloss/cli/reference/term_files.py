"""Read the terms and recipes of conf/loss as data, without composing a configuration."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nerfloss.assembly.config_files import named, read_yaml
from nerfloss.quantities.signature import inputs_of, settings_of, underlying

_KEYS_OF_FN = frozenset({"_target_", "_partial_"})
_SET_BY_RECIPES = ("weight", "where", "schedule", "inputs")


@dataclass(frozen=True)
class TermFile:
    """A term of conf/loss/term; ``bound`` are the settings that its YAML gives the function."""

    name: str
    path: Path
    target: str
    weight: float = 1.0
    where: str | None = None
    schedule: Any = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    bound: Mapping[str, Any] = field(default_factory=dict)

    @property
    def function(self) -> Callable:
        """The function or class that ``fn`` names; imported on access.

        Raises ValueError where it cannot be imported.
        """
        module, _, name = self.target.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(
                f"{self.path}: fn names '{self.target}', which cannot be imported ({error}): "
                f"write the module and the function, e.g. nerfloss.losses.eikonal.eikonal"
            ) from error

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the quantities it needs, after renames, with the one in ``where``."""
        function = self.function
        names = inputs_of(function)
        if isinstance(function, type):  # the forward of a class still has its self
            names = names[1:]
        asked = [self.inputs.get(name, name) for name in names]
        return tuple(dict.fromkeys([*asked, *([self.where] if self.where else [])]))

    @property
    def settings(self) -> dict[str, Any]:
        """Settings by name: the value in the YAML file, or the default of the function."""
        function = self.function
        own = settings_of(function.__init__ if isinstance(function, type) else function)
        return own | dict(self.bound)

    @property
    def documentation(self) -> str:
        """Docstring of the function; of a class, or of its forward method."""
        return self.function.__doc__ or underlying(self.function).__doc__ or ""


@dataclass(frozen=True)
class RecipeFile:
    """A recipe of conf/loss: its terms by name, with the settings that the recipe changes."""

    name: str
    path: Path
    terms: Mapping[str, TermFile]

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the quantities that its terms of non-zero weight need."""
        active = (term for term in self.terms.values() if term.weight != 0)
        return tuple(dict.fromkeys(need for term in active for need in term.needs))


def term_files(conf: Path) -> dict[str, TermFile]:
    """Return every term of ``conf``/loss/term by name."""
    return {n: _term(n, path) for n, path in named(conf / "loss" / "term").items()}


def recipe_files(conf: Path) -> dict[str, RecipeFile]:
    """Return every recipe of ``conf``/loss by name."""
    terms = term_files(conf)
    paths = named(conf / "loss")
    return {name: _recipe(name, paths, terms) for name in paths}


def _term(name: str, path: Path) -> TermFile:
    content = read_yaml(path)
    fn = content.get("fn") if isinstance(content, Mapping) else None
    if not isinstance(fn, Mapping) or "_target_" not in fn:
        raise ValueError(f"{path}: a term needs fn with a _target_, e.g. fn: {{_target_: my.f}}")
    return TermFile(
        name=name,
        path=path,
        target=fn["_target_"],
        weight=content.get("weight", 1.0),
        where=content.get("where"),
        schedule=content.get("schedule"),
        inputs=content.get("inputs") or {},
        bound={key: value for key, value in fn.items() if key not in _KEYS_OF_FN},
    )


def _recipe(name: str, paths: Mapping[str, Path], terms: Mapping[str, TermFile]) -> RecipeFile:
    """Read a recipe: its defaults list (terms, other recipes), then its own settings."""
    content = read_yaml(paths[name]) or {}
    chosen: dict[str, TermFile] = {}
    for entry in content.get("defaults", []):
        if isinstance(entry, str):
            base = entry.rpartition("/")[2]
            if base in paths and base != name:
                chosen |= _recipe(base, paths, terms).terms
            continue
        for key, choice in entry.items():
            group, _, package = key.removeprefix("override ").partition("@")
            if group.rpartition("/")[2] == "term" and choice is not None:
                chosen[package.rpartition(".")[2]] = _known(choice, terms, paths[name])
    for key, own in (content.get("terms") or {}).items():
        if key in chosen and isinstance(own, Mapping):
            known = {name: own[name] for name in _SET_BY_RECIPES if name in own}
            chosen[key] = replace(chosen[key], **known)
    return RecipeFile(name, paths[name], chosen)


def _known(choice: str, terms: Mapping[str, TermFile], path: Path) -> TermFile:
    if choice not in terms:
        raise ValueError(f"{path} uses the term '{choice}', for which there is no YAML file")
    return terms[choice]
