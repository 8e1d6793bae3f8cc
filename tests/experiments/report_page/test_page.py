"""The report as a page: what it holds of a sweep, an ablation, one run; what it leaves out."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from pretended_runs import pretend_ablation, pretend_run, pretend_sweep

from nerfloss.cli.main import main
from nerfloss.experiments.report.page.page import write_report

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    """Six runs and a failed one, with their page."""
    root = tmp_path_factory.mktemp("sweep")
    pretend_sweep(root)
    override = "loss.terms.eikonal.weight=0.1"
    pretend_run(root / "weight=0.1,seed=3", None, override, seed=3, weight=0.1)
    write_report(root)
    return root


@pytest.fixture(scope="module")
def page(sweep) -> str:
    return (sweep / "report.html").read_text()


def sections(page: str) -> list[str]:
    return re.findall(r'<section id="([\w-]+)"', page)


def left_out(page: str) -> dict[str, str]:
    return dict(re.findall(r"<li><b>(\w[\w ]*)</b>: ([^<]+)</li>", page))


def test_the_page_of_a_sweep_has_every_part_but_the_ablation(page):
    assert sections(page) == [
        *("scores", "response", "pareto", "renders", "surfaces", "training", "weights"),
        *("conflicts", "health", "recipe", "provenance", "left-out"),
    ]
    assert list(left_out(page)) == ["Ablation", "Loss maps"]


def test_the_page_needs_nothing_else(page):
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    assert not re.findall(r"url\((?!#)", page)


def test_a_failed_run_is_listed_with_its_error_and_its_words_are_no_markup(page):
    assert "weight=0.1,seed=3: failed after step 190" in page
    assert "&lt;i&gt;rgb&lt;/i&gt;" in page
    assert "<i>rgb</i>" not in page
    assert "7 runs, 2 variants, 4 seeds, scene sphere, 1 not finished" in page


def test_significances_are_in_the_page(page):
    assert 'class="worse">worse</td>' in page
    assert "<h3>Against eikonal.weight=0.01</h3>" in page


def test_figures_and_tables_for_papers_lie_beside_the_page(sweep, page):
    figures = sweep / "figures"
    drawn = {path.stem for path in figures.glob("*.svg")}
    assert drawn == {path.stem for path in figures.glob("*.png")}
    assert "response-sphere-eikonal.weight-psnr" in drawn
    assert page.count("<figcaption>") == len(drawn)
    assert r"\begin{tabular}" in (figures / "scores.tex").read_text()
    assert "| eikonal.weight=0.01 |" in (figures / "scores.md").read_text()


@pytest.mark.slow
def test_the_same_runs_make_the_same_page(sweep, page):
    assert write_report(sweep).read_text() == page


def test_the_page_says_its_size(sweep, page):
    said = re.search(r"; ([\d.]+) MB, self-contained", page)
    assert said is not None
    size = (sweep / "report.html").stat().st_size
    assert float(said[1]) == pytest.approx(size / 1e6, abs=0.06)


def test_an_ablation_has_bars_for_what_helps_and_what_does_not(tmp_path):
    page = write_report(pretend_ablation(tmp_path)).read_text()
    assert "ablation" in sections(page)
    drawn = {path.stem for path in (tmp_path / "figures").glob("ablation-*.svg")}
    assert {"ablation-sphere-without-psnr", "ablation-sphere-alone-psnr"} <= drawn
    bars = (tmp_path / "figures" / "ablation-sphere-without-psnr.svg").read_text()
    assert "#d55e00" in bars, "eikonal helps: without it PSNR is worse"
    assert "#b9bfc8" in bars, "mask makes no difference"
    assert left_out(page)["Surfaces"].startswith("no run has a mesh.ply")
    assert left_out(page)["Renders"].startswith("no run has images")


@pytest.mark.slow
def test_each_scene_of_an_ablation_has_its_own_bars(tmp_path):
    write_report(pretend_ablation(tmp_path, scenes=("sphere", "boxes")))
    drawn = {path.stem for path in (tmp_path / "figures").glob("ablation-*.svg")}
    assert {f"ablation-{scene}-without-psnr" for scene in ("sphere", "boxes")} <= drawn


def test_one_run_has_a_page_without_what_takes_several(tmp_path):
    scores = {"psnr": 30.0, "chamfer_l1": 0.01, "hull_chamfer_l1": 0.05}
    run = pretend_run(tmp_path / "run", scores, diagnosed=False)
    page = write_report(run).read_text()
    assert set(left_out(page)) == {
        *("Ablation", "Sweep", "Pareto front", "Loss maps", "Conflicts", "Health")
    }
    assert '<td class="number">0.05</td>' in page, "the hull's score stands beside ours"


def test_a_run_that_failed_before_its_first_step_still_has_a_page(tmp_path):
    run = pretend_run(tmp_path / "run", None)
    for name in ("history.csv", "diagnostics.csv", "provenance.json", ".hydra/hydra.yaml"):
        (run / name).unlink()
    page = write_report(run).read_text()
    assert sections(page) == ["scores", "recipe", "left-out"]
    assert "this run: failed before training" in page


def test_damaged_files_leave_their_part_out(tmp_path):
    run = pretend_run(tmp_path / "run", {"psnr": 30.0})
    (run / "mesh.ply").write_bytes(b"ply\nformat binary")
    (run / "images" / "test_000.png").write_bytes(b"\x89PNG cut")
    (run / "provenance.json").write_text("{")
    page = write_report(run).read_text()
    assert left_out(page)["Surfaces"] == "no mesh.ply could be read"
    assert "renders" in sections(page), "the other view is whole"
    assert "provenance.json is damaged" in page


@pytest.mark.slow
def test_thirty_runs_of_pictures_and_meshes_stay_below_fifteen_megabytes(tmp_path):
    weights = [0.001 * 1.5**i for i in range(15)]
    page = write_report(pretend_sweep(tmp_path, weights, seeds=2, size=256))
    assert page.stat().st_size < 15e6


def test_the_verb_writes_the_page_beside_the_table_it_prints(tmp_path, capsys):
    run = pretend_run(tmp_path / "run", {"psnr": 30.0}, pictured=False)
    assert main(["report", str(run)]) == 0
    said = capsys.readouterr()
    assert "psnr" in said.out
    assert f"wrote {run / 'report.html'}" in said.err
    assert (run / "report.html").is_file()


@pytest.mark.parametrize("options", [["--no-html"], ["-f", "csv"]])
def test_no_page_is_written_where_it_is_not_wanted(tmp_path, options):
    run = pretend_run(tmp_path / "run", {"psnr": 30.0}, pictured=False)
    assert main(["report", str(run), *options]) == 0
    assert not (run / "report.html").exists()


def test_without_matplotlib_the_table_is_printed_and_one_line_says_how_to_get_the_page(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    run = pretend_run(tmp_path / "run", {"psnr": 30.0}, pictured=False)
    assert main(["report", str(run)]) == 0
    said = capsys.readouterr()
    assert "psnr" in said.out
    assert said.err.count("\n") == 1
    assert "pip install 'nerfloss[report]'" in said.err
    assert not (run / "report.html").exists()
    assert main(["report", str(run), "--html"]) == 2, "asked for, it is an error"


def test_a_second_report_does_not_take_figures_for_runs(tmp_path):
    scores = {"psnr": 30.0}
    pretend_run(tmp_path / "a", scores, pictured=False, diagnosed=False)
    write_report(tmp_path)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert "2 runs" in write_report(tmp_path).read_text()
