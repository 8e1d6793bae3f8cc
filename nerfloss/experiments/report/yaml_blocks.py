"""The YAML that Hydra writes, read block by block: thousands of runs share most of them.

A block is a key at the left margin with what is indented below it. Reading one takes a hundred
times as long as recognising it, so blocks that were met before are taken from memory; the same
object stands for all runs that have it, and must not be changed.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from nerfloss.assembly.config_files import parse_yaml

_BEGIN = re.compile(r"^(?=[^\s#-])", re.MULTILINE)
_CHOICES = re.compile(r"^  runtime:\n(?:    .*\n)*?    choices:\n((?:      .*\n)+)", re.MULTILINE)


def read_blocks(path: Path) -> Any:
    """What a YAML file holds. Raises ValueError as `read_yaml` does."""
    text = _text(path)
    if text.startswith("-"):
        return parse_yaml(text, path)
    blocks = [_block(block) for block in _BEGIN.split(text) if block.strip()]
    whole = {key: value for block in blocks for key, value in block.items()}
    # A file that is no such mapping, or says a key twice, is for the parser to judge.
    return whole if len(whole) == len(blocks) > 0 else parse_yaml(text, path)


def read_choices(path: Path) -> Mapping[str, Any]:
    """The files chosen by group, of a hydra.yaml; that is most of what takes time in one."""
    text = _text(path)
    if found := _CHOICES.search(text):
        return _block("choices:\n" + found[1]).get("choices", {})
    content = parse_yaml(text, path)
    for key in ("hydra", "runtime", "choices"):
        content = content.get(key) if isinstance(content, Mapping) else None
    return content if isinstance(content, Mapping) else {}


@lru_cache(maxsize=4096)
def _block(text: str) -> Mapping[str, Any]:
    """A block that is one key and its value; empty for any other text."""
    try:
        content = parse_yaml(text, "")
    except ValueError:
        return {}
    return content if isinstance(content, Mapping) and len(content) == 1 else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} cannot be read as YAML: {error}") from error
