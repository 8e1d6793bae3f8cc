"""Stop-gradients held fixed: so that finite differences see what autograd sees."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class FrozenStopGradients(TorchFunctionMode):
    """What is cut off from the gradient keeps the values that it had the first time.

    A term that stops a gradient on purpose (``detach``, ``no_grad``) means its derivative with what
    it stops held fixed. Finite differences move that too, and disagree. In the first ``with`` block
    the results of ``detach`` and of all that happens under ``no_grad`` are remembered; in every
    later one they are handed out again, in order, while the rest is computed anew. What a custom
    autograd function does inside itself is left alone. Raises RuntimeError where a later block
    does not do what the first one did.
    """

    def __init__(self) -> None:
        super().__init__()
        self._found: list[tuple[Callable, Any]] = []
        self._next: int | None = None
        self._under_no_grad = False

    def __enter__(self) -> "HeldFixed":
        self._under_no_grad = False
        super().__enter__()
        return self

    def __exit__(self, *reason: Any) -> None:
        super().__exit__(*reason)
        self._next = 0

    def __torch_function__(
        self,
        func: Callable,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch._C._set_grad_enabled:
            # Custom functions run without gradients too, but nobody asks for that here.
            self._under_no_grad = not args[0]
            return func(*args, **kwargs)
        stops = func is Tensor.detach and torch.is_grad_enabled() and args[0].requires_grad
        if not (stops or self._under_no_grad):
            return func(*args, **kwargs)
        return self._remembered(func, args, kwargs)

    def _remembered(self, func: Callable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if self._next is None:
            result = _apart(func(*args, **kwargs), args)
            if _holds_tensors(result):
                self._found.append((func, result))
            return result
        if self._next < len(self._found) and self._found[self._next][0] is func:
            self._next += 1
            return self._found[self._next - 1][1]
        result = func(*args, **kwargs)
        if _holds_tensors(result):
            raise RuntimeError("what it stops changes from one evaluation to the next")
        return result


def _holds_tensors(result: Any) -> bool:
    if isinstance(result, list | tuple):
        return any(_holds_tensors(each) for each in result)
    return isinstance(result, Tensor)


def _apart(result: Any, args: Sequence[Any]) -> Any:
    """The result in memory of its own, where it looks into something that will be moved."""
    if type(result) in (list, tuple):
        return type(result)(_apart(each, args) for each in result)
    moving = (each for each in args if isinstance(each, Tensor) and each.requires_grad)
    if isinstance(result, Tensor) and any(_memory(result) == _memory(each) for each in moving):
        return result.clone()
    return result


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
