"""The stopwatch: both clocks at once, without what is paused, carried over a resume."""

import time

import pytest

from nerfloss.training.timer import Timer


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def cpu() -> Clock:
    return Clock(50.0)


@pytest.fixture
def watch(wall: Clock, cpu: Clock) -> Timer:
    return Timer({"wall": wall, "cpu": cpu})


def test_each_clock_counts_its_own_seconds(watch: Timer, wall: Clock, cpu: Clock) -> None:
    assert watch.read("wall") == watch.read("cpu") == 0.0
    with watch.running():
        wall.now += 3.0
        cpu.now += 5.5
        assert (watch.read("wall"), watch.read("cpu")) == (3.0, 5.5)
    wall.now += 100.0
    assert (watch.read("wall"), watch.read("cpu")) == (3.0, 5.5)


def test_several_intervals_add_up(watch: Timer, wall: Clock) -> None:
    for seconds in (1.0, 2.0, 4.0):
        with watch.running():
            wall.now += seconds
        wall.now += 10.0
    assert watch.read("wall") == 7.0


def test_paused_time_does_not_count(watch: Timer, wall: Clock, cpu: Clock) -> None:
    with watch.running():
        wall.now += 1.0
        with watch.paused():
            wall.now += 60.0
            cpu.now += 60.0
            assert watch.read("wall") == 1.0
        wall.now += 2.0
    assert (watch.read("wall"), watch.read("cpu")) == (3.0, 0.0)


def test_pausing_a_stopped_timer_does_not_start_it(watch: Timer, wall: Clock) -> None:
    with watch.paused():
        wall.now += 1.0
    wall.now += 1.0
    assert watch.read("wall") == 0.0


def test_time_before_an_error_counts_and_time_after_it_does_not(watch: Timer, wall: Clock) -> None:
    def fails() -> None:
        with watch.running():
            wall.now += 2.0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    wall.now += 9.0
    assert watch.read("wall") == 2.0


def test_a_loaded_timer_continues_from_the_saved_time(
    watch: Timer, wall: Clock, cpu: Clock
) -> None:
    with watch.running():
        wall.now += 2.0
        cpu.now += 3.0
        saved = watch.state_dict()
    again = Timer({"wall": wall, "cpu": cpu})
    again.load_state_dict(saved)
    with again.running():
        wall.now += 1.0
    assert (again.read("wall"), again.read("cpu")) == (3.0, 3.0)


def test_sleeping_takes_no_cpu_time() -> None:
    watch = Timer()
    with watch.running():
        time.sleep(0.05)
    assert watch.read("cpu") < 0.05 <= watch.read("wall")
