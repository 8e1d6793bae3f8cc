"""Neural surface reconstruction in which the loss is a recipe.

The public interface; everything else may move. Modules are imported when a name is first used.

- `load_recipe`: a loss recipe by its name, for any trainer
- `losses`: loss functions, one idea per module
- `testing`: checks for loss terms of your own
- `evaluate_images`, `evaluate_mesh`: scores of images and meshes
- `show`: runs in a notebook
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nerfloss import losses, testing
    from nerfloss.assembly.recipe_loading import load_recipe
    from nerfloss.assembly.standalone_evaluation import evaluate_images, evaluate_mesh
    from nerfloss.experiments.report.show import show

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "evaluate_images",
    "evaluate_mesh",
    "load_recipe",
    "losses",
    "show",
    "testing",
]

_MODULES = {
    "evaluate_images": "nerfloss.assembly.standalone_evaluation",
    "evaluate_mesh": "nerfloss.assembly.standalone_evaluation",
    "load_recipe": "nerfloss.assembly.recipe_loading",
    "show": "nerfloss.experiments.report.show",
}


def __getattr__(name: str) -> Any:
    if name in ("losses", "testing"):
        return import_module(f"nerfloss.{name}")
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'nerfloss' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
