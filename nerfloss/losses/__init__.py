"""Loss functions, one idea per file; ``nerfloss.losses.<name>`` is the loss of that name.

Files are imported when a name is first used. Where a file has the name of its loss (``eikonal``),
``nerfloss.losses.eikonal`` is the module, and calling it calls the loss.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any


class _LossModule(ModuleType):
    """A file that has the name of its loss: callable as that loss."""

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return vars(self)[self.__name__.rpartition(".")[2]]

    def __call__(self, *quantities: Any, **settings: Any) -> Any:
        return self.__wrapped__(*quantities, **settings)


class _LossPackage(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds a submodule to its package by this assignment, after running it.
        if isinstance(value, ModuleType) and callable(vars(value).get(name)):
            value.__class__ = _LossModule
        super().__setattr__(name, value)


def _loss_files() -> list[ModuleType]:
    return [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]


def __getattr__(name: str) -> Any:
    if find_spec(f"{__name__}.{name}") is not None:
        return import_module(f"{__name__}.{name}")  # a path in a configuration goes through it
    if not name.startswith("_"):
        modules = _loss_files()
        if name in globals():  # a file of that name, bound to the package by its import
            return globals()[name]
        for module in modules:
            loss = vars(module).get(name)
            if getattr(loss, "__module__", None) == module.__name__:
                return loss
    raise AttributeError(f"there is no loss '{name}' in nerfloss.losses")


def __dir__() -> list[str]:
    return sorted(
        name
        for module in _loss_files()
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )


sys.modules[__name__].__class__ = _LossPackage
