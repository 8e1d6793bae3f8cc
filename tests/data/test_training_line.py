"""The line that trains on a scene: what the shell and Hydra make of it is what was meant."""

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from nerfloss.data.training_line import hydra_value, training_line


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("scenes/shoe", "nerfloss train dataset.path=scenes/shoe"),
        ("my scene", "nerfloss train \"dataset.path='my scene'\""),
        ("65", "nerfloss train \"dataset.path='65'\""),
        ("null", "nerfloss train \"dataset.path='null'\""),
    ],
)
def test_the_line_that_trains_is_quoted(path: str, line: str) -> None:
    assert training_line(Path(path)) == line


def test_settings_reach_the_program_as_they_were_typed() -> None:
    settings = ["dataset.region={center: [0, 1, 2], radius: 3}", "dataset.hold_out=['a b']"]
    assert shlex.split(training_line(Path("lego"), settings))[3:] == settings


@pytest.mark.parametrize(
    "text",
    [
        *("plain", "a b", "it's", 'a"b', "a=b", "a,b", "x=1,2", "{a}", "a\\b", "back\\", "1e3"),
        *("2024/1", "true", "grün", "${x}", "/tmp/1 2", "a+b", "'", "\\'"),
    ],
)
def test_hydra_reads_the_quoted_value_as_it_was(text: str) -> None:
    override = OverridesParser.create().parse_override(f"path={hydra_value(text)}")
    assert str(override.value()) == text
