"""Truncation of long tables for display; CSV files keep every row."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from nerfloss.experiments.report.table import Table

MAX_ROWS = 200  # of a displayed table
TOP_ROWS = 40  # shown of a table with more than MAX_ROWS
MAX_GROUPS = 12  # columns of a comparison
MAX_NOTES = 8  # of one kind
Name = TypeVar("Name", bound=Hashable)


def best_of(means: Mapping[Name, float], better: str, most: int) -> list[Name]:
    """Return the names of the ``most`` best means; without a direction the first ones."""
    if better not in ("higher", "lower"):
        return list(means)[:most]
    return sorted(means, key=lambda name: means[name], reverse=better == "higher")[:most]


def truncated(words: Sequence[str], what: str, most: int = MAX_NOTES) -> list[str]:
    """Return the first items, and a final one that counts the others."""
    left = len(words) - most
    return [*words[:most], f"and {left} more {what}"] if left > 1 else list(words)


def truncated_tables(tables: Sequence[Table]) -> list[Table]:
    """Return the first tables, up to 400 rows; a note counts the others."""
    kept: list[Table] = []
    for table in tables:
        if len(kept) > 1 and sum(len(each.rows) for each in [*kept, table]) > 2 * MAX_ROWS:
            note = f"{len(tables) - len(kept)} more tables like this one: --only variants -f csv"
            kept[-1] = replace(kept[-1], notes=(*kept[-1].notes, note))
            break
        kept.append(table)
    return kept


def is_truncated(table: Table) -> bool:
    """Return True if the CSV form of a table has more rows than the displayed one."""
    return table.wide is not None and len(table.wide.rows) > len(table.rows)
