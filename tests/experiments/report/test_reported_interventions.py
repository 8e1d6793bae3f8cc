"""A report says which runs had weights changed by hand."""

from pathlib import Path

import pytest
from written_runs import write_run

from nerfloss.cli.main import main


def test_tables_note_runs_whose_settings_do_not_determine_their_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    made = [{"step": 40, "term": "eikonal", "old": 0.1, "new": 0.5}]
    write_run(tmp_path / "a", {"psnr": 30.0}, seed=0, provenance={"interventions": made})
    write_run(tmp_path / "b", {"psnr": 31.0}, seed=1, provenance={"interventions": []})
    assert main(["report", str(tmp_path), "--no-html"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 2 runs had weights changed by hand while they trained" in said


def test_the_page_names_step_term_and_weights(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'report'")
    made = [{"step": 40, "term": "eikonal", "old": 0.1, "new": 0.5}]
    write_run(tmp_path / "a", {"psnr": 30.0}, provenance={"interventions": made, "seed": 0})
    assert main(["report", str(tmp_path / "a"), "--html"]) == 0
    page = (tmp_path / "a" / "report.html").read_text()
    assert "after step 40: eikonal from 0.1 to 0.5" in page
