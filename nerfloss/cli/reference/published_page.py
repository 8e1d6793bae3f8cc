"""Generate docs/published.md, figures that others published, from docs/published.yaml."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nerfloss.assembly.config_files import conf_dir, named, read_yaml
from nerfloss.experiments.report.published import Row, rows_of
from nerfloss.experiments.report.table import Table, as_markdown

PAGE = "published.md"
WIDTH = 120
INTRODUCTION = """\
# Published figures

<!-- Written by `nerfloss docs` from docs/published.yaml: change that, then run it again. -->

Each known data set has an experiment, so that one line runs it. Below are figures of others, each
with the source that it was read in. They are targets to compare with, not measurements of nerfloss:
its experiments on these sets have not been run at full length on a GPU yet. Settings for a GPU are
chosen by `hardware=auto` ([hardware](hardware.md)).

`nerfloss report judged --with-published dtu` puts these figures beside your runs and beside what
`nerfloss judge` has judged; the sets are `nerf_synthetic`, `mipnerf360`, `dtu` and
`tanks_and_temples`. A figure that was not measured by the set's protocol (`eval.protocol`,
[protocols](protocols.md)) is marked.
"""


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


def _section(dataset: Mapping[str, Any], sources: Mapping[str, int]) -> str:
    lines = [_command(name) for name in dataset["experiments"]]
    rows = rows_of(dataset)
    unknown = [row.source for row in rows if row.source not in sources]
    if unknown:
        raise ValueError(f"{dataset['title']}: no source is called {unknown[0]}")
    timed = any(row.hardware or row.time for row in rows)
    table = Table(
        ("method", *dataset["columns"], "mean", *(("training",) if timed else ()), "source"),
        tuple(_cells(row, dataset["decimals"], sources, timed) for row in rows),
    )
    own = "\n\\* The mean was taken here.\n" if any(row.own_mean for row in rows) else ""
    head = f"## {dataset['title']}\n\n```bash\n" + "\n".join(lines) + "\n```\n"
    prose = _wrapped(f"{dataset['score']}. {dataset['protocol']}")
    return "\n".join([head, prose, "", as_markdown(table) + own])


def _cells(row: Row, decimals: int, sources: Mapping[str, int], timed: bool) -> tuple[str, ...]:
    figures = ["" if each is None else f"{each:.{decimals}f}" for each in row.figures]
    mean = "" if row.mean is None else f"{row.mean:.{decimals}f}" + (r" \*" if row.own_mean else "")
    training = ", ".join(part for part in (row.time, row.hardware) if part)
    return (row.method, *figures, mean, *((training,) if timed else ()), f"{sources[row.source]}")


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
