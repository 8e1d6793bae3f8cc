"""Sinks: what they write, when they want it, and that a resumed run leaves no trace of its end."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console as RichConsole

from nerfloss.training.loggers.console import Console
from nerfloss.training.loggers.csv_logger import CsvLogger
from nerfloss.training.loggers.logger import Logger, Loggers
from nerfloss.training.loggers.tensorboard import TensorBoardLogger


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Remembering:
    """A logger that is due every few steps and keeps what it is given."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.steps: list[int] = []
        self.images: list[str] = []
        self.closed = False

    def due(self, step: int) -> bool:
        return step % self.every == 0

    def write(self, step: int, scalars: Mapping[str, float]) -> None:  # noqa: ARG002
        self.steps.append(step)

    def image(self, step: int, name: str, image: np.ndarray) -> None:  # noqa: ARG002
        self.images.append(name)

    def close(self) -> None:
        self.closed = True


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path) as file:
        return list(csv.DictReader(file))


def terms_of(step: int) -> dict[str, float]:
    """Scalars of a run in which a second term starts at step 30."""
    scalars = {"loss/total": 1 / (step + 1)}
    return scalars | {"loss/eikonal": 0.1 * step} if step >= 30 else scalars


def test_each_logger_receives_only_steps_that_are_due() -> None:
    often, seldom = Remembering(2), Remembering(3)
    loggers = Loggers([often, seldom])
    for step in range(7):
        assert loggers.due(step) == (step % 2 == 0 or step % 3 == 0)
        if loggers.due(step):
            loggers.write(step, {})
    assert often.steps == [0, 2, 4, 6]
    assert seldom.steps == [0, 3, 6]


def test_results_and_images_reach_every_logger_at_any_step() -> None:
    loggers = [Remembering(100), Remembering(1000)]
    Loggers(loggers).write_all(7, {"psnr": 30.0})
    Loggers(loggers).image(7, "panel", np.zeros((2, 2, 3)))
    assert [(logger.steps, logger.images) for logger in loggers] == [([7], ["panel"])] * 2


def test_all_loggers_close_even_when_the_run_fails() -> None:
    logger = Remembering(1)
    with pytest.raises(ZeroDivisionError), Loggers([logger]):
        _ = 1 / 0
    assert logger.closed


def test_without_loggers_nothing_is_due() -> None:
    assert not Loggers().due(0)


def test_a_history_has_a_row_per_step_and_a_column_per_scalar(tmp_path: Path) -> None:
    history = CsvLogger(tmp_path / "history.csv", every=10)
    history.write(0, {"loss/total": 0.5, "psnr": 12.25})
    history.write(10, {"loss/total": 0.25, "psnr": 20.0})
    assert rows_of(tmp_path / "history.csv") == [
        {"step": "0", "loss/total": "0.5", "psnr": "12.25"},
        {"step": "10", "loss/total": "0.25", "psnr": "20"},
    ]


def test_a_scalar_that_starts_late_gets_a_column_that_is_empty_before(tmp_path: Path) -> None:
    history = CsvLogger(tmp_path / "history.csv")
    for step in (20, 30):
        history.write(step, terms_of(step))
    assert [row["loss/eikonal"] for row in rows_of(tmp_path / "history.csv")] == ["", "3"]


def test_two_writes_of_one_step_share_a_row(tmp_path: Path) -> None:
    history = CsvLogger(tmp_path / "history.csv")
    history.write(10, {"loss/total": 0.5})
    history.write(10, {"test/psnr": 30.0})
    history.write(20, {"loss/total": 0.25})
    history.write(20, {"test/psnr": 31.0})
    assert rows_of(tmp_path / "history.csv") == [
        {"step": "10", "loss/total": "0.5", "test/psnr": "30"},
        {"step": "20", "loss/total": "0.25", "test/psnr": "31"},
    ]


def test_every_row_is_on_disk_before_the_next_step(tmp_path: Path) -> None:
    history = CsvLogger(tmp_path / "history.csv")
    for step in range(0, 50, 10):
        history.write(step, terms_of(step))
        assert rows_of(tmp_path / "history.csv")[-1]["step"] == str(step)


@pytest.mark.parametrize(("checkpoint", "killed"), [(10, 40), (20, 30), (40, 80), (30, 40)])
def test_a_killed_and_resumed_history_equals_an_uninterrupted_one(
    tmp_path: Path, checkpoint: int, killed: int
) -> None:
    whole, broken = tmp_path / "whole.csv", tmp_path / "broken.csv"
    plain = CsvLogger(whole)
    for step in range(0, 100, 10):
        plain.write(step, terms_of(step))
    first = CsvLogger(broken)
    for step in range(0, killed, 10):
        first.write(step, terms_of(step))
    second = CsvLogger(broken, start=checkpoint + 1)
    for step in range(checkpoint + 10, 100, 10):
        second.write(step, terms_of(step))
    assert broken.read_bytes() == whole.read_bytes()


def test_resuming_drops_a_column_that_only_dropped_rows_had(tmp_path: Path) -> None:
    first = CsvLogger(tmp_path / "history.csv")
    for step in (0, 10, 20, 30):
        first.write(step, terms_of(step))
    CsvLogger(tmp_path / "history.csv", start=21)
    assert (tmp_path / "history.csv").read_text().startswith("step,loss/total\n0,1\n")


def test_a_line_cut_by_a_crash_is_dropped_on_resume(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("step,loss/total\n0,0.5\n10,0.2")
    CsvLogger(tmp_path / "history.csv", start=21)
    assert rows_of(tmp_path / "history.csv") == [{"step": "0", "loss/total": "0.5"}]


def test_a_new_run_begins_its_history_anew(tmp_path: Path) -> None:
    CsvLogger(tmp_path / "history.csv").write(0, {"loss/total": 1.0})
    CsvLogger(tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_text() == "step\n"


def test_single_precision_survives_the_text(tmp_path: Path) -> None:
    value = float(np.float32(0.1) / np.float32(3))
    CsvLogger(tmp_path / "history.csv").write(0, {"loss/total": value})
    text = rows_of(tmp_path / "history.csv")[0]["loss/total"]
    assert np.float32(text) == np.float32(value)


def test_a_csv_file_of_another_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("epoch,loss\n1,2\n")
    with pytest.raises(ValueError, match=r"history\.csv is not a log of nerfloss"):
        CsvLogger(tmp_path / "history.csv", start=11)


def test_a_period_below_one_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every >= 1"):
        CsvLogger(tmp_path / "history.csv", every=0)
    with pytest.raises(ValueError, match="every >= 1"):
        TensorBoardLogger(tmp_path, every=0)


def test_tensorboard_reads_back_scalars_and_images(tmp_path: Path) -> None:
    logger = TensorBoardLogger(tmp_path, every=5)
    logger.write(5, {"loss/total": 0.5})
    logger.image(5, "preview/0", np.zeros((4, 6, 3), dtype=np.uint8))
    logger.close()
    events = events_in(tmp_path)
    assert [(event.step, event.value) for event in events.Scalars("loss/total")] == [(5, 0.5)]
    assert (events.Images("preview/0")[0].height, events.Images("preview/0")[0].width) == (4, 6)


def test_tensorboard_hides_what_a_killed_run_left_after_its_checkpoint(tmp_path: Path) -> None:
    first = TensorBoardLogger(tmp_path)
    for step in (0, 20, 40, 60):
        first.write(step, {"loss/total": 1.0})
    first.close()
    second = TensorBoardLogger(tmp_path, start=21)
    for step in (40, 60, 80):
        second.write(step, {"loss/total": 2.0})
    second.close()
    events = events_in(tmp_path).Scalars("loss/total")
    assert [(event.step, event.value) for event in events] == [
        (0, 1.0),
        (20, 1.0),
        (40, 2.0),
        (60, 2.0),
        (80, 2.0),
    ]


def test_tensorboard_writes_no_file_without_scalars(tmp_path: Path) -> None:
    TensorBoardLogger(tmp_path / "tensorboard").close()
    assert not list(tmp_path.iterdir())


def events_in(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder)).Reload()


def plain(clock: Clock, **settings: Any) -> Console:
    console = RichConsole(force_terminal=False, width=40)
    return Console(100, console=console, clock=clock, **settings)


def test_a_log_receives_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    logger = plain(clock, every=10)
    scalars = {"loss/total": 0.123, "loss/rgb": 0.1, "weight/rgb": 1.0, "train/psnr": 20.0}
    logger.write(0, scalars | {"rays_per_second": 35_200.0})
    clock.now = 10.0
    logger.write(50, scalars | {"rays_per_second": 35_200.0})
    assert capsys.readouterr().out.splitlines() == [
        "step 0/100  0%  35.2k rays/s  loss 0.123  rgb 0.1  psnr 20.00",
        "step 50/100  50%  35.2k rays/s  0:10 left  loss 0.123  rgb 0.1  psnr 20.00",
    ]


def test_the_console_is_due_by_the_clock_and_not_by_the_step() -> None:
    clock = Clock()
    logger = plain(clock, every=10)
    assert logger.due(0)
    logger.write(0, {})
    assert not logger.due(1)
    clock.now = 10.0
    assert logger.due(2)


def test_a_line_of_a_log_has_no_value_of_an_earlier_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    logger = plain(clock, every=10)
    logger.write(0, {"loss/total": 0.5, "train/psnr": 14.5})
    clock.now = 8.0
    logger.write(40, {"test/psnr": 28.0})  # a preview, which is no reason to wait longer
    clock.now = 10.0
    assert logger.due(50)
    logger.write(50, {"loss/total": 0.25, "train/psnr": 29.5})
    assert capsys.readouterr().out.splitlines() == [
        "step 0/100  0%  loss 0.5  psnr 14.50",
        "step 40/100  40%  0:12 left  one test view psnr 28.00",
        "step 50/100  50%  0:10 left  loss 0.25  psnr 29.50",
    ]


def test_a_terminal_is_refreshed_more_often_than_a_log_grows() -> None:
    terminal = Console(10, console=RichConsole(force_terminal=True))
    log = Console(10, console=RichConsole(force_terminal=False))
    assert terminal.every < log.every


def test_the_display_on_a_terminal_shows_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    logger = Console(100, console=RichConsole(force_terminal=True, width=100), clock=Clock())
    logger.write(25, {"loss/total": 0.5, "test/psnr": 31.0})
    logger.close()
    output = capsys.readouterr().out
    for fact in ("step 25/100", "25%", "loss 0.5", "one test view psnr 31.00"):
        assert fact in output


def test_time_left_follows_the_recent_speed() -> None:
    clock = Clock()
    logger = plain(clock)
    logger.write(0, {})
    clock.now = 10.0
    logger.write(25, {})
    assert logger.fraction(25) == 0.25
    assert logger.seconds_left() == 30.0


def test_a_budget_of_seconds_replaces_that_of_steps(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    # By the clock of the CPU, say: two threads, so that a watch shows half of what is spent.
    logger = plain(clock, progress=lambda: 0.25 + 2 * clock.now / 40)
    logger.write(1000, {})
    clock.now = 10.0
    logger.write(2000, {})
    assert logger.fraction(2000) == 0.75
    assert logger.seconds_left() == 5.0
    assert capsys.readouterr().out == "step 1000  25%\nstep 2000  75%  0:05 left\n"


def test_a_term_that_ended_leaves_the_display(capsys: pytest.CaptureFixture[str]) -> None:
    logger = plain(Clock(), every=0)
    logger.write(0, {"loss/total": 1.0, "loss/warm_up": 2.0})
    logger.write(1, {"loss/total": 1.0})
    assert "warm_up" not in capsys.readouterr().out.splitlines()[1]


def test_every_logger_implements_the_protocol(tmp_path: Path) -> None:
    loggers: list[Logger] = [Console(1), CsvLogger(tmp_path / "h.csv"), TensorBoardLogger(tmp_path)]
    Loggers(loggers).close()
