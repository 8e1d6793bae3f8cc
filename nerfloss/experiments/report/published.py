"""Published figures of other methods, beside the user's runs."""

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nerfloss
from nerfloss.assembly.config_files import read_yaml
from nerfloss.assembly.result_settings import affects_scores, flat
from nerfloss.experiments.report.run_files import group
from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.table import Cell, Table

DATA = "published.yaml"
OTHER = " †"  # behind a figure that was not measured by the set's protocol
# Settings that differ from scene to scene of one method.
OF_SCENE = ("seed", "dataset.path", "dataset.scene", "dataset.mesh", "eval.reference", "judged")


@dataclass(frozen=True)
class Row:
    """One method's figures, None where the source has none, and the mean that is shown.

    ``own_mean`` is true where the mean was taken here, not by the source. ``hardware`` and ``time``
    of training are "" where the source states none.
    """

    method: str
    source: str
    figures: tuple[float | None, ...]
    mean: float | None
    own_mean: bool
    hardware: str = ""
    time: str = ""


def published_file() -> Path:
    """Return the file of published figures: in an installed package, or in the clone's docs/."""
    package = Path(nerfloss.__file__).resolve().parent
    for place in (package / DATA, package.parent / "docs" / DATA):
        if place.is_file():
            return place
    raise FileNotFoundError(f"no {DATA} in {package}: this installation is incomplete")


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
        stated = (str(each.get(key) or "") for key in ("hardware", "time"))
        rows.append(Row(each["method"], each["source"], tuple(figures), mean, own, *stated))
    return rows


def published_table(name: str, runs: Sequence[Run]) -> Table:
    """Return the published figures of a set, below the rows of runs on its scenes.

    Runs that differ in scene and seed only are one row, with means over seeds. A figure that was
    not measured by the set's protocol is marked. Raises ValueError for an unknown set.
    """
    data = read_yaml(published_file())
    sets = {str(each["name"]): each for each in data["sets"]}
    if name not in sets:
        raise ValueError(f"no published figures are called '{name}': take {', '.join(sets)}")
    dataset = sets[name]
    columns, decimals = [str(each) for each in dataset["columns"]], dataset["decimals"]
    own = _own_rows(dataset, columns, runs)
    rows = rows_of(dataset)
    numbers = {source: i for i, source in enumerate(dict.fromkeys(r.source for r in rows), 1)}
    cells = [*own, *(_cells(row, numbers, decimals) for row in rows)]
    sources = [f"[{i}] {data['sources'][s]['text']}: {data['sources'][s]['url']}" for s, i in
               numbers.items()]  # fmt: skip
    notes = [f"{dataset['score']}. {' '.join(str(dataset['protocol']).split())}"]
    if not own:
        notes.append(f"no run here has a score '{dataset['metric']}' on a scene of {name}")
    if any(OTHER in str(cell) for row in own for cell in row):
        protocol = dataset["eval_protocol"]
        notes.append(f"†: not measured by the protocol {protocol}: eval.protocol={protocol}")
    heads = ("method", *columns, "mean", "hardware", "time", "source")
    title = f"{dataset['title']}, published figures"
    return Table(heads, tuple(cells), title, (*notes, *sources))


def _own_rows(
    dataset: Mapping[str, Any], columns: Sequence[str], runs: Sequence[Run]
) -> list[tuple[Cell, ...]]:
    metric, decimals = str(dataset["metric"]), int(dataset["decimals"])
    members: dict[str, list[Run]] = {}
    for run in runs:
        if run.finished and metric in run.metrics and column_of(run.scene, columns) is not None:
            members.setdefault(_method_key(run), []).append(run)
    rows = []
    for each in members.values():
        by_column: dict[str, list[float]] = {}
        for run in each:
            column = column_of(run.scene, columns)
            assert column is not None
            by_column.setdefault(column, []).append(run.metrics[metric])
        means = {column: statistics.fmean(values) for column, values in by_column.items()}
        followed = all(_follows(run, metric, dataset["eval_protocol"]) for run in each)
        mark = "" if followed else OTHER
        figures = [f"{means[c]:.{decimals}f}{mark}" if c in means else None for c in columns]
        whole = len(means) == len(columns)
        mean = f"{statistics.fmean(means.values()):.{decimals}f}{mark}" if whole else None
        rows.append((_label(each), *figures, mean, _hardware(each), _time(each), "this folder"))
    return rows


def column_of(scene: str, columns: Sequence[str]) -> str | None:
    """Return the column of a scene: by name, or by number where columns are those of scans."""
    if all(column.isdigit() for column in columns):
        found = re.search(r"(?:scan|stl)_?0*(\d+)", scene) or re.fullmatch(r"0*(\d+)", scene)
        number = found[1] if found else ""
        return number if number in columns else None
    return next((column for column in columns if column.lower() == scene.lower()), None)


def _follows(run: Run, metric: str, protocol: str) -> bool:
    return str(run.conventions.get(metric, {}).get("protocol", "")).split(" ")[0] == protocol


def _method_key(run: Run) -> str:
    """Return a key that is equal for runs that differ in their scene and seed only."""
    settings = {
        key: value
        for key, value in flat(run.config)
        if affects_scores(key) and not any(key == k or key.startswith(f"{k}.") for k in OF_SCENE)
    }
    judged = group(run.config, "judged").get("name")
    return json.dumps([settings, judged], sort_keys=True, default=str)


def _label(runs: Sequence[Run]) -> str:
    judged = group(runs[0].config, "judged").get("name")
    parts = (runs[0].choices.get(key) for key in ("model", "loss"))
    named = judged or " ".join(part for part in parts if part) or runs[0].folder.name
    return f"{named} ({len(runs)} run{'s' if len(runs) > 1 else ''})"


def _hardware(runs: Sequence[Run]) -> str:
    return ", ".join(dict.fromkeys(str(r.provenance["device"]) for r in runs if _is_trained(r)))


def _is_trained(run: Run) -> bool:
    return bool(run.provenance.get("device")) and not group(run.config, "judged")


def _time(runs: Sequence[Run]) -> str:
    seconds = [r.metrics["train_seconds"] for r in runs if "train_seconds" in r.metrics]
    return f"{statistics.fmean(seconds) / 60:.1f} min" if seconds else ""


def _cells(row: Row, numbers: Mapping[str, int], decimals: int) -> tuple[Cell, ...]:
    figures = [None if each is None else f"{each:.{decimals}f}" for each in row.figures]
    mean = None if row.mean is None else f"{row.mean:.{decimals}f}"
    return (row.method, *figures, mean, row.hardware, row.time, f"[{numbers[row.source]}]")
