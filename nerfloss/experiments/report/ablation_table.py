"""Table of an ablation: effect of leaving each term out, and of adding it alone to the base."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nerfloss.experiments.report.contrasts import Contrast, contrasts
from nerfloss.experiments.report.table import Table
from nerfloss.experiments.report.variants import Variant
from nerfloss.experiments.report.variants_table import (
    WIDE,
    how_to_read,
    mean_of,
    scene_of,
    score_of,
    significance_cells,
    wide_row,
)

# A recipe that is worse without a term means that the term helps.
_OF_TERM = {
    "without": {"worse": "helps", "better": "hurts"},
    "alone": {"better": "helps", "worse": "hurts"},
}


@dataclass(frozen=True)
class AblationLine:
    """A `Contrast` of one recipe ``against`` another, and the resulting ``effect`` of ``term``.

    ``kind`` is full, without, alone or base; ``effect`` is "helps", "hurts" or the label of the
    significance; "" for the two recipes that others are compared with.
    """

    kind: str
    term: str
    against: str
    effect: str
    contrast: Contrast


def is_ablation(variants: Sequence[Variant]) -> bool:
    """Return True if every variant is an ablation, and the full recipe is among them."""
    kinds = [variant.runs[0].ablation.get("kind") for variant in variants]
    return len(variants) > 1 and all(kinds) and "full" in kinds


def ablation_lines(variants: Sequence[Variant], metrics: Sequence[str]) -> list[AblationLine]:
    """Return leave-one-out against the full recipe, and each term alone against the base.

    Without a run of the base, ``alone`` is compared with the full recipe. Sorted by ``metrics``,
    then full, without, base, alone.
    """
    named = {name: variant for variant in variants for name in _names(variant)}
    full, base = named["full"], named.get("base")
    without = {name: variant for name, variant in named.items() if name.startswith("without_")}
    alone = {name: variant for name, variant in named.items() if name.startswith("alone_")}
    families = [("full", full, without)]
    if base or alone:
        families.append(("base" if base else "full", base or full, alone))
    lines = []
    for metric in metrics:
        for against, reference, family in families:
            both = [reference, *(a for a in family.values() if a.name != reference.name)]
            by_variant: dict[str, list[Contrast]] = {}
            for found in contrasts(both, reference, [metric]):
                by_variant.setdefault(found.variant.name, []).append(found)
            if against != "full" or family is without:
                lines += [AblationLine(against, "", "", "", c) for c in by_variant[reference.name]]
            for name, variant in family.items():
                kind, _, term = name.partition("_")
                lines += [_line(kind, term, against, c) for c in by_variant.get(variant.name, [])]
    return lines


def ablation_table(lines: Sequence[AblationLine]) -> Table:
    """Return one row for each score, recipe and scene, with notes on scenes that disagree."""
    several = len({line.contrast.scene for line in lines}) > 1
    heads = ("score", "recipe", *(("scene",) if several else ()), "runs", "mean ± std")
    rows = tuple(
        (
            score_of(line.contrast),
            f"{line.kind} {line.term}".rstrip(),
            *((scene_of(line.contrast),) if several else ()),
            line.contrast.summary.n,
            mean_of(line.contrast, mixed=several and line.contrast.scene is None),
            *significance_cells(line.contrast)[1:],
            line.against or None,
            f"{line.term} {_verb(line.effect)}" if line.term else None,
        )
        for line in lines
    )
    return Table(
        (*heads, "difference", "95 % interval", "significance", "against", "effect"),
        rows,
        title="Ablation",
        keys=3 if several else 2,
        notes=(*how_to_read([line.contrast for line in lines]), *effects_by_scene(lines)),
        wide=Table(
            ("kind", "term", "against", "effect", *WIDE),
            tuple(
                (line.kind, line.term, line.against, line.effect, *wide_row(line.contrast))
                for line in lines
            ),
        ),
    )


def effects_by_scene(lines: Sequence[AblationLine]) -> list[str]:
    """Return a sentence for every term whose effect on a score differs between scenes."""
    cases: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for line in lines:
        if line.effect and line.contrast.scene is not None:
            key = (line.contrast.metric, line.term, line.kind)
            cases.setdefault(key, {}).setdefault(line.effect, []).append(line.contrast.scene)
    return [
        f"{metric}: {term} {_on_scenes(effects)} ({_comparison(kind)})"
        for (metric, term, kind), effects in cases.items()
        if len(effects) > 1
    ]


def _on_scenes(effects: Mapping[str, Sequence[str]]) -> str:
    ordered = sorted(effects, key=lambda effect: effect not in ("helps", "hurts"))
    decided = sum(effect in ("helps", "hurts") for effect in effects)
    parts = []
    for effect in ordered:
        only = " only" if effect in ("helps", "hurts") and decided == 1 else ""
        parts.append(f"{_verb(effect)} on {', '.join(effects[effect])}{only}")
    return "; ".join(parts)


def _comparison(kind: str) -> str:
    return "without it, against the full recipe" if kind == "without" else "added to the base"


def _verb(effect: str) -> str:
    return effect if effect in ("helps", "hurts") else f"is {effect}" if effect else ""


def _line(kind: str, term: str, against: str, contrast: Contrast) -> AblationLine:
    label = contrast.significance.label if contrast.significance else ""
    return AblationLine(kind, term, against, _OF_TERM[kind].get(label, label), contrast)


def _names(variant: Variant) -> list[str]:
    """Return the names of the ablation: with two terms, without_a and alone_b are the same run."""
    ablation = variant.runs[0].ablation
    term = "_".join(map(str, ablation.get("terms") or []))
    own = f"{ablation['kind']}_{term}" if term else str(ablation["kind"])
    return [own, *map(str, ablation.get("same_as") or [])]
