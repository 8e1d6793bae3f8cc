"""Process groups: the environment of torchrun, and errors where processes cannot connect."""

import subprocess
import sys

import pytest
import torch

from nerfloss.training.distributed import torchrun_env
from nerfloss.training.distributed.init_process_group import init_process_group
from nerfloss.training.distributed.process_group import SINGLE_PROCESS

TWO = {
    "TORCHELASTIC_RUN_ID": "none",
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "RANK": "1",
    "LOCAL_RANK": "1",
}


@pytest.fixture
def of_two(monkeypatch):
    """As torchrun would have it for the second process of two."""
    for name, value in TWO.items():
        monkeypatch.setenv(name, value)


def test_without_torchrun_there_is_one_process_and_nothing_distributed_is_imported():
    code = (
        "import sys\n"
        "from nerfloss.training.distributed.init_process_group import init_process_group\n"
        "from nerfloss.training.distributed.process_group import SINGLE_PROCESS\n"
        "with init_process_group('auto') as group: assert group is SINGLE_PROCESS\n"
        "names = ['lightning_fabric', 'nerfloss.training.distributed.collectives']\n"
        "assert not set(names) & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "4", "RANK": "1"}])
def test_variables_of_other_launchers_are_ignored(environment):
    assert torchrun_env.world_size(environment) == 1
    assert torchrun_env.is_main_process(environment)
    assert torchrun_env.rank_overrides(environment) == []


def test_ranks_other_than_0_are_silent():
    assert torchrun_env.rank_overrides(TWO | {"RANK": "0"}) == []
    assert "hydra.output_subdir=null" in torchrun_env.rank_overrides(TWO)


def test_the_launch_command_starts_as_many_processes():
    assert torchrun_env.launch_command({}) == "nerfloss train"
    assert torchrun_env.launch_command(TWO) == "torchrun --nproc_per_node=2 train.py"


def test_a_sweep_by_several_processes_is_refused():
    torchrun_env.refuse_sweeps(True, {})
    torchrun_env.refuse_sweeps(False, TWO)
    with pytest.raises(
        ValueError, match="started 2 processes, and -m makes each run the whole sweep"
    ):
        torchrun_env.refuse_sweeps(True, TWO)


@pytest.mark.usefixtures("of_two")
def test_a_torchrun_of_one_process_is_a_single_process(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    with init_process_group("cpu") as group:
        assert group is SINGLE_PROCESS


@pytest.mark.usefixtures("of_two")
def test_a_missing_package_is_reported_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with (
        pytest.raises(ImportError, match=r"2 processes.*nerfloss\[distributed\]"),
        init_process_group("cpu"),
    ):
        pass


@pytest.mark.usefixtures("of_two")
def test_a_device_with_a_number_is_refused_for_several():
    with (
        pytest.raises(ValueError, match="device=cuda:1: each of several processes"),
        init_process_group("cuda:1"),
    ):
        pass


@pytest.mark.usefixtures("of_two")
def test_fewer_gpus_than_processes_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(ValueError, match=r"started 2 processes .* finds 1 GPUs"),
        init_process_group("cuda"),
    ):
        pass
