"""Terms with state of their own: which parameters they train themselves, what follows a step."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn


def trained_by(module: nn.Module) -> list[Tensor]:
    """The parameters that a term's own ``optimizer`` trains."""
    groups = getattr(getattr(module, "optimizer", None), "param_groups", ())
    return [parameter for group in groups for parameter in group["params"]]


def trained_apart(modules: Iterable[nn.Module]) -> frozenset[int]:
    """Ids of the parameters that the terms' own optimizers train, so that no other may."""
    return frozenset(id(parameter) for module in modules for parameter in trained_by(module))


def finish_step(module: nn.Module, step: int) -> dict[str, float]:
    """Call a term's ``after_step``, if it has one, and return the numbers that it reports.

    What the total's gradient left in parameters that the term trains itself is dropped first.
    Raises TypeError where it returns neither None nor numbers by name.
    """
    hook = getattr(module, "after_step", None)
    if hook is None:
        return {}
    optimizer = getattr(module, "optimizer", None)
    if optimizer is not None:
        optimizer.zero_grad(set_to_none=True)
    reported = hook(step)
    if reported is None:
        return {}
    if not isinstance(reported, Mapping):
        raise TypeError(
            f"after_step returns numbers by name or None, got {type(reported).__name__}: "
            f"return e.g. {{'discriminator': 0.7}}"
        )
    return {name: float(value) for name, value in reported.items()}
