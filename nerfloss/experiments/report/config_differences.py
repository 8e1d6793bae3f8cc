"""Differences between groups of runs: in configuration and provenance."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nerfloss.assembly.result_settings import flat
from nerfloss.experiments.report.comparison_groups import ComparisonGroup
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.experiments.report.truncate import truncated

ABSENT = "absent"
_TERMS = "loss.terms."
# Facts of provenance.json that differ between any two runs.
_ALWAYS_DIFFERENT = (
    "status",
    "error",
    "config_hash",
    "command",
    "seed",
    "started",
    "ended",
    "resumed",
)


def config_table(groups: Sequence[ComparisonGroup]) -> Table:
    """Return one row for each setting that differs: terms first, then the rest of the loss.

    A term that some groups lack is one row with its weight.
    """
    settings = [dict(each.settings) for each in groups]
    rows = []
    for term, found in _terms_lacking(settings).items():
        rows.append((_TERMS + term, *found))
        for each in settings:
            for key in [key for key in each if key.startswith(f"{_TERMS}{term}.")]:
                del each[key]
    keys = sorted(dict.fromkeys(key for each in settings for key in each), key=_sort_key)
    for key in keys:
        cells = tuple(_text(each[key]) if key in each else ABSENT for each in settings)
        if len(set(cells)) > 1:
            rows.append((key, *cells))
    unknown = [each.label for each in groups if not each.settings]
    notes = [f"{', '.join(unknown)}: no configuration could be read"] if unknown else []
    if not rows:
        notes.append("the configurations agree in everything but the seed")
    heads = ("setting", *(each.label for each in groups))
    return Table(heads, tuple(rows), title="Configuration", notes=tuple(notes))


def provenance_table(groups: Sequence[ComparisonGroup]) -> Table:
    """Return one row for each fact of provenance.json that differs.

    A group whose runs differ shows all values.
    """
    facts = [_facts(each) for each in groups]
    known = [index for index, each in enumerate(facts) if each]
    rows: list[tuple[Cell, ...]] = []
    for key in dict.fromkeys(key for each in facts for key in each):
        cells = tuple(
            ", ".join(truncated(each[key], "others")) if key in each else None for each in facts
        )
        compared = [cells[index] for index in known]
        if len(set(compared)) > 1 or any(len(each.get(key, ())) > 1 for each in facts):
            rows.append((key, *cells))
    heads = ("provenance", *(each.label for each in groups))
    return Table(heads, tuple(rows), title="Provenance", notes=tuple(_notes(groups, bool(rows))))


def _notes(groups: Sequence[ComparisonGroup], differ: bool) -> list[str]:
    notes = []
    without = [
        f"{each.label} ({missing} of {len(each.runs)})"
        for each in groups
        for missing in [sum(not run.provenance for run in each.runs)]
        if missing
    ]
    if without:
        notes.append(f"without provenance.json: {', '.join(without)}")
    elif not differ:
        notes.append("all runs come from the same commit, versions and machine")
    dirty = [each.label for each in groups if any(_dirty(run.provenance) for run in each.runs)]
    if dirty:
        notes.append(
            f"{', '.join(dirty)}: run with uncommitted changes, so the commit does not identify "
            f"the code"
        )
    remarks = [
        f"{run.folder.name}: {r}" for each in groups for run in each.runs for r in run.damaged
    ]
    return notes + truncated(remarks, "damaged files")


def _dirty(provenance: Mapping[str, Any]) -> bool:
    git = provenance.get("git")
    return isinstance(git, Mapping) and bool(git.get("dirty"))


def _facts(one: ComparisonGroup) -> dict[str, list[str]]:
    """Return the distinct values by key over the runs of a group."""
    found: dict[str, list[str]] = {}
    for run in one.runs:
        for key, value in flat(run.provenance):
            if key.partition(".")[0] not in _ALWAYS_DIFFERENT and _text(value) not in found.get(
                key, ()
            ):
                found.setdefault(key, []).append(_text(value))
    return found


def _terms_lacking(settings: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Return the terms that some groups lack, with their weight in the others."""
    had = [_terms(each) for each in settings]
    every = dict.fromkeys(term for terms in had for term in terms)
    return {
        term: tuple(
            f"weight {_text(each.get(f'{_TERMS}{term}.weight', 1.0))}" if term in terms else ABSENT
            for each, terms in zip(settings, had, strict=True)
        )
        for term in every
        # Of a configuration that could not be read nothing is known.
        if any(each and term not in terms for each, terms in zip(settings, had, strict=True))
    }


def _terms(settings: Mapping[str, Any]) -> list[str]:
    inside = (key[len(_TERMS) :] for key in settings if key.startswith(_TERMS))
    return list(dict.fromkeys(key.partition(".")[0] for key in inside))


def _sort_key(key: str) -> int:
    """Sort key: weights of terms, other settings of terms, the rest of the loss, the rest."""
    if key.startswith(_TERMS):
        return 0 if key.endswith(".weight") else 1
    return 2 if key.startswith("loss.") else 3


def _text(value: Any) -> str:
    """Return a value as text."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
