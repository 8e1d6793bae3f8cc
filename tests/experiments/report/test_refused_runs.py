"""Commands that were refused before training are no runs to compare; jobs of a sweep are."""

from pathlib import Path

import pytest
from written_runs import write_run

from nerfloss.cli.main import main

ERROR = {"status": "failed", "error": "RecipeError: eikonl: has no 'fn'", "started": "2026-01-02"}


def refused(folder: Path, mode: str) -> None:
    write_run(folder, None, "+loss.terms.eikonl.weight=3", provenance=ERROR)
    (folder / ".hydra" / "hydra.yaml").write_text(f"hydra: {{mode: {mode}}}\n")


@pytest.fixture
def said(tmp_path, capsys):
    """Report on the folder as a table of text."""

    def report() -> str:
        assert main(["report", str(tmp_path), "-f", "markdown", "--no-html"]) == 0
        return capsys.readouterr().out

    return report


def test_a_refused_command_is_counted_beside_the_table(tmp_path, said):
    refused(tmp_path / "a", "RUN")
    write_run(tmp_path / "b", {"psnr": 2.0})
    text = said()
    assert "1 run was refused before training" in text
    assert str(tmp_path / "a") in text
    assert ERROR["error"] in text
    assert "eikonl.weight" not in text
    assert "| a |" not in text


def test_the_last_refusal_is_the_one_that_is_quoted(tmp_path, said):
    refused(tmp_path / "z", "RUN")
    refused(tmp_path / "y", "RUN")
    late = {**ERROR, "error": "ValueError: late", "started": "2026-01-03"}
    write_run(tmp_path / "a", None, provenance=late)
    (tmp_path / "a" / ".hydra" / "hydra.yaml").write_text("hydra: {mode: RUN}\n")
    write_run(tmp_path / "b", {"psnr": 2.0})
    text = said()
    assert "3 runs were refused" in text
    assert "ValueError: late" in text


def test_a_refused_job_of_a_sweep_has_its_row(tmp_path, said):
    refused(tmp_path / "a", "MULTIRUN")
    write_run(tmp_path / "b", {"psnr": 2.0})
    text = said()
    assert "eikonl.weight" in text
    assert "1 of 2 runs did not finish" in text
    assert "refused" not in text


def test_where_all_were_refused_all_are_shown(tmp_path, said):
    refused(tmp_path / "a", "RUN")
    assert ERROR["error"] in said()


def test_comparison_leaves_refused_commands_out(tmp_path, capsys):
    refused(tmp_path / "a", "RUN")
    write_run(tmp_path / "b", {"psnr": 2.0})
    write_run(tmp_path / "c", {"psnr": 3.0}, "trainer.max_steps=9")
    assert main(["compare", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "1 run was refused" in text
    assert "eikonl.weight" not in text


def test_a_run_that_is_named_stays(tmp_path, capsys):
    refused(tmp_path / "a", "RUN")
    write_run(tmp_path / "b", {"psnr": 2.0})
    assert main(["compare", str(tmp_path / "b"), str(tmp_path / "a")]) == 0
    text = capsys.readouterr().out
    assert ERROR["error"] in text
    assert "refused" not in text


def test_what_failed_in_its_first_step_has_trained(tmp_path, said):
    refused(tmp_path / "a", "RUN")
    (tmp_path / "a" / "history.csv").write_text("step\n")
    write_run(tmp_path / "b", {"psnr": 2.0})
    text = said()
    assert f"failed in its first steps: {ERROR['error']}" in text
    assert "1 of 2 runs did not finish" in text
    assert "refused" not in text


def test_csv_has_every_run(tmp_path, capsys):
    refused(tmp_path / "a", "RUN")
    write_run(tmp_path / "b", {"psnr": 2.0})
    assert main(["report", str(tmp_path), "-f", "csv"]) == 0
    assert ERROR["error"] in capsys.readouterr().out
