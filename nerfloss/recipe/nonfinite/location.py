"""Location of non-finite values: how many, for which rays, and the fault that reports them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from nerfloss.quantities.vocabulary import VOCABULARY

# A message lists at most this many rays; a fault keeps all of them.
LISTED_RAYS = 5


@dataclass(frozen=True)
class Fault:
    """A value or a gradient that is not finite, explained in a ``sentence``.

    ``term`` is the loss term; ``quantity`` is the input that holds the value, or that the gradient
    is taken with respect to. Either is None where no single one is at fault. ``rays`` are indices
    into the step's batch, empty where the value belongs to no ray.
    """

    kind: Literal["value", "gradient"]
    sentence: str
    term: str | None = None
    quantity: str | None = None
    rays: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.sentence

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Fault":
        """Return the fault that ``as_dict`` described."""
        return cls(**{**values, "rays": tuple(values["rays"])})

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        return asdict(self)

    def matches(self, other: "Fault") -> bool:
        """Return True for a fault of the same kind, term and quantity."""
        same = (self.kind, self.term, self.quantity)
        return same == (other.kind, other.term, other.quantity)


def describe_non_finite(quantity: str | None, value: Any, quantities: Mapping[str, Any]) -> str:
    """Return the number of non-finite entries and their rays, or '' where all are finite.

    For example ``3 of 96 values that are not finite (nan); rays 3, 7 of 64 (the first: view 0,
    column 12, row 30)``. ``value`` is shaped like ``quantity``, or like a term's values for None.
    """
    wrong = _non_finite(value)
    if wrong is None or not wrong.any():
        return ""
    found = value.detach()[wrong]
    kinds = ", ".join(sorted({str(x) for x in found[:1000].tolist()}))
    rays = list_rays(affected_rays(quantity, value, quantities), quantities)
    return f"{found.numel()} of {value.numel()} values that are not finite ({kinds}){rays}"


def affected_rays(
    quantity: str | None, value: Any, quantities: Mapping[str, Any]
) -> tuple[int, ...]:
    """Return the rays of the batch for which ``value`` is not finite; empty if it has no rays.

    ``value`` is shaped like ``quantity``, or like a term's values for None. The pixels of patches
    are rays in row-major order; points on the surface belong to the rays that hit it.
    """
    wrong, origins = _non_finite(value), quantities.get("origins")
    if wrong is None or wrong.ndim == 0 or not isinstance(origins, Tensor):
        return ()
    known = VOCABULARY.get(quantity or "")
    first = "rays" if known is None else known.shape.partition(" ")[0]
    if first == "patches" and wrong.ndim >= 3:
        wrong = wrong.flatten(0, 2)
    indices = torch.arange(len(wrong), device=wrong.device)
    if first == "hits":
        indices = quantities["surface_hit"].nonzero().squeeze(-1)
    elif first not in ("rays", "patches") or len(wrong) != len(origins):
        return ()
    return tuple(indices[wrong.flatten(1).any(1) if wrong.ndim > 1 else wrong].tolist())


def list_rays(rays: Sequence[int], quantities: Mapping[str, Any]) -> str:
    """Return e.g. ``; rays 3, 7 of 64 (the first: view 0, column 12, row 30)``."""
    if not rays:
        return ""
    rest = len(rays) - LISTED_RAYS
    listed = ", ".join(str(each) for each in rays[:LISTED_RAYS])
    listed += f" and {rest} more" if rest > 0 else ""
    noun = "rays" if len(rays) > 1 else "ray"
    return f"; {noun} {listed} of {len(quantities['origins'])}{_first_pixel(rays, quantities)}"


def _first_pixel(rays: Sequence[int], quantities: Mapping[str, Any]) -> str:
    view, pixel = quantities.get("view"), quantities.get("pixel")
    if not (isinstance(view, Tensor) and isinstance(pixel, Tensor)):
        return ""
    column, row = (int(x) for x in pixel[rays[0]].tolist())
    which = "the first: " if len(rays) > 1 else ""
    return f" ({which}view {int(view[rays[0]])}, column {column}, row {row})"


def _non_finite(value: Any) -> Tensor | None:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return None
    return ~value.detach().isfinite()
