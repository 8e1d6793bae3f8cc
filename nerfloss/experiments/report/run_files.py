"""Files in a run's folder; damaged ones are reported instead of raising."""

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nerfloss.assembly.config_files import read_yaml

# Bytes at the end of a log and of history.csv that show how a run ended.
LOG_BYTES, ROW_BYTES = 2**18, 2**14
FAILED_AT_ONCE = "failed before training"  # begins the status of a run that was not built


class RunFiles:
    """Reads the files of one folder; ``damaged`` describes those that could not be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[str] = []

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return the mapping in a YAML or JSON file; empty if it is missing or damaged."""
        content = self.content(name)
        if content is not None and not isinstance(content, Mapping):
            self.damaged.append(f"{name} is damaged: it holds a {type(content).__name__}")
        return content if isinstance(content, Mapping) else {}

    def content(self, name: str) -> Any:
        """Return the content of a YAML or JSON file; None if it is missing or damaged."""
        path = self.folder / name
        try:
            return json.loads(path.read_bytes()) if path.suffix == ".json" else read_yaml(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, OSError, RecursionError) as error:
            self.damaged.append(f"{name} is damaged: {error}")
            return None


def group(content: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Return the mapping at this path of keys; empty if there is none."""
    for name in names:
        inner = content.get(name)
        if not isinstance(inner, Mapping):
            return {}
        content = inner
    return content


def numbers(content: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers at the top level of a mapping."""
    return {
        str(name): float(value)
        for name, value in content.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }


def views(content: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the scores in metrics.json by view."""
    rows = content.get("views")
    found = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return {str(row["view"]): numbers(row) for row in found if "view" in row}


def overrides(content: Any) -> dict[str, str]:
    """Return the overrides of a run by key; the value of ``~key`` is "dropped"."""
    entries = content if isinstance(content, list) else []
    pairs = (str(entry).partition("=") for entry in entries)
    return {
        key.lstrip("+"): value if mark else "dropped" if key.startswith("~") else ""
        for key, mark, value in pairs
    }


def how_it_ended(folder: Path, error: str | None) -> str:
    """Return the status of a run without scores, from its log and its last recorded step.

    ``error`` is the error in provenance.json, if any.
    """
    log = "".join(_end_of(path, LOG_BYTES) for path in sorted(folder.glob("*.log")))
    stopped = re.findall(r"stopped by \w+ after step \d+", log)
    if stopped:
        return stopped[-1]
    failed = error or re.search(r"Traceback|Error\b|\[ERROR\]", log)
    rows = _end_of(folder / "history.csv", ROW_BYTES).splitlines()
    steps = [row.partition(",")[0] for row in rows]
    at = next((step for step in reversed(steps) if step.isdigit()), None)
    if at is None and failed:
        # Training begins with an empty history.
        begun = (folder / "history.csv").exists()
        ended = "failed in its first steps" if begun else FAILED_AT_ONCE
    elif at is None:
        ended = "unfinished before training"
    else:
        ended = f"{'failed' if failed else 'unfinished'} after step {at}"
    return ended + (f": {error}" if error else "")


def _end_of(path: Path, most: int) -> str:
    """Return the last bytes of a file as text; "" if there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
