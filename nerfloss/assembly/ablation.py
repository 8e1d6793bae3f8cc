"""Ablations of a recipe, by name.

``full``: all terms; ``without_<term>``: all but one; ``alone_<term>``: the base and this term;
``base``: the base. The base is the first term with a weight, unless ``ablate_base`` names others.
"""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ALL = "all"
_NAMES = "full, base, without_<term> or alone_<term>"


@dataclass(frozen=True)
class Ablation:
    """One ablation; ``term`` is None for ``full`` and ``base``."""

    kind: str
    term: str | None = None

    @property
    def name(self) -> str:
        """The value of ``ablate``."""
        return self.kind if self.term is None else f"{self.kind}_{self.term}"

    def acting(self, weighted: Sequence[str], base: Collection[str]) -> tuple[str, ...]:
        """Return the active ones of the ``weighted`` terms, in the order of the recipe."""
        kept = {
            "full": set(weighted),
            "base": set(base),
            "without": set(weighted) - {self.term},
            "alone": {*base, self.term},
        }[self.kind]
        return tuple(term for term in weighted if term in kept)


def base_of(weights: Mapping[str, float], asked: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the terms of the base: those ``asked`` for, else the first with a weight."""
    weighted = _weighted(weights)
    if asked is None:
        return weighted[:1]
    for term in asked:
        _require_weighted(term, weighted, "ablate_base")
    return tuple(term for term in weighted if term in asked)


def read_ablation(
    name: Any, weights: Mapping[str, float], base: Sequence[str] | None = None
) -> Ablation:
    """Return the ablation called ``name``, of a recipe with these ``weights``.

    Raises ValueError for values that mean several ablations, and for a term that is missing or has
    no weight.
    """
    if name == ALL or not isinstance(name, str):
        raise ValueError(
            f"ablate={_shown(name)} means several runs: add -m, as in "
            f"'nerfloss train -m ablate={_shown(name)}' (with the sweeper 'grid', the default); "
            f"one run takes {_NAMES}"
        )
    if name in ("full", "base"):
        return Ablation(name)
    kind, _, term = name.partition("_")
    if kind not in ("without", "alone") or not term:
        raise ValueError(
            f"ablate={name} is no ablation: choose {_NAMES}; with -m also ablate=all, or a list of "
            f"terms in brackets, ablate=[{name}]"
        )
    _require_weighted(term, _weighted(weights), f"ablate={name}")
    if kind == "without" and active_terms(Ablation(kind, term), weights, base) == ():
        raise ValueError(f"ablate={name} leaves no term: {term} is the only one with a weight")
    return Ablation(kind, term)


def ablations(
    asked: Any, weights: Mapping[str, float], base: Sequence[str] | None = None
) -> list[Ablation]:
    """Return the ablations of ``ablate=all`` or ``ablate=[a, b]``: full, without, alone, base.

    ``all`` means every weighted term outside of the base. Of ablations with the same active terms
    the first is kept. Raises ValueError for terms that are missing or have no weight.
    """
    if isinstance(asked, str) and asked != ALL:
        return [read_ablation(asked, weights, base)]
    weighted, kept = _weighted(weights), base_of(weights, base)
    terms = [t for t in weighted if t not in kept] if asked == ALL else [str(t) for t in asked]
    for term in terms:
        _require_weighted(term, weighted, f"ablate={_shown(asked)}")
    if not terms:
        raise ValueError(
            f"ablate={_shown(asked)} removes nothing: besides its base ({', '.join(kept)}) the "
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


def active_terms(
    ablation: Ablation, weights: Mapping[str, float], base: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Return the active terms of an ablation."""
    return ablation.acting(_weighted(weights), base_of(weights, base))


def as_json(
    ablation: Ablation, weights: Mapping[str, float], base: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the content of ablation.json.

    ``terms``: the removed term, or the one added to the base; ``acting``: the active terms;
    ``same_as``: other names of the same run, e.g. ``alone_mask`` and ``without_eikonal``.
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
