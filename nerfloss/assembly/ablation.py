"""Ablations of a recipe: which of its terms act, by a name that fits a command and a folder.

``full`` is the whole recipe, ``without_<term>`` leaves one term out, ``alone_<term>`` is that term
beside the base, ``base`` the base by itself. The base is what no run can do without: the recipe's
first term that has a weight, unless other terms are named.
"""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ALL = "all"
_NAMES = "full, base, without_<term> or alone_<term>"


@dataclass(frozen=True)
class Ablation:
    """One way to take a recipe apart; ``term`` is None for ``full`` and ``base``."""

    kind: str
    term: str | None = None

    @property
    def name(self) -> str:
        """What stands after ``ablate=``."""
        return self.kind if self.term is None else f"{self.kind}_{self.term}"

    def acting(self, weighted: Sequence[str], base: Collection[str]) -> tuple[str, ...]:
        """The terms that act, in the recipe's order; ``weighted`` are all that have a weight."""
        kept = {
            "full": set(weighted),
            "base": set(base),
            "without": set(weighted) - {self.term},
            "alone": {*base, self.term},
        }[self.kind]
        return tuple(term for term in weighted if term in kept)


def base_of(weights: Mapping[str, float], asked: Sequence[str] | None = None) -> tuple[str, ...]:
    """The terms that stay in every ablation: those ``asked`` for, else the first with a weight."""
    weighted = _weighted(weights)
    if asked is None:
        return weighted[:1]
    for term in asked:
        _require_weighted(term, weighted, "ablate_base")
    return tuple(term for term in weighted if term in asked)


def read_ablation(
    name: Any, weights: Mapping[str, float], base: Sequence[str] | None = None
) -> Ablation:
    """The ablation called ``name``, of a recipe with these ``weights``.

    Raises ValueError for what asks for several, which only a sweep can do, and for a term that the
    recipe lacks or that has no weight in it.
    """
    if name == ALL or not isinstance(name, str):
        raise ValueError(
            f"ablate={_shown(name)} means several runs: add -m, as in "
            f"'python train.py -m ablate={_shown(name)}' (with the sweeper 'grid', the default); "
            f"one run takes {_NAMES}"
        )
    if name in ("full", "base"):
        return Ablation(name)
    kind, _, term = name.partition("_")
    if kind not in ("without", "alone") or not term:
        raise ValueError(
            f"ablate={name} is no ablation: take {_NAMES}; with -m also ablate=all, or a list of "
            f"terms in brackets, ablate=[{name}]"
        )
    _require_weighted(term, _weighted(weights), f"ablate={name}")
    if kind == "without" and acts(Ablation(kind, term), weights, base) == ():
        raise ValueError(f"ablate={name} leaves no term: {term} is the only one with a weight")
    return Ablation(kind, term)


def ablations(
    asked: Any, weights: Mapping[str, float], base: Sequence[str] | None = None
) -> list[Ablation]:
    """What ``ablate=all`` or ``ablate=[a, b]`` runs: full, each without, each alone, and the base.

    ``all`` takes every term that has a weight and is not of the base. Of ablations in which the
    same terms act, the first is kept: leaving one of two terms out is the other alone. Raises
    ValueError for terms that the recipe lacks or that have no weight in it.
    """
    if isinstance(asked, str) and asked != ALL:
        return [read_ablation(asked, weights, base)]
    weighted, kept = _weighted(weights), base_of(weights, base)
    terms = [t for t in weighted if t not in kept] if asked == ALL else [str(t) for t in asked]
    for term in terms:
        _require_weighted(term, weighted, f"ablate={_shown(asked)}")
    if not terms:
        raise ValueError(
            f"ablate={_shown(asked)} takes nothing away: beside its base ({', '.join(kept)}) the "
            f"recipe has no term with a weight"
        )
    every = [
        Ablation("full"),
        *(Ablation("without", term) for term in terms),
        *(Ablation("alone", term) for term in terms if term not in kept),
        Ablation("base"),
    ]
    by_terms: dict[tuple[str, ...], Ablation] = {}
    for ablation in every:
        by_terms.setdefault(ablation.acting(weighted, kept), ablation)
    return [ablation for acting, ablation in by_terms.items() if acting]


def acts(
    ablation: Ablation, weights: Mapping[str, float], base: Sequence[str] | None = None
) -> tuple[str, ...]:
    """The terms that act under an ablation."""
    return ablation.acting(_weighted(weights), base_of(weights, base))


def as_json(
    ablation: Ablation, weights: Mapping[str, float], base: Sequence[str] | None = None
) -> dict[str, Any]:
    """The content of ablation.json.

    ``terms``: what was taken away, or stands alone; ``acting``: the terms that act; ``same_as``:
    the other names of the same run, e.g. ``alone_mask`` of ``without_eikonal`` among three terms.
    """
    weighted, kept = _weighted(weights), base_of(weights, base)
    acting = ablation.acting(weighted, kept)
    every = [Ablation("full"), *(Ablation("without", term) for term in weighted)]
    every += [Ablation("alone", term) for term in weighted if term not in kept]
    same = [other for other in [*every, Ablation("base")] if other.acting(weighted, kept) == acting]
    return {
        "name": ablation.name,
        "kind": ablation.kind,
        "terms": [] if ablation.term is None else [ablation.term],
        "base": list(kept),
        "acting": list(acting),
        "same_as": [other.name for other in same if other != ablation],
    }


def _weighted(weights: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(term for term, weight in weights.items() if weight > 0)


def _require_weighted(term: str, weighted: Sequence[str], where: str) -> None:
    if term in weighted:
        return
    close = difflib.get_close_matches(term, weighted, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise ValueError(
        f"{where}: the recipe has no term '{term}' with a weight (it has {', '.join(weighted)})"
        f"{hint}"
    )


def _shown(asked: Any) -> str:
    return asked if isinstance(asked, str) else f"[{','.join(map(str, asked))}]"
