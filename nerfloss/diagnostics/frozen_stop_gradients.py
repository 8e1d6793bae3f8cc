"""Frozen stop-gradients: finite differences of the function that autograd differentiates."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class FrozenStopGradients(TorchFunctionMode):
    """Keep detached tensors at the values that they had in the first evaluation.

    A term that stops a gradient on purpose (``detach``, ``no_grad``) defines its derivative with
    the detached tensors held constant; finite differences change them too, and disagree. The first
    ``with`` block stores the results of ``detach`` and of all operations under ``no_grad``; every
    later block returns them, in order, and computes the rest. Operations inside of custom autograd
    functions are not affected. Raises RuntimeError where a later block detaches other tensors than
    the first one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stored: list[tuple[Callable, Any]] = []
        self._next: int | None = None
        self._under_no_grad = False

    def __enter__(self) -> "FrozenStopGradients":
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
            # Custom functions run without gradients too, but not by this call.
            self._under_no_grad = not args[0]
            return func(*args, **kwargs)
        stops = func is Tensor.detach and torch.is_grad_enabled() and args[0].requires_grad
        if not (stops or self._under_no_grad):
            return func(*args, **kwargs)
        return self._stored_result(func, args, kwargs)

    def _stored_result(self, func: Callable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if self._next is None:
            result = _detached_copy(func(*args, **kwargs), args)
            if _holds_tensors(result):
                self._stored.append((func, result))
            return result
        if self._next < len(self._stored) and self._stored[self._next][0] is func:
            self._next += 1
            return self._stored[self._next - 1][1]
        result = func(*args, **kwargs)
        if _holds_tensors(result):
            raise RuntimeError("the detached tensors change from one evaluation to the next")
        return result


def _holds_tensors(result: Any) -> bool:
    if isinstance(result, list | tuple):
        return any(_holds_tensors(each) for each in result)
    return isinstance(result, Tensor)


def _detached_copy(result: Any, args: Sequence[Any]) -> Any:
    """Return the result, copied where it shares memory with a tensor that will change."""
    if type(result) in (list, tuple):
        return type(result)(_detached_copy(each, args) for each in result)
    moving = (each for each in args if isinstance(each, Tensor) and each.requires_grad)
    if isinstance(result, Tensor) and any(_memory(result) == _memory(each) for each in moving):
        return result.clone()
    return result


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
