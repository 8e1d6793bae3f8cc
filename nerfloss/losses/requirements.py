"""Requirements of a loss on its settings and on the batch, declared at the loss by a decorator."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from nerfloss.losses.settings_checks import Condition

Loss = TypeVar("Loss", bound=Callable)


@dataclass(frozen=True)
class Size:
    """A size of a batch, computed from some of a loss's settings.

    Args:
        settings: names of the settings that decide it; empty for a constant.
        compute: returns the size from their values, in the order of ``settings``.
    """

    settings: tuple[str, ...]
    compute: Callable[..., int]

    @classmethod
    def of(cls, size: int | Callable[..., int]) -> "Size":
        """Return a constant size, or one of the settings that the function's parameters name."""
        if isinstance(size, int):
            return cls((), partial(int, size))
        return cls(tuple(inspect.signature(size).parameters), size)

    def __call__(self, values: Mapping[str, Any]) -> int:
        """Return the size for the values of all settings of the loss."""
        return self.compute(*(values[name] for name in self.settings))


ANY, ONE = Size.of(0), Size.of(1)


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """Requirements of one loss, as its attribute ``requirements`` holds them.

    Args:
        loss: name of the loss, for messages about its settings.
        conditions: conditions on its settings; a module checks its own in ``__init__``.
        smallest_patch: pixels per side of the smallest patch on which it is defined.
        fewest_rays: fewest rays per batch for which it is defined.
        most_rays: most rays of which it takes all, and not a sample; 0: any number. Maps of the
            loss are drawn with so many at once.
        smallest_image: pixels per side of the smallest images on which it is defined.
        approximate_gradient: why its gradient is not exact; empty where it is.
        value_axes: name of the axes of its values where these are not the pixels or samples that
            it takes, as ``frequencies``; maps then draw the mean over them.
    """

    loss: str = ""
    conditions: tuple[Condition, ...] = ()
    smallest_patch: Size = ONE
    fewest_rays: Size = ONE
    most_rays: Size = ANY
    smallest_image: Size = ONE
    approximate_gradient: str = ""
    value_axes: str = ""

    def faults(self, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield a message for each violated condition, with the names of its settings."""
        for each in self.conditions:
            fault = each.fault(self.loss, values)
            if fault is not None:
                yield fault, each.settings


class _Declaring(Protocol):
    requirements: Requirements


def requires(
    *conditions: Condition,
    smallest_patch: int | Callable[..., int] = 1,
    fewest_rays: int | Callable[..., int] = 1,
    most_rays: int | Callable[..., int] = 0,
    smallest_image: int | Callable[..., int] = 1,
    approximate_gradient: str = "",
    value_axes: str = "",
) -> Callable[[Loss], Loss]:
    """Declare the requirements of a loss function, which is returned unchanged.

    ``smallest_patch``, ``fewest_rays``, ``most_rays`` and ``smallest_image`` are constants or
    functions whose parameters name settings. A recipe checks the conditions when it is built, the
    sizes of batches before the data is read, and those of images before the first step::

        @requires(positive("sigma"), odd("window"), smallest_patch=lambda window: window)
        def dssim(patch_rgb, patch_target_rgb, *, window: int = 11, sigma: float = 1.5): ...

    A loss that is a module checks its settings in ``__init__`` and sets
    ``self.requirements = Requirements(smallest_patch=Size.of(16))`` there.
    """

    def declare(loss: Loss) -> Loss:
        cast(_Declaring, loss).requirements = Requirements(
            loss=loss.__name__,
            conditions=conditions,
            smallest_patch=Size.of(smallest_patch),
            fewest_rays=Size.of(fewest_rays),
            most_rays=Size.of(most_rays),
            smallest_image=Size.of(smallest_image),
            approximate_gradient=approximate_gradient,
            value_axes=value_axes,
        )
        return loss

    return declare
