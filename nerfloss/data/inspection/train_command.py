"""The command that trains on an inspected scene, quoted for the shell and for Hydra."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.inspection.inspection import Finding

PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")


def train_command(parsed: ParsedScene, findings: Sequence[Finding]) -> str:
    """Return the command to train with, with settings that the findings ask for."""
    words = [f"dataset.path={hydra_value(parsed.folder)}"]
    kinds = {finding.kind for finding in findings}
    masked = len({view for finding in findings for view in _without(finding)})
    if "masks_white" in kinds and masked == len(parsed.frames):
        words.append("dataset.masks=false")
    if "border_black" in kinds:
        words.append("dataset.background=black")
    return "nerfloss train " + " ".join(shlex.quote(word) for word in words)


def _without(finding: Finding) -> tuple[int, ...]:
    return finding.views if finding.kind == "masks_white" else ()


def hydra_value(path: Path) -> str:
    """Return a path as a value of Hydra's grammar: in quotes if it has special characters."""
    text = str(path)
    if PLAIN.fullmatch(text):
        return text
    # Hydra doubles backslashes before a quote only; all others stand for themselves.
    escaped = re.sub(r'(\\*)"', lambda m: m[1] * 2 + '\\"', text)
    escaped = re.sub(r"(\\+)$", lambda m: m[1] * 2, escaped)
    return f'"{escaped}"'
