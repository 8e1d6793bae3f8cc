"""Parallel loops process every item once, and raise the errors of their threads."""

import pytest
import torch

from nerfloss.kernels.threads import one_thread, parallel_for, run_tasks


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 100_003])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_item_is_done_once(count: int, threads: int) -> None:
    before = torch.get_num_threads()
    done = torch.zeros(count, dtype=torch.int64)

    def add(begin: int, end: int) -> None:
        done[begin:end] += 1

    try:
        torch.set_num_threads(threads)
        parallel_for(count, add, least=10)
    finally:
        torch.set_num_threads(before)
    assert (done == 1).all()


def test_an_error_in_another_thread_is_raised_here() -> None:
    def fail() -> None:
        raise ValueError("broken task")

    with pytest.raises(ValueError, match="broken task"):
        run_tasks([fail] * 4)


def test_one_thread_is_undone_after_an_error() -> None:
    before = torch.get_num_threads()

    @one_thread()
    def fail() -> None:
        assert torch.get_num_threads() == 1
        raise ValueError("broken scene")

    with pytest.raises(ValueError, match="broken scene"):
        fail()
    assert torch.get_num_threads() == before
