"""What differs between sets of runs: in their configurations, and in where they come from."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nerfloss.experiments.report.comparison_groups import ComparisonGroup, flat
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.experiments.report.truncate import some

ABSENT = "absent"
_TERMS = "loss.terms."
# What differs between any two runs and explains nothing.
_PASSING = ("status", "error", "config_hash", "command", "seed", "started", "ended", "resumed")


def config_table(sets: Sequence[ComparisonGroup]) -> Table:
    """One row for each setting that is not the same in all sets: terms first, then the loss.

    A term that some sets lack is one row: its weight where it is there.
    """
    settings = [dict(each.settings) for each in sets]
    rows = []
    for term, found in _terms_lacking(settings).items():
        rows.append((_TERMS + term, *found))
        for each in settings:
            for key in [key for key in each if key.startswith(f"{_TERMS}{term}.")]:
                del each[key]
    keys = sorted(dict.fromkeys(key for each in settings for key in each), key=_place)
    for key in keys:
        cells = tuple(_text(each[key]) if key in each else ABSENT for each in settings)
        if len(set(cells)) > 1:
            rows.append((key, *cells))
    unknown = [each.label for each in sets if not each.settings]
    notes = [f"{', '.join(unknown)}: no configuration could be read"] if unknown else []
    if not rows:
        notes.append("the configurations agree in everything but the seed")
    heads = ("setting", *(each.label for each in sets))
    return Table(heads, tuple(rows), title="Configuration", notes=tuple(notes))


def provenance_table(sets: Sequence[ComparisonGroup]) -> Table:
    """One row for each fact of provenance.json that is not the same in all runs.

    A set whose runs differ among themselves shows all their values.
    """
    facts = [_facts(each) for each in sets]
    known = [index for index, each in enumerate(facts) if each]
    rows: list[tuple[Cell, ...]] = []
    for key in dict.fromkeys(key for each in facts for key in each):
        cells = tuple(
            ", ".join(some(each[key], "others")) if key in each else None for each in facts
        )
        compared = [cells[index] for index in known]
        if len(set(compared)) > 1 or any(len(each.get(key, ())) > 1 for each in facts):
            rows.append((key, *cells))
    heads = ("provenance", *(each.label for each in sets))
    return Table(heads, tuple(rows), title="Provenance", notes=tuple(_notes(sets, bool(rows))))


def _notes(sets: Sequence[ComparisonGroup], differ: bool) -> list[str]:
    notes = []
    without = [
        f"{each.label} ({missing} of {len(each.runs)})"
        for each in sets
        for missing in [sum(not run.provenance for run in each.runs)]
        if missing
    ]
    if without:
        notes.append(f"without provenance.json: {', '.join(without)}")
    elif not differ:
        notes.append("all runs come from the same commit, versions and machine")
    dirty = [each.label for each in sets if any(_dirty(run.provenance) for run in each.runs)]
    if dirty:
        notes.append(
            f"{', '.join(dirty)}: run with changes that were not committed, so the commit does not "
            f"say what ran"
        )
    remarks = [f"{run.folder.name}: {r}" for each in sets for run in each.runs for r in run.damaged]
    return notes + some(remarks, "damaged files")


def _dirty(provenance: Mapping[str, Any]) -> bool:
    git = provenance.get("git")
    return isinstance(git, Mapping) and bool(git.get("dirty"))


def _facts(one: ComparisonGroup) -> dict[str, list[str]]:
    """Values by key, each once, over the runs of a set."""
    found: dict[str, list[str]] = {}
    for run in one.runs:
        for key, value in flat(run.provenance):
            if key.partition(".")[0] not in _PASSING and _text(value) not in found.get(key, ()):
                found.setdefault(key, []).append(_text(value))
    return found


def _terms_lacking(settings: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Terms that only some have, with their weight where they are."""
    had = [_terms(each) for each in settings]
    every = dict.fromkeys(term for terms in had for term in terms)
    return {
        term: tuple(
            f"weight {_text(each.get(f'{_TERMS}{term}.weight', 1.0))}" if term in terms else ABSENT
            for each, terms in zip(settings, had, strict=True)
        )
        for term in every
        # A configuration that could not be read lacks nothing.
        if any(each and term not in terms for each, terms in zip(settings, had, strict=True))
    }


def _terms(settings: Mapping[str, Any]) -> list[str]:
    inside = (key[len(_TERMS) :] for key in settings if key.startswith(_TERMS))
    return list(dict.fromkeys(key.partition(".")[0] for key in inside))


def _place(key: str) -> int:
    """Weights of terms, then the terms, then the rest of the loss, then what is left."""
    if key.startswith(_TERMS):
        return 0 if key.endswith(".weight") else 1
    return 2 if key.startswith("loss.") else 3


def _text(value: Any) -> str:
    """A value as YAML writes it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
