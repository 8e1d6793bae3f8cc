"""The table of an ablation: what leaving each term out costs, and what each brings alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nerfloss.experiments.report.contrasts import Contrast, contrasts
from nerfloss.experiments.report.table import Table
from nerfloss.experiments.report.variants import Variant
from nerfloss.experiments.report.variants_table import (
    WIDE,
    how_to_read,
    mean_of,
    place_of,
    score_of,
    told,
    wide_row,
)

# What the verdict on a recipe says of the term: without it worse means that the term helps.
_OF_TERM = {
    "without": {"worse": "helps", "better": "hurts"},
    "alone": {"better": "helps", "worse": "hurts"},
}


@dataclass(frozen=True)
class AblationLine:
    """A `Contrast` of one recipe ``against`` another, and what it says of ``term``.

    ``kind`` is full, without, alone or base; ``effect`` is "helps", "hurts" or a verdict's word,
    "" for the two recipes that others are compared with.
    """

    kind: str
    term: str
    against: str
    effect: str
    contrast: Contrast


def is_ablation(arms: Sequence[Variant]) -> bool:
    """Whether every arm is a recipe taken apart, and the full one is among them."""
    kinds = [arm.runs[0].ablation.get("kind") for arm in arms]
    return len(arms) > 1 and all(kinds) and "full" in kinds


def ablation_lines(arms: Sequence[Variant], metrics: Sequence[str]) -> list[AblationLine]:
    """Leave-one-out against the full recipe, each term alone against the base by itself.

    Where the base was not run, each alone is compared with the full recipe. Lines are in the order
    of ``metrics``, in each full, without, base, alone.
    """
    named = {name: arm for arm in arms for name in _names(arm)}
    full, base = named["full"], named.get("base")
    without = {name: arm for name, arm in named.items() if name.startswith("without_")}
    alone = {name: arm for name, arm in named.items() if name.startswith("alone_")}
    families = [("full", full, without)]
    if base or alone:
        families.append(("base" if base else "full", base or full, alone))
    lines = []
    for metric in metrics:
        for against, reference, family in families:
            both = [reference, *(a for a in family.values() if a.name != reference.name)]
            by_arm: dict[str, list[Contrast]] = {}
            for found in contrasts(both, reference, [metric]):
                by_arm.setdefault(found.arm.name, []).append(found)
            if against != "full" or family is without:
                lines += [AblationLine(against, "", "", "", c) for c in by_arm[reference.name]]
            for name, arm in family.items():
                kind, _, term = name.partition("_")
                lines += [_line(kind, term, against, c) for c in by_arm.get(arm.name, [])]
    return lines


def ablation_table(lines: Sequence[AblationLine]) -> Table:
    """One row for each score, recipe and scene, and a note for terms that help on some only."""
    several = len({line.contrast.scene for line in lines}) > 1
    heads = ("score", "recipe", *(("scene",) if several else ()), "runs", "mean ± std")
    rows = tuple(
        (
            score_of(line.contrast),
            f"{line.kind} {line.term}".rstrip(),
            *((place_of(line.contrast),) if several else ()),
            line.contrast.summary.n,
            mean_of(line.contrast, mixed=several and line.contrast.scene is None),
            *told(line.contrast)[1:],
            line.against or None,
            f"{line.term} {_verb(line.effect)}" if line.term else None,
        )
        for line in lines
    )
    return Table(
        (*heads, "difference", "95 % of it", "verdict", "against", "so"),
        rows,
        title="Ablation",
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
    """A sentence for every term whose effect on a score is not the same on all scenes."""
    cases: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for line in lines:
        if line.effect and line.contrast.scene is not None:
            key = (line.contrast.metric, line.term, line.kind)
            cases.setdefault(key, {}).setdefault(line.effect, []).append(line.contrast.scene)
    return [
        f"{metric}: {term} {_on_scenes(effects)} ({_asked(kind)})"
        for (metric, term, kind), effects in cases.items()
        if len(effects) > 1
    ]


def _on_scenes(effects: Mapping[str, Sequence[str]]) -> str:
    told = sorted(effects, key=lambda effect: effect not in ("helps", "hurts"))
    decided = sum(effect in ("helps", "hurts") for effect in effects)
    parts = []
    for effect in told:
        only = " only" if effect in ("helps", "hurts") and decided == 1 else ""
        parts.append(f"{_verb(effect)} on {', '.join(effects[effect])}{only}")
    return "; ".join(parts)


def _asked(kind: str) -> str:
    return "left out of the full recipe" if kind == "without" else "alone beside the base"


def _verb(effect: str) -> str:
    return effect if effect in ("helps", "hurts") else f"is {effect}" if effect else ""


def _line(kind: str, term: str, against: str, contrast: Contrast) -> AblationLine:
    word = contrast.verdict.word if contrast.verdict else ""
    return AblationLine(kind, term, against, _OF_TERM[kind].get(word, word), contrast)


def _names(arm: Variant) -> list[str]:
    """What the arm is called as an ablation: one run may be two, e.g. of a recipe of two terms."""
    ablation = arm.runs[0].ablation
    term = "_".join(map(str, ablation.get("terms") or []))
    own = f"{ablation['kind']}_{term}" if term else str(ablation["kind"])
    return [own, *map(str, ablation.get("same_as") or [])]
