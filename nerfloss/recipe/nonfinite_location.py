"""What is at fault where a number is not finite: the term, the quantity, and the rays involved."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from nerfloss.quantities.vocabulary import VOCABULARY

# So many rays are named in a sentence; a fault keeps all of them.
NAMED = 5


@dataclass(frozen=True)
class Fault:
    """A value or a gradient that is not finite, said in a ``sentence``.

    ``term`` names the loss term, ``quantity`` what it was fed or what its gradient goes to; None
    where no single one is to blame. ``rays`` are places in the step's batch, empty where what is
    not finite belongs to no ray.
    """

    kind: Literal["value", "gradient"]
    sentence: str
    term: str | None = None
    quantity: str | None = None
    rays: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.sentence

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return asdict(self)

    def is_like(self, other: "Fault") -> bool:
        """Whether the other is the same fault: of the same kind, in the same place."""
        same = (self.kind, self.term, self.quantity)
        return same == (other.kind, other.term, other.quantity)


def how_much(value: Any) -> str:
    """How much of a tensor is not finite, e.g. ``3 of 96 values that are not finite (nan)``."""
    wrong = _wrong(value)
    if wrong is None or not wrong.any():
        return ""
    found = value.detach()[wrong]
    kinds = sorted({str(x) for x in found[:1000].tolist()})
    return f"{found.numel()} of {value.numel()} values that are not finite ({', '.join(kinds)})"


def rays_of(quantity: str | None, value: Any, quantities: Mapping[str, Any]) -> tuple[int, ...]:
    """Places in the batch of the rays for which ``value`` is not finite; empty if it has no rays.

    ``value`` is shaped like ``quantity``, or, for None, like what a term returned. The pixels of
    patches are rays in their order, and points on the surface belong to the rays that hit.
    """
    wrong, origins = _wrong(value), quantities.get("origins")
    if wrong is None or wrong.ndim == 0 or not isinstance(origins, Tensor):
        return ()
    meant = VOCABULARY.get(quantity or "")
    first = "rays" if meant is None else meant.shape.partition(" ")[0]
    if first == "patches" and wrong.ndim >= 3:
        wrong = wrong.flatten(0, 2)
    owners = torch.arange(len(wrong), device=wrong.device)
    if first == "hits":
        owners = quantities["surface_hit"].nonzero().squeeze(-1)
    elif first not in ("rays", "patches") or len(wrong) != len(origins):
        return ()
    return tuple(owners[wrong.flatten(1).any(1) if wrong.ndim > 1 else wrong].tolist())


def say_where(rays: Sequence[int], quantities: Mapping[str, Any]) -> str:
    """Which rays, with the view and the pixel of the first: ``; rays 3, 7 of 64 (view 0 ...)``."""
    if not rays:
        return ""
    total, more = len(quantities["origins"]), len(rays) - NAMED
    listed = ", ".join(str(each) for each in rays[:NAMED]) + (
        f" and {more} more" if more > 0 else ""
    )
    many = "rays" if len(rays) > 1 else "ray"
    return f"; {many} {listed} of {total}{_first_pixel(rays, quantities)}"


def _first_pixel(rays: Sequence[int], quantities: Mapping[str, Any]) -> str:
    view, pixel = quantities.get("view"), quantities.get("pixel")
    if not (isinstance(view, Tensor) and isinstance(pixel, Tensor)):
        return ""
    column, row = (int(x) for x in pixel[rays[0]].tolist())
    which = "the first: " if len(rays) > 1 else ""
    return f" ({which}view {int(view[rays[0]])}, column {column}, row {row})"


def _wrong(value: Any) -> Tensor | None:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return None
    return ~value.detach().isfinite()
