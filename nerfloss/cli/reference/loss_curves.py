"""Sample pointwise losses as functions of their input, for plots."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe.term import Term

POINTS = 121
# Plotted range of each quantity in its own units; others are plotted from 0 to 1.
RANGES: Mapping[str, tuple[float, float]] = {
    "sdf": (-1.0, 1.0),
    "laplacian": (-10.0, 10.0),
    "densities": (0.0, 20.0),
    "depth": (0.1, 1.9),
    "rgb": (0.05, 0.95),
    "gradients": (0.0, 2.0),
    "normal": (0.0, 180.0),
}
AXES = {"gradients": "length of {}", "normal": "angle between {} and its target, in degrees"}


@dataclass(frozen=True)
class Curves:
    """``values`` over ``x``, one row per target value in ``labels``."""

    axis: str
    x: Float[Tensor, "points"]
    labels: tuple[str, ...]
    values: Float[Tensor, "curves points"]


def curves(term: Term) -> Curves | None:
    """Return a term over its predicted quantity; None if it is not a function of one point."""
    term = replace(term, where=None)  # the curve is that of a selected element
    names = list(dict.fromkeys(term.arguments.values()))
    predicted = [name for name in names if not name.startswith(("target_", "patch_target_"))]
    usable = all(name in VOCABULARY and VOCABULARY[name].kind == "float" for name in names)
    if len(predicted) != 1 or len(names) > 2 or not usable:
        return None
    (name,) = predicted
    # Numbers that are no vector, such as a matrix, are not a function of one number.
    channels = [axis for axis in VOCABULARY[name].shape.split() if axis.isdigit()]
    if name.startswith("patch_") or channels not in ([], ["1"], ["3"]):
        return None
    observed = next((other for other in names if other != name), None)
    kind = _kind(name)
    low, high = RANGES.get(kind, (0.0, 1.0))
    x = torch.linspace(low, high, POINTS, dtype=torch.float64)
    seen = _observations(observed, low, high)
    rows = []
    for value in seen:
        given = {name: _rows(name, x)}
        if observed is not None:
            given[observed] = _rows(observed, torch.full_like(x, value))
        rows.append(_pointwise(term, given))
    if any(row is None for row in rows):
        return None
    values = torch.stack([row for row in rows if row is not None])
    if float(values.max() - values.min()) < 1e-9:
        return None
    labels = tuple(f"{observed} {value:g}" for value in seen) if _is_shown(observed) else ()
    return Curves(AXES.get(kind, "{}").format(name), x, labels, values)


def _is_shown(observed: str | None) -> bool:
    return observed is not None and _kind(observed) != "normal"


def _kind(name: str) -> str:
    for prefix in ("patch_", "target_", "space_"):
        name = name.removeprefix(prefix)
    return name


def _observations(observed: str | None, low: float, high: float) -> tuple[float, ...]:
    """Return the target values of the curves: both for a mask, the middle of a range otherwise."""
    if observed is None or _kind(observed) == "normal":
        return (0.0,)
    return (0.0, 1.0) if _kind(observed) == "mask" else (0.5 * (low + high),)


def _rows(name: str, x: Float[Tensor, "points"]) -> Tensor:
    """Return one row per point, in the shape of the quantity with one element on other axes."""
    _, *axes = VOCABULARY[name].shape.split()
    column = x.reshape(-1, *[1] * len(axes))
    if axes[-1:] != ["3"]:
        return column
    zero = torch.zeros_like(column)
    if _kind(name) == "normal":
        angle = column * math.pi / 180
        return torch.cat([angle.cos(), angle.sin(), zero], -1)
    if _kind(name) == "gradients":
        return torch.cat([column, zero, zero], -1)
    return torch.cat([column] * 3, -1)


def _pointwise(term: Term, given: Mapping[str, Tensor]) -> Float[Tensor, "points"] | None:
    """Return the term's mean of each row, or None if a row depends on others."""
    try:
        whole = term.unreduced(given)
        single = [
            term.unreduced({name: rows[i : i + 1] for name, rows in given.items()}).mean()
            for i in (0, POINTS // 3, POINTS - 1)
        ]
    except (ValueError, RuntimeError, IndexError):  # a window does not fit into one point
        return None
    shape = next(iter(given.values())).shape
    # A term that sums over an axis, or compares neighbours along it, has no value for one point.
    if whole.shape not in (shape, shape[:-1] if shape[-1] == 3 else shape):
        return None
    if not whole.isfinite().all():
        return None
    row = whole.detach().reshape(POINTS, -1).mean(-1)
    alone = torch.stack(single).detach().to(row.dtype)
    same = torch.allclose(row[[0, POINTS // 3, POINTS - 1]], alone, atol=1e-9)
    return row if same else None
