"""``nerfloss.show``: runs in a notebook, as the page of the documentation has it."""

import re
from html import unescape
from pathlib import Path

import pytest
from pretended_runs import pretend_run, pretend_sweep

import nerfloss
from nerfloss.experiments.report.page.page import write_report

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "notebooks.md"
CELLS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
SCORES = {"psnr": 25.0, "chamfer_l1": 0.01}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The two runs of the documentation, below the working directory."""
    monkeypatch.chdir(tmp_path)
    for loss, weight in (("neus_eikonal", 0.1), ("neus", 0.0)):
        folder = tmp_path / "outputs" / "analytic" / loss / "today"
        pretend_run(folder, SCORES, f"loss={loss}", weight=weight)
    return tmp_path / "outputs"


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def sections(html: str) -> list[str]:
    return re.findall(r'<section id="([\w-]+)"', html)


def test_the_cells_of_the_page_show_runs_and_write_only_what_they_are_asked_to(runs) -> None:
    before, names = files(runs.parent), {}
    for cell in CELLS:
        exec(cell, names)
    assert {path.name for path in files(runs.parent) - before} == {"two_runs.html"}
    page = names["page"]
    assert (runs.parent / "two_runs.html").read_text() == page.html
    assert page.height == 800
    assert repr(page) == "2 runs, 2 variants, one seed, scene sphere"
    assert "loss=neus" in page.html


def test_a_run_has_scores_views_mesh_and_curves_in_a_frame_of_its_own(runs) -> None:
    shown = nerfloss.show(runs / "analytic" / "neus" / "today")
    assert sections(shown.html) == ["scores", "renders", "surfaces", "training"]
    frame = shown._repr_html_()
    assert frame.startswith('<iframe sandbox="allow-scripts"')
    assert frame.count("<") == 2, "the page is an attribute: none of it is markup outside"
    (inside,) = re.findall(r'srcdoc="([^"]*)"', frame)
    assert unescape(inside) == shown.html
    assert not re.findall(r'(?:src|href)="(?!#|data:)', shown.html)


def test_a_folder_of_runs_is_compared_and_a_run_given_twice_counts_once(tmp_path) -> None:
    root = pretend_sweep(tmp_path / "sweep", seeds=2)
    whole = nerfloss.show(root)
    assert repr(whole) == "4 runs, 2 variants, 2 seeds, scene sphere"
    assert repr(nerfloss.show([root, *sorted(root.iterdir())])) == repr(whole)


def test_a_run_that_failed_shows_what_it_has(tmp_path) -> None:
    folder = pretend_run(tmp_path / "run", None, pictured=False)
    shown = nerfloss.show(folder)
    assert "training" in sections(shown.html)
    assert "failed after step" in shown.html


def test_what_is_no_run_is_refused_in_a_sentence(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        nerfloss.show(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no runs in"):
        nerfloss.show(tmp_path)
    with pytest.raises(ValueError, match="give a run's folder, or several"):
        nerfloss.show([])


def test_a_height_that_is_no_number_of_pixels_is_refused(tmp_path) -> None:
    for height in (-3, 0):
        with pytest.raises(ValueError, match="number of pixels"):
            nerfloss.show(tmp_path, height=height)


def test_only_the_written_page_names_its_figures(runs) -> None:
    root = runs / "analytic" / "neus" / "today"
    assert "figures/" not in nerfloss.show(root).html
    assert "The figures are in figures/" in write_report(root).read_text()
