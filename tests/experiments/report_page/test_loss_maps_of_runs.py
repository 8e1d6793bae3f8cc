"""The section on loss maps: what nerfloss maps wrote, and nothing else."""

import json
import re

import pytest
from pretended_runs import pretend_sweep

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.loss_maps.run_maps import MapRequest
from nerfloss.assembly.loss_maps.write_maps import write_maps
from nerfloss.experiments.report.page.page import write_report

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")


@pytest.fixture
def runs(tmp_path):
    return pretend_sweep(tmp_path / "runs", seeds=1)


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """Maps of a tiny run."""
    from small_runs import untrained_run

    folder = untrained_run(tmp_path_factory.mktemp("run") / "run")
    write_maps(OpenedRun(folder, "cpu"), MapRequest(views=["0"]), folder / "maps")
    return folder / "maps"


def section(page):
    found = re.search(r'<section id="loss-maps">.*?</section>', page.read_text(), re.DOTALL)
    return None if found is None else found.group()


def put(written, run, **changes):
    (run / "loss_maps").mkdir()
    for file in written.iterdir():
        (run / "loss_maps" / file.name).write_bytes(file.read_bytes())
    described = json.loads((written / "maps.json").read_text()) | changes
    (run / "loss_maps" / "maps.json").write_text(json.dumps(described))


def a_run(runs):
    return next(path.parent for path in sorted(runs.rglob("metrics.json")))


def test_maps_stand_beside_the_rendering(runs, maps):
    put(maps, a_run(runs))
    found = section(write_report(runs))
    assert found is not None
    titles = re.findall("<figcaption>(.*?)</figcaption>", found)
    assert titles == ["rendered", "photograph", "error", "rgb", "eikonal"]
    assert found.count('src="data:image/webp;base64,') == 5
    assert "train view" in found


def test_without_maps_the_page_says_how_to_write_them(runs):
    page = write_report(runs)
    assert section(page) is None
    assert (
        "no run has any of its last training: nerfloss maps &lt;run&gt; writes them"
        in page.read_text()
    )


def test_maps_of_an_earlier_training_in_the_folder_are_not_shown(runs, maps):
    run = a_run(runs)
    put(maps, run, ended="2026-01-01T10:00:00+00:00")
    (run / "provenance.json").write_text(json.dumps({"ended": "2026-01-01T10:00:00+00:00"}))
    assert section(write_report(runs)) is not None
    (run / "provenance.json").write_text(json.dumps({"ended": "2026-01-01T11:00:00+00:00"}))
    assert section(write_report(runs)) is None


@pytest.mark.parametrize(
    "changes", [{"views": "x"}, {"maps": 3}, {"views": [{"name": "a", "files": "../../secret"}]}]
)
def test_a_description_that_was_tampered_with_shows_nothing(runs, maps, changes):
    put(maps, a_run(runs), **changes)
    assert section(write_report(runs)) is None


def test_names_are_text(runs, maps):
    views = json.loads((maps / "maps.json").read_text())["views"]
    put(maps, a_run(runs), views=[{**views[0], "name": "<script>alert(1)</script>"}])
    assert "<script>alert" not in section(write_report(runs))
