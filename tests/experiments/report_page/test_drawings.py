"""Figures: the same bytes for the same numbers, colours that follow the page, a clear error."""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nerfloss.experiments.report import page as html
from nerfloss.experiments.report.figures import PALETTE, SEQUENCE, colors_of, drawing, for_page

pytest.importorskip("matplotlib")


def draw(figure):
    axes = figure.add_subplot()
    axes.plot([1, 2, 3], [3, 1, 2], color=PALETTE[0], label="a line")
    axes.legend()


def test_a_figure_is_the_same_bytes_every_time():
    assert drawing(draw, title="x").svg == drawing(draw, title="x").svg


def test_a_figure_is_whole_as_svg_and_as_png():
    found = drawing(draw, title="what it shows")
    assert ElementTree.fromstring(found.svg).tag.endswith("svg")
    assert "what it shows" in found.svg
    assert found.png.startswith(b"\x89PNG")


def test_in_a_page_colours_are_the_themes_and_ids_its_own():
    inline = for_page(drawing(draw, title="x"), "figure-7", 'a "title"')
    assert inline.startswith('<svg role="img" aria-label="a &quot;title&quot;"')
    assert "var(--color-0)" in inline
    assert "var(--ink)" in inline
    assert PALETTE[0] not in inline
    ids = re.findall(r'id="([^"]+)"', inline)
    assert ids
    assert all(name.startswith("figure-7-") for name in ids)
    links = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', inline)
    assert {a or b for a, b in links} <= set(ids)


def test_each_colour_has_one_of_its_own_in_both_themes():
    css = (Path(html.__file__).parent / "assets" / "page.css").read_text()
    for index, color in enumerate(PALETTE):
        light, dark = re.findall(rf"--color-{index}: (#[0-9a-f]{{6}});", css)
        assert light == color
        assert dark != color


def test_many_colours_are_different_ones_from_dark_to_light():
    assert colors_of(3) == list(PALETTE[:3])
    assert colors_of(3, ordered=True) == [SEQUENCE[0], SEQUENCE[3], SEQUENCE[-1]]
    assert len(colors_of(30)) == 30


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ValueError, match=r"pip install 'nerfloss\[report\]'"):
        drawing(draw, title="x")
