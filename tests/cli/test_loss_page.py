"""docs/losses.md says what the code says: written from it, and stale when it no longer agrees."""

import importlib
import re
from pathlib import Path

import pytest
import torch

from nerfloss.assembly.config_files import conf_dir
from nerfloss.cli.main import main
from nerfloss.cli.reference.generated_pages import stale_pages, write_pages
from nerfloss.cli.reference.loss_curves import curves
from nerfloss.cli.reference.loss_page import IMAGES, loss_page
from nerfloss.cli.reference.svg_plots import as_svg
from nerfloss.cli.reference.term_files import term_files
from nerfloss.losses.depth import depth_nll
from nerfloss.losses.eikonal import eikonal
from nerfloss.losses.mask import mask_bce
from nerfloss.losses.photometric import huber
from nerfloss.losses.volume import distortion
from nerfloss.recipe.term import Term

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def pages():
    return loss_page(conf_dir())


def test_the_committed_page_and_its_plots_are_what_the_code_says_now(pages):
    assert stale_pages(pages, DOCS, IMAGES) == [], "run 'nerfloss docs' and commit what it wrote"


def test_every_term_is_on_the_page_with_its_function_and_a_reference(pages):
    page = pages["losses.md"]
    for name, term in term_files(conf_dir()).items():
        heading = re.search(rf"\| \[`{name}`\]\(#(\w+)\) \|", page)[1]
        assert getattr(importlib.import_module(term.function.__module__), heading) is term.function
        section = page.split(f"\n### {heading}\n")[1].split("\n### ")[0]
        assert "**Reference:**" in section
        assert f"| `{name}` |" in section


def test_a_section_has_signature_formula_plot_and_terms(pages):
    section = pages["losses.md"].split("\n### huber\n")[1].split("\n### ")[0]
    assert "```python\nhuber(prediction, target, *, delta=0.1)\n```" in section
    assert "d^2 / 2" in section
    assert "![huber](images/losses/huber.svg)" in section
    assert "| `depth_huber` | 0.1 | 0.1, as sdfstudio weighs L1" in section
    assert (
        "`depth`, `target_depth`, `target_depth_known` | `target_depth_known` | delta: 0.1 |"
        in (section)
    )


def test_a_curve_is_the_loss_over_its_input():
    found = curves(Term(fn=huber, inputs={"prediction": "rgb", "target": "target_rgb"}))
    torch.testing.assert_close(found.values[0], huber(found.x, torch.full_like(found.x, 0.5)))
    assert (found.axis, found.labels) == ("rgb", ("target_rgb 0.5",))


def test_a_mask_has_a_curve_on_either_side():
    found = curves(Term(fn=mask_bce))
    assert found.labels == ("target_mask 0", "target_mask 1")
    torch.testing.assert_close(found.values[0], found.values[1].flip(0))


def test_vectors_are_shown_by_their_length():
    found = curves(Term(fn=eikonal))
    torch.testing.assert_close(found.values[0], (found.x - 1).square(), atol=1e-5, rtol=0)
    assert found.axis == "length of gradients"


def test_what_is_no_function_of_one_point_has_no_curve():
    assert curves(Term(fn=distortion)) is None
    assert curves(Term(fn=depth_nll)) is None
    assert curves(Term(fn=lambda rgb: rgb.mean(0))) is None
    assert curves(Term(fn=lambda sdf: sdf.cumsum(0))) is None
    assert curves(Term(fn=lambda sdf: 0 * sdf)) is None


def test_a_page_is_stale_when_it_differs_is_missing_or_has_an_image_too_many(tmp_path):
    svg = as_svg(curves(Term(fn=eikonal)))
    pages = {"losses.md": "a 1.5\n", f"{IMAGES}/eikonal.svg": svg}
    assert stale_pages(pages, tmp_path, IMAGES) == sorted(pages)
    write_pages(pages, tmp_path, sorted(pages))
    assert stale_pages(pages, tmp_path, IMAGES) == []
    (tmp_path / "losses.md").write_text("a 1.4\n")
    (tmp_path / IMAGES / "gone.svg").write_text("")
    stale = stale_pages(pages, tmp_path, IMAGES)
    assert stale == [f"{IMAGES}/gone.svg", "losses.md"]
    write_pages(pages, tmp_path, stale)
    assert stale_pages(pages, tmp_path, IMAGES) == []


def test_the_last_digit_of_a_plot_is_the_machine_s_own_but_not_more(tmp_path):
    name = f"{IMAGES}/x.svg"
    write_pages({name: '<polyline points="46.0,12.0"/>'}, tmp_path, [name])
    assert stale_pages({name: '<polyline points="46.1,12.0"/>'}, tmp_path, IMAGES) == []
    assert stale_pages({name: '<polyline points="46.0,13.0"/>'}, tmp_path, IMAGES) == [name]


def test_the_command_checks_and_writes(tmp_path, capsys):
    assert main(["docs", str(tmp_path), "--check"]) == 1
    assert "losses.md is out of date: run 'nerfloss docs'" in capsys.readouterr().out
    assert main(["docs", str(tmp_path)]) == 0
    assert main(["docs", str(tmp_path), "--check"]) == 0
