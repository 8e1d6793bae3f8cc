"""The files in a run's folder, read so that a damaged one is a remark and not an end."""

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nerfloss.experiments.report.yaml_blocks import read_blocks

# Of a log, as much of its end as says how a run went out.
LOG_BYTES, ROW_BYTES = 2**18, 2**14


class RunFiles:
    """Reads the files of one folder; ``damaged`` collects what could not be read, in words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[str] = []

    def mapping(self, name: str, read: Callable[[Path], Any] | None = None) -> Mapping[str, Any]:
        """A YAML or JSON file that holds a mapping; empty where it is missing or damaged."""
        content = self.content(name, read)
        if content is not None and not isinstance(content, Mapping):
            self.damaged.append(f"{name} is damaged: it holds a {type(content).__name__}")
        return content if isinstance(content, Mapping) else {}

    def content(self, name: str, read: Callable[[Path], Any] | None = None) -> Any:
        """What a YAML or JSON file holds; None where it is missing or damaged."""
        path = self.folder / name
        read = read or (_read_json if path.suffix == ".json" else read_blocks)
        try:
            return read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, OSError) as error:
            self.damaged.append(f"{name} is damaged: {error}")
            return None


def _read_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def group(content: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The mapping at this path of keys; empty where there is none."""
    for name in names:
        inner = content.get(name)
        if not isinstance(inner, Mapping):
            return {}
        content = inner
    return content


def numbers(content: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers at a mapping's top level, by name."""
    return {
        str(name): float(value)
        for name, value in content.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }


def views(content: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The scores of each view in metrics.json, by its name; none in files that lack them."""
    rows = content.get("views")
    found = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return {str(row["view"]): numbers(row) for row in found if "view" in row}


def overrides(content: Any) -> dict[str, str]:
    """What was asked of a run beyond the defaults, by key; ``~key`` counts as "dropped"."""
    entries = content if isinstance(content, list) else []
    pairs = (str(entry).partition("=") for entry in entries)
    return {
        key.lstrip("+"): value if mark else "dropped" if key.startswith("~") else ""
        for key, mark, value in pairs
    }


def how_it_ended(folder: Path, error: str | None) -> str:
    """A word on a run without scores, from its log and its last recorded step.

    ``error`` is what provenance.json says of it, if anything.
    """
    log = "".join(_end_of(path, LOG_BYTES) for path in sorted(folder.glob("*.log")))
    stopped = re.findall(r"stopped by \w+ after step \d+", log)
    if stopped:
        return stopped[-1]
    failed = error or re.search(r"Traceback|Error\b|\[ERROR\]", log)
    rows = _end_of(folder / "history.csv", ROW_BYTES).splitlines()
    steps = [row.partition(",")[0] for row in rows]
    at = next((step for step in reversed(steps) if step.isdigit()), None)
    when = "before training" if at is None else f"after step {at}"
    return f"{'failed' if failed else 'unfinished'} {when}" + (f": {error}" if error else "")


def _end_of(path: Path, most: int) -> str:
    """The last bytes of a text; nothing where there is no file."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
