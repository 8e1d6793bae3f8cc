"""Named images of values from the maps of several views, with their units and common ranges."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nerfloss.assembly.loss_maps.conflict_map import ConflictMap
from nerfloss.assembly.loss_maps.map_ranges import COSINE, Range, range_of
from nerfloss.assembly.loss_maps.run_maps import ViewMaps
from nerfloss.assembly.loss_maps.term_map import TermMap

Values = Float[np.ndarray, "height width"]


@dataclass(frozen=True)
class Drawn:
    """A kind of map: its title, the unit of its values, and their image in each view.

    ``range`` is that of the colours, the same in all views.
    """

    title: str
    unit: str
    images: Mapping[str, Values]
    range: Range


def drawn_maps(views: Sequence[ViewMaps]) -> dict[str, Drawn]:
    """Return all kinds of maps by a name for files: terms, their gradients, conflicts."""
    found: dict[str, tuple[str, str, dict[str, Values]]] = {}
    for view in views:
        for name, title, unit, values in _images_of(view):
            found.setdefault(name, (title, unit, {}))[2][view.view] = values
    return {
        name: Drawn(
            title,
            unit,
            images,
            COSINE if name.startswith("cosine_") else range_of(list(images.values())),
        )
        for name, (title, unit, images) in found.items()
    }


def _images_of(view: ViewMaps) -> Iterator[tuple[str, str, str, Values]]:
    for name, term in view.maps.items():
        yield name, name, _unit_of(term), term.values.numpy()
    for name, term in view.maps.items():
        if term.gradient is not None:
            unit = "length of the unweighted term's gradient by the rendered colour of the ray"
            yield f"gradient_{name}", f"{name}: gradient", unit, term.gradient.numpy()
    for conflict in view.conflicts:
        pair, title = "_".join(conflict.names), " against ".join(conflict.names)
        yield (
            f"conflict_{pair}",
            f"{title}: conflict",
            _conflict_unit(conflict),
            conflict.conflict.numpy(),
        )
        unit = "cosine of the two gradients; grey: one of them is 0"
        yield f"cosine_{pair}", f"{title}: cosine", unit, conflict.cosine.numpy()


def _unit_of(term: TermMap) -> str:
    return f"unweighted {term.drawn}; weight {term.weight:.3g}"


def _conflict_unit(conflict: ConflictMap) -> str:
    height, width = conflict.block
    return (
        f"length of the smaller weighted gradient where they disagree, times -cosine; "
        f"blocks of {height} x {width} pixels"
    )
