"""Generate docs/published.md, figures that others published, from docs/published.yaml."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerfloss.assembly.config_files import conf_dir, named, read_yaml
from nerfloss.experiments.report.table import Table, as_markdown

DATA, PAGE = "published.yaml", "published.md"
WIDTH = 120
INTRODUCTION = """\
# Published figures

<!-- Written by `nerfloss docs` from docs/published.yaml: change that, then run it again. -->

Each known data set has an experiment, so that one line runs it. Below are figures of others, each
with the source that it was read in. They are targets to compare with, not measurements of nerfloss:
its experiments on these sets have not been run at full length on a GPU yet. Settings for a GPU are
chosen by `hardware=auto` ([hardware](hardware.md)).
"""


@dataclass(frozen=True)
class Row:
    """One method's figures, None where the source has none, and the mean that is shown.

    ``own_mean`` is true where the mean was taken here, not by the source.
    """

    method: str
    source: str
    figures: tuple[float | None, ...]
    mean: float | None
    own_mean: bool


def published_page(path: Path) -> str:
    """Return the page as text. Raises ValueError for a row or an experiment that does not fit."""
    data = read_yaml(path)
    sources = {name: number for number, name in enumerate(data["sources"], 1)}
    sections = [_section(each, sources) for each in data["sets"]]
    missing = [f"- {_wrapped(text, 2)}" for text in data["not_found"]]
    listed = [
        f"{number}. {data['sources'][name]['text']}:\n    <{data['sources'][name]['url']}>"
        for name, number in sources.items()
    ]
    page = [INTRODUCTION, *sections, "## Not found\n", *missing, "\n## Sources\n", *listed]
    return "\n".join(page) + "\n"


def rows_of(dataset: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a set. Raises ValueError for a row of another length than its columns."""
    count = len(dataset["columns"])
    rows = []
    for each in dataset["rows"]:
        figures = each["figures"] or [None] * count
        if len(figures) != count:
            raise ValueError(
                f"{each['method']}: {len(figures)} figures for {count} columns of "
                f"{dataset['title']}: write null where the source has none"
            )
        known, mean = [value for value in figures if value is not None], each.get("mean")
        own = mean is None and len(known) == count
        mean = sum(known) / count if own else mean
        rows.append(Row(each["method"], each["source"], tuple(figures), mean, own))
    return rows


def _section(dataset: Mapping[str, Any], sources: Mapping[str, int]) -> str:
    lines = [_command(name) for name in dataset["experiments"]]
    rows = rows_of(dataset)
    unknown = [row.source for row in rows if row.source not in sources]
    if unknown:
        raise ValueError(f"{dataset['title']}: no source is called {unknown[0]}")
    table = Table(
        ("method", *dataset["columns"], "mean", "source"),
        tuple(_cells(row, dataset["decimals"], sources) for row in rows),
    )
    own = "\n\\* The mean was taken here.\n" if any(row.own_mean for row in rows) else ""
    head = f"## {dataset['title']}\n\n```bash\n" + "\n".join(lines) + "\n```\n"
    prose = _wrapped(f"{dataset['score']}. {dataset['protocol']}")
    return "\n".join([head, prose, "", as_markdown(table) + own])


def _cells(row: Row, decimals: int, sources: Mapping[str, int]) -> tuple[str, ...]:
    figures = ["" if each is None else f"{each:.{decimals}f}" for each in row.figures]
    mean = "" if row.mean is None else f"{row.mean:.{decimals}f}" + (r" \*" if row.own_mean else "")
    return (row.method, *figures, mean, f"{sources[row.source]}")


def _command(name: str) -> str:
    """Return the line that the experiment's file gives to type."""
    files = named(conf_dir() / "experiment")
    if name not in files:
        raise ValueError(f"no experiment is called {name}")
    found = re.search(r"^# (nerfloss train .*)$", files[name].read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{files[name]} gives no line to type")
    return found.group(1)


def _wrapped(text: str, indent: int = 0) -> str:
    return "\n".join(_lines(text.split(), indent))


def _lines(words: Sequence[str], indent: int) -> list[str]:
    return textwrap.wrap(
        " ".join(words), WIDTH - indent, subsequent_indent=" " * indent, break_long_words=False
    )
