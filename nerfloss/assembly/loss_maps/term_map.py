"""Map of one loss term on the pixels of a view, and the maps of several terms."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class TermMap:
    """The unweighted, unreduced values of a term on the pixels of a view, on the CPU.

    ``values`` is what is drawn: NaN where the term says nothing, because ``where`` is 0 or the ray
    has no sample. ``drawn`` says in a few words how several values became one per pixel.
    ``sums`` and ``kept`` are, per pixel, the sum of the term's values and their number, both
    weighted by ``where``: the sum of the first over that of the second is the term's value in the
    recipe for the same rays. ``weight`` is weight times schedule, without a balancer's factor; of a
    term that acts in one of several steps, that of the last one.
    ``gradient`` is the length of the derivative of (number of rays) x (the term's mean) by the
    rendered colour of a ray, unweighted; None where it was not asked for, or where the term does
    not depend on the rendered colour.
    """

    name: str
    weight: float
    drawn: str
    values: Float[Tensor, "height width"]
    sums: Float[Tensor, "height width"]
    kept: Float[Tensor, "height width"]
    gradient: Float[Tensor, "height width"] | None = None

    @property
    def mean(self) -> float:
        """The term's unweighted value in the recipe, for the rays of the view; 0 for none."""
        kept = float(self.kept.double().sum())
        return float(self.sums.double().sum()) / kept if kept else 0.0


@dataclass(frozen=True)
class TermMaps(Mapping[str, TermMap]):
    """Maps by the name of the term; ``not_drawn`` has the reason for each that has none."""

    maps: Mapping[str, TermMap]
    not_drawn: Mapping[str, str]

    def __getitem__(self, name: str) -> TermMap:
        return self.maps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.maps)

    def __len__(self) -> int:
        return len(self.maps)
