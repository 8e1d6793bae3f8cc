"""The groups of conf/: their choices, what each choice is, and the default one."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

from nerfloss.assembly.config_files import conf_dir, read_yaml


def config_groups() -> dict[str, list[str]]:
    """Return the choices of every group in conf/, by the group's name.

    Hydra's own groups are left out, and folders called ``parts``: files that choices share.
    """
    root = conf_dir()
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*.yaml")):
        group = path.parent.relative_to(root).as_posix()
        if group != "." and not group.startswith("hydra") and path.parent.name != "parts":
            found.setdefault(group, []).append(path.stem)
    return found


def default_choices(config_name: str) -> dict[str, str]:
    """Return the default choice of each group that the defaults list of a file names."""
    found = {}
    for entry in read_yaml(conf_dir() / f"{config_name}.yaml").get("defaults", []):
        if isinstance(entry, Mapping):
            found |= {str(group): str(choice) for group, choice in entry.items()}
    return found


def closest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the most similar names, or an empty text."""
    found = difflib.get_close_matches(name, list(known), n=3)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def description_of(path: Path) -> str:
    """Return the comment that a YAML file begins with, as one line, without its commands."""
    words = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.lstrip("# ").strip()
        if text.startswith("@package "):  # Hydra's directive
            continue
        if text.startswith(("python ", "nerfloss ")):
            break
        if not text.startswith("@package"):
            words.append(text)
    return " ".join(words)
