"""Interrupts: the first request waits for the step to end, the second does not."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from nerfloss.training.signal_handling import SignalHandler


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert before == {number: signal.getsignal(number) for number in before}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_only_sets_the_flag(number: signal.Signals) -> None:
    with SignalHandler() as interrupt:
        assert interrupt.reason is None
        os.kill(os.getpid(), number)
        assert interrupt.reason == number.name


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_ctrl_c_after_the_first_signal_aborts(first: signal.Signals) -> None:
    with SignalHandler():
        os.kill(os.getpid(), first)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_repeated_sigterm_still_ends_cleanly() -> None:
    with SignalHandler() as interrupt:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.reason == "SIGTERM"


def test_a_message_is_printed_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    with SignalHandler():
        os.kill(os.getpid(), signal.SIGINT)
    assert "stopping after this step and saving; Ctrl-C again aborts" in capfd.readouterr().err


def test_in_another_thread_the_block_runs_without_handlers() -> None:
    seen: list[str | None] = []

    def run() -> None:
        with SignalHandler() as interrupt:
            seen.append(interrupt.reason)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [None]
