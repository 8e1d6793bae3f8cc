"""Every command line that the documentation shows, with the place that shows it."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nerfloss.cli.main import make_parser
from nerfloss.cli.program_help import help_of

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = r"(?:python (?:train|eval)\.py|nerfloss(?= [a-z-])|torchrun)(?: |$)"
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(rf"`({PROGRAMS}[^`]*)`")


@dataclass(frozen=True)
class Command:
    """One documented command line. ``output`` is the text that the page shows below it."""

    source: str
    line: str
    output: str = ""

    @property
    def words(self) -> list[str]:
        """The line as a shell splits it, without its comment."""
        return shlex.split(self.line, comments=True)


def documented_commands() -> list[Command]:
    """Return every distinct command line, from pages, configuration files and help texts."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]
    pages += sorted((ROOT / "docs").rglob("*.md"))
    found = [command for page in pages for command in _of_page(page)]
    for path in sorted((ROOT / "conf").rglob("*.yaml")):
        found += _of_yaml(path)
    found += [Command("--help", line) for text in _help_texts() for line in _quoted(text)]
    for program in ("train", "eval"):
        lines = [line.strip() for line in help_of(program, 200).splitlines()]
        examples = [line for line in lines if line.startswith(f"nerfloss {program} ")]
        found += [Command("--help", _without_description(line)) for line in examples]
    by_words: dict[tuple[str, ...], Command] = {}
    for command in found:
        by_words.setdefault(tuple(command.words), command)
    return list(by_words.values())


def _of_page(path: Path) -> Iterator[Command]:
    text, source = path.read_text(), str(path.relative_to(ROOT))
    for _, block in FENCE.findall(text):
        lines = block.replace("\\\n", " ").splitlines()
        for number, line in enumerate(lines):
            typed = line.strip().removeprefix("$ ")
            if re.match(PROGRAMS, typed):
                shown = "\n".join(lines[number + 1 :]) if line.startswith("$ ") else ""
                yield Command(source, typed, shown)
    for line in INLINE.findall(FENCE.sub("", text)):
        # `nerfloss report` in a sentence names a command.
        if len(line.split()) > 2:
            yield Command(source, " ".join(line.split()))


def _of_yaml(path: Path) -> Iterator[Command]:
    comments = re.sub(r"\\\n# *", "", path.read_text())
    for line in re.findall(rf"# (?:.*: )?({PROGRAMS}.*)", comments):
        yield Command(str(path.relative_to(ROOT)), _without_description(line))


def _without_description(line: str) -> str:
    """Return the line up to two spaces that are followed by words instead of overrides."""
    return re.split(r" {2,}(?!\S+[=.])", line)[0].strip()


def _quoted(text: str) -> list[str]:
    return re.findall(rf"[`']({PROGRAMS}[^`']*)[`']", " ".join(text.split()))


def _help_texts() -> Iterator[str]:
    waiting = [make_parser()]
    while waiting:
        parser = waiting.pop()
        yield parser.format_help()
        for action in parser._actions:
            if isinstance(action.choices, dict):
                waiting += action.choices.values()
