"""Texts that others wrote do not steer the terminal, in tables, scores and messages."""

import io

import pytest
from rich.console import Console

from nerfloss.cli.main import main
from nerfloss.evaluation.score_table import score_table
from nerfloss.experiments.report.table import Table, as_csv, as_markdown, show
from nerfloss.files import printable

HOSTILE = "a\x1b[2J\x07\u202eb\nc"
HARMLESS = r"a\x1b[2J\x07\u202eb\nc"


def test_control_characters_become_escapes_and_text_stays() -> None:
    assert printable(HOSTILE) == HARMLESS
    assert printable(HOSTILE, keep="\n") == HARMLESS.replace(r"\n", "\n")
    for text in ("", "Ærø, 25 °C ± 1 – “x”", "日本語", "a b"):
        assert printable(text) == text
    assert printable("\ud800") == r"\ud800"


def test_tables_hold_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table((HOSTILE,), ((HOSTILE,), (1.0,), (None,)), HOSTILE, notes=(HOSTILE,))
    show(table)
    for text in (capsys.readouterr().out, as_markdown(table), as_csv(table)):
        assert HARMLESS in text
        assert "\x1b" not in text
        assert "\u202e" not in text


@pytest.mark.parametrize("name", ["[/red]", "[bold]x", HOSTILE])
def test_scores_have_names_and_titles_of_any_text(name: str) -> None:
    console = Console(file=io.StringIO(), width=120)
    content = {name: 1.0, "conventions": {name: {"units": name}, "b": {}}, "reasons": {"b": name}}
    console.print(score_table(content, title=name))
    assert console.file.getvalue().count(printable(name)) == 4  # pyright: ignore


def test_messages_hold_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "none\x1b[2J"]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert r"there is no folder none\x1b[2J" in err
