"""Loss terms at the points of a surface: what they would say of samples that lie there."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.assembly.loss_maps.surface import CHUNK, Surface
from nerfloss.quantities import derived
from nerfloss.quantities.resolve import Quantities, obtainable, rules_in
from nerfloss.recipe import Term

RULES = rules_in(derived)
RUN = frozenset({"field", "box", "generator", "step", "progress"})
POINTS = frozenset({"positions", "occupied", "surface_points", "surface_hit", "space_points"})


def reason_against(term: Term, surface: Surface) -> str | None:
    """Return why a term says nothing of single points of the surface; None if it may."""
    field = surface.opened.run.model.field
    per_point = _per_point(surface)
    offered = obtainable(per_point | RUN | field.constants().keys(), RULES)
    if missing := sorted(term.needs - offered):
        return f"it needs {', '.join(missing)}, which points of the surface do not have"
    if not term.needs & obtainable(per_point, RULES):
        return "it takes no quantity of single points"
    return None


def term_at_points(term: Term, surface: Surface) -> Float[np.ndarray, "vertices"] | None:
    """Return the unweighted values of a term at the vertices; NaN where ``where`` is 0.

    A quantity of samples has one sample per ray, at the vertex. None for a term that returns
    anything but a value for each point.
    """
    at = vars(surface.opened.run.trainer.schedule)
    parts = []
    with torch.no_grad():
        for points in surface.points.split(CHUNK):
            quantities = _quantities(surface, points, term, at)
            errors = term.unreduced({name: quantities[name] for name in term.needs})
            if errors.ndim == 0 or len(errors) != len(points):
                return None
            values = errors.reshape(len(points), -1).mean(-1)
            if term.where is not None:
                keep = quantities[term.where].reshape(len(points), -1).any(-1)
                values = torch.where(keep, values, torch.nan)
            parts.append(values.float().cpu())
    return torch.cat(parts).numpy()


def _per_point(surface: Surface) -> frozenset[str]:
    offers = surface.opened.run.model.field.offers - {"embeddings"}
    return frozenset(offers | {f"space_{name}" for name in offers} | POINTS)


def _quantities(
    surface: Surface, points: Float[Tensor, "points 3"], term: Term, at: Mapping[str, Any]
) -> Quantities:
    field = surface.opened.run.model.field
    wanted = {
        name for name in field.offers if name in _sources(term) or f"space_{name}" in _sources(term)
    }
    found = field(points, wanted) if wanted else {}
    there = torch.ones(len(points), dtype=torch.bool, device=points.device)
    return Quantities(
        {
            **field.constants(),
            **at,
            **{name: value[:, None] for name, value in found.items()},
            **{f"space_{name}": value for name, value in found.items()},
            "positions": points[:, None],
            "occupied": there[:, None],
            "surface_points": points,
            "surface_hit": there,
            "space_points": points,
            "field": field,
            "box": field.box,
            "generator": torch.Generator(points.device).manual_seed(0),
        },
        RULES,
    )


def _sources(term: Term) -> set[str]:
    """Return what the term's quantities are derived from, those that have a rule included."""
    found, open_names = set(), list(term.needs)
    while open_names:
        name = open_names.pop()
        if name not in found:
            found.add(name)
            open_names += RULES[name].inputs if name in RULES else ()
    return found
