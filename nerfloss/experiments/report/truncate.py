"""What a person is shown of thousands of rows: the best of them, and how many more there are.

Files for machines (CSV) have every row.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from nerfloss.experiments.report.table import Table

MOST_ROWS = 200  # of a table that is read
BEST = 40  # rows of one that would be longer
MOST_SETS = 12  # columns beside each other
MOST_REMARKS = 8  # of one kind
Name = TypeVar("Name", bound=Hashable)


def best_of(means: Mapping[Name, float], better: str, most: int) -> list[Name]:
    """The best so many, the very best first; the first where nobody says which way is better."""
    if better not in ("higher", "lower"):
        return list(means)[:most]
    return sorted(means, key=lambda name: means[name], reverse=better == "higher")[:most]


def some(words: Sequence[str], what: str, most: int = MOST_REMARKS) -> list[str]:
    """The first so many, and a word on how many more there are."""
    left = len(words) - most
    return [*words[:most], f"and {left} more {what}"] if left > 1 else list(words)


def readable(tables: Sequence[Table]) -> list[Table]:
    """As many of the tables as a person reads; the last says how many are left out."""
    kept: list[Table] = []
    for table in tables:
        if len(kept) > 1 and sum(len(each.rows) for each in [*kept, table]) > 2 * MOST_ROWS:
            note = f"{len(tables) - len(kept)} more tables like this one: --only arms -f csv"
            kept[-1] = replace(kept[-1], notes=(*kept[-1].notes, note))
            break
        kept.append(table)
    return kept


def is_shortened(table: Table) -> bool:
    """Whether a table for machines has more rows than what a person is shown."""
    return table.wide is not None and len(table.wide.rows) > len(table.rows)
