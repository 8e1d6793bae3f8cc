"""The index of a folder of runs: it makes a look faster and changes nothing that is seen."""

import json
import os
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from written_runs import write_run, write_sweep

from nerfloss.experiments.report import index, runs
from nerfloss.experiments.report import mtimes as stamps
from nerfloss.experiments.report.report import report
from nerfloss.experiments.report.runs import find_runs
from nerfloss.experiments.report.side_by_side import compared

LONG_AGO = 1_600_000_000


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """An index for however few runs; the folders that were read since the list was cleared."""
    folders: list[str] = []
    facts = runs._facts

    def noted(folder: Path) -> dict:
        folders.append(folder.name)
        return facts(folder)

    monkeypatch.setattr(index, "FEWEST", 1)
    monkeypatch.setattr(runs, "_facts", noted)
    return folders


@pytest.fixture
def sweep(tmp_path) -> Path:
    """Nine runs, written some time ago."""
    return aged(
        write_sweep(tmp_path / "sweep", {"0": [30, 31, 32], "1": [33, 35, 34], "2": [9, 8, 7]})
    )


def aged(root: Path) -> Path:
    for path in root.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return root


def seen(root: Path) -> list:
    """Everything that is known of the runs."""
    return [(run, dict(run.views)) for run in find_runs(root)]


def change(run: Path, psnr: float, at: float = LONG_AGO + 60) -> None:
    path = run / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "psnr": psnr}))
    os.utime(path, (at, at))


def test_a_second_look_reads_no_run_and_sees_the_same(sweep, read) -> None:
    first = seen(sweep)
    assert len(read) == 9
    read.clear()
    assert seen(sweep) == first
    assert read == []


def test_without_an_index_the_same_is_seen(sweep, read, monkeypatch) -> None:  # noqa: ARG001
    first = seen(sweep)
    monkeypatch.setattr(index, "FEWEST", 1000)
    assert seen(sweep) == first


def test_only_a_run_that_changed_is_read_again(sweep, read) -> None:
    find_runs(sweep)
    change(sweep / "craters,weight=1,seed=0", 20.0)
    write_run(sweep / "new", {"psnr": 1.0})
    shutil.rmtree(sweep / "craters,weight=0,seed=2")
    aged(sweep / "new")
    read.clear()
    found = {run.folder.name: run for run in find_runs(sweep)}
    assert sorted(read) == ["craters,weight=1,seed=0", "new"]
    assert found["craters,weight=1,seed=0"].metrics["psnr"] == 20.0
    assert len(found) == 9
    with sqlite3.connect(sweep / index.FILE) as file:
        assert file.execute("SELECT count(*) FROM run").fetchone() == (9,)
    file.close()


@pytest.mark.parametrize(
    "name",
    [*stamps.FILES, "train.log", "history.csv"],
)
def test_every_file_that_a_run_is_read_from_counts(tmp_path, read, name) -> None:
    """Its size is the same after the change."""
    folder = write_run(
        tmp_path / "run", None if "." not in name or name[0] in "th" else {"psnr": 1.0}
    )
    (folder / name).write_text("a: 1" if name.endswith("yaml") else "{}")
    aged(tmp_path)
    find_runs(tmp_path)
    os.utime(folder / name, (LONG_AGO + 1, LONG_AGO + 1))
    read.clear()
    find_runs(tmp_path)
    assert read == ["run"]


def test_a_file_that_appears_counts(tmp_path, read) -> None:  # noqa: ARG001
    folder = write_run(tmp_path / "run", None)
    aged(tmp_path)
    assert not find_runs(tmp_path)[0].finished
    (folder / "metrics.json").write_text('{"psnr": 3.0}')
    aged(tmp_path)
    assert find_runs(tmp_path)[0].metrics == {"psnr": 3.0}


def test_what_changed_just_now_is_not_remembered(sweep, read) -> None:  # noqa: ARG001
    """Within a tick of the clock it could change once more, and look the same."""
    run = sweep / "craters,weight=1,seed=0"
    change(run, 20.0, at=time.time())
    find_runs(sweep)
    before = (run / "metrics.json").stat()
    change(run, 21.0, at=time.time())
    os.utime(run / "metrics.json", ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert (run / "metrics.json").stat().st_size == before.st_size
    assert next(r for r in find_runs(sweep) if r.folder == run).metrics["psnr"] == 21.0


def test_a_damaged_index_is_begun_anew(sweep, read) -> None:
    first = seen(sweep)
    path = sweep / index.FILE
    for damage in (b"not a database", path.read_bytes()[:5000], b""):
        path.write_bytes(damage)
        assert seen(sweep) == first
        read.clear()
        assert seen(sweep) == first
        assert read == [], "and it works again"


def test_a_damaged_row_is_read_again(sweep, read) -> None:
    first = seen(sweep)
    with sqlite3.connect(sweep / index.FILE) as file:
        file.execute("UPDATE run SET facts = '{\"half' WHERE path LIKE '%weight=1,seed=0'")
    file.close()
    read.clear()
    assert seen(sweep) == first
    assert read == ["craters,weight=1,seed=0"]


def test_a_part_that_is_missing_is_read_again(sweep, read) -> None:  # noqa: ARG001
    first = seen(sweep)
    with sqlite3.connect(sweep / index.FILE) as file:
        file.execute("DELETE FROM piece")
    file.close()
    assert seen(sweep) == first


def test_other_code_begins_anew(sweep, read, monkeypatch) -> None:
    find_runs(sweep)
    monkeypatch.setattr(index, "_version", lambda: 7)
    read.clear()
    find_runs(sweep)
    assert len(read) == 9


def test_an_index_that_cannot_lie_there_lies_in_the_cache(
    sweep, read, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (sweep / index.FILE).mkdir()  # nothing can be written there
    first = seen(sweep)
    read.clear()
    assert seen(sweep) == first
    assert read == []
    assert len(list((tmp_path / "cache").rglob("*.sqlite"))) == 1


def test_where_nothing_can_be_written_runs_are_read(sweep, read, tmp_path, monkeypatch) -> None:
    (tmp_path / "cache").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (sweep / index.FILE).mkdir()
    assert len(find_runs(sweep)) == len(find_runs(sweep)) == 9
    assert len(read) == 18


def test_while_another_process_writes_runs_are_read(sweep, read, monkeypatch) -> None:  # noqa: ARG001
    monkeypatch.setattr(index, "SECONDS_TO_WAIT", 0.05)
    first = seen(sweep)
    change(sweep / "craters,weight=1,seed=0", 20.0)
    other = sqlite3.connect(sweep / index.FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert len(seen(sweep)) == len(first)
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_several_may_look_at_once(sweep, read) -> None:  # noqa: ARG001
    first, found = seen(sweep), []
    (sweep / index.FILE).unlink()
    looks = [threading.Thread(target=lambda: found.append(seen(sweep))) for _ in range(4)]
    for each in looks:
        each.start()
    for each in looks:
        each.join()
    assert found == [first] * 4


def test_runs_share_what_they_have_in_common(sweep, read) -> None:  # noqa: ARG001
    """What makes thousands of them fit into memory, from files and from the index."""
    for _ in range(2):
        one, *others = find_runs(sweep)
        assert all(other.conventions is one.conventions for other in others)


@pytest.mark.parametrize(
    "ask", [report, lambda folder: compared([folder])], ids=["report", "compare"]
)
def test_tables_are_given_again_until_a_file_changes(sweep, read, ask) -> None:
    first = ask(sweep)
    read.clear()
    assert ask(sweep) == first
    assert read == [], "neither read nor reckoned again"
    change(sweep / "craters,weight=1,seed=0", 20.0)
    assert ask(sweep) != first


def test_another_question_gets_another_answer(sweep, read) -> None:  # noqa: ARG001
    usual = report(sweep)
    assert report(sweep, baseline="eikonal.weight=1") != usual
    assert report(sweep) == usual
