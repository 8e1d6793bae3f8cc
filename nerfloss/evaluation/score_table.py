"""Scores as a table for the terminal."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from nerfloss.files import printable

MISSING_WEIGHTS = "published weights are missing: 'nerfloss weights' says where to get them"
ARROWS = {"higher": "↑", "lower": "↓"}
# What a column of a baseline holds.
BASELINES = {"hull": "scores of the visual hull, the surface that the training masks alone give"}


def score_table(metrics: Mapping[str, Any], *, title: str = "Scores") -> Group:
    """Return the content of metrics.json as a table: value, better direction, units.

    Scores of baselines have a column each. Metrics without a value are listed below, with the first
    clause of their reason; lines there are as long as the terminal, not as the table.
    """
    conventions, reasons = metrics.get("conventions", {}), metrics.get("reasons", {})
    baselines = dict.fromkeys(c["baseline"] for c in conventions.values() if c.get("baseline"))
    missing = {name: reasons.get(name, "") for name in conventions if metrics.get(name) is None}
    table = Table(title=_plain(title))
    table.add_column("metric")
    table.add_column("value", justify="right", style="bold")
    for baseline in baselines:
        table.add_column(_plain(baseline), justify="right", style="dim")
    table.add_column("better")
    table.add_column("units", style="dim")
    for name, entry in conventions.items():
        if entry.get("baseline") or metrics.get(name) is None:
            continue
        of_baselines = [_number(metrics.get(f"{baseline}_{name}")) for baseline in baselines]
        arrow = ARROWS.get(entry.get("better") or "", "")
        units = _plain(entry.get("units") or "")
        table.add_row(_plain(name), _number(metrics[name]), *of_baselines, arrow, units)
    said = [f"{name}: {BASELINES[name]}" for name in baselines if name in BASELINES]
    below = _lines_below([*said, *_missing_lines(missing, baselines)])
    return Group(table, *([below] if below else []))


def _plain(text: str) -> str:
    """Return text without markup: "[/red]" is a name like any other."""
    return escape(printable(text))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _missing_lines(missing: Mapping[str, str], baselines: Mapping[str, None]) -> list[str]:
    """Return the metrics without a value, one short line per reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in missing.items():
        if not name.startswith(tuple(f"{baseline}_" for baseline in baselines)):
            by_reason.setdefault(_first_clause(reason), []).append(name)
    lines = [f"no {', '.join(names)}: {reason}" for reason, names in by_reason.items()]
    shortened = {_first_clause(reason) for reason in missing.values()} - {*missing.values()}
    if shortened - {MISSING_WEIGHTS}:
        lines.append("metrics.json has the reasons in full")
    return lines


def _lines_below(lines: Sequence[str]) -> Text | None:
    # As Text: the brackets in "install nerfloss[stlpips]" are not markup.
    return Text("\n".join(map(printable, lines)), style="italic") if lines else None


def _first_clause(reason: str) -> str:
    """Return what is missing, without the file's name and the remedy."""
    clause = re.split(r" \(|; ", reason, maxsplit=1)[0]
    return re.sub(r"^the (weights|linear layers) \S+ are missing", MISSING_WEIGHTS, clause)
