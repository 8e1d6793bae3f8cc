"""Networks that estimate maps from one image: any callable, or one of the package transformers."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

# Returns an array, or arrays by what they are: depth, disparity, normal.
Estimator = Callable[[UInt8[np.ndarray, "height width 3"]], Any]
TRANSFORMERS = "transformers"


def check_estimator(name: str) -> None:
    """Raise ModuleNotFoundError where a name needs the package transformers, and it is missing."""
    if _is_checkpoint(name):
        from nerfloss.data.priors.transformers_depth import require_transformers

        require_transformers()


def load_estimator(name: str) -> Estimator:
    """Return the function ``module:function``, or the pipeline ``transformers:<checkpoint>``.

    Raises ValueError for a name that leads to no function, or a checkpoint that cannot be loaded.
    """
    module, _, function = name.partition(":")
    if _is_checkpoint(name):
        from nerfloss.data.priors.transformers_depth import depth_pipeline

        return depth_pipeline(function or None)
    if not (module and function):
        raise ValueError(
            f"--model {name} names no function: write module:function, or "
            f"{TRANSFORMERS}:<checkpoint>"
        )
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise
        raise ValueError(
            f"--model {name}: no module is called {error.name}; it must be in this folder, or "
            "installed"
        ) from error
    value = vars(found).get(function)
    if not callable(value):
        raise ValueError(f"--model {name}: {module} has no function {function}")
    if inspect.isclass(value):
        raise ValueError(
            f"--model {name} is a class: name a function of one image, e.g. that of an object"
        )
    return value


def _is_checkpoint(name: str) -> bool:
    return name.partition(":")[0] == TRANSFORMERS and name != f"{TRANSFORMERS}:"


def maps_of(result: Any, kinds: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return an estimator's result as arrays by kind. Raises ValueError if a kind is missing."""
    if not isinstance(result, Mapping):
        if len(kinds) != 1:
            raise ValueError(
                f"the model returned one array for the kinds {', '.join(kinds)}: return a "
                "dictionary of arrays by these names"
            )
        result = {kinds[0]: result}
    if missing := [kind for kind in kinds if kind not in result]:
        raise ValueError(
            f"the model returned {', '.join(map(str, result)) or 'nothing'}, and no "
            f"{' or '.join(missing)}, which --kind names"
        )
    return {kind: np.asarray(_on_cpu(result[kind])) for kind in kinds}


def _on_cpu(value: Any) -> Any:
    import torch

    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
