"""What every test shares: calm threads, fixed seeds, and where real data lies."""

import os
import tempfile
import time

# Set before torch and numba load: threads that spin while they wait starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# No test downloads weights, except from a server of its own.
os.environ["NERFLOSS_OFFLINE"] = "1"

# Trusted packages and the key of signatures are of the tests alone.
os.environ["NERFLOSS_CONFIG_DIR"] = tempfile.mkdtemp(prefix="nerfloss-tests-")

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from random_weights import random_weights, supply_weights
from small_runs import composed

from nerfloss.assembly.build import assemble
from nerfloss.assembly.run import Run
from nerfloss.data.synthetic.dataset import AnalyticDataset

if not torch.cuda.is_available():
    # Without a GPU Triton's kernels are tested as Python. Read when a test first imports triton.
    os.environ.setdefault("TRITON_INTERPRET", "1")

REPOSITORY = Path(__file__).resolve().parent.parent
# A user's own repository: test_own_package.py runs its tests elsewhere.
collect_ignore = ["own_package"]


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """Randomness that a test draws without a generator of its own is the same in every run."""
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def few_threads() -> None:
    """Tests are small: more threads than two cost more than they bring."""
    torch.set_num_threads(min(2, os.cpu_count() or 1))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with real scenes; a test that asks for it is skipped where there is none."""
    folder = Path(os.environ.get("NERFLOSS_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set NERFLOSS_TEST_DATA to the folder that has it")
    return folder


@pytest.fixture(scope="session")
def weights_folder(tmp_path_factory) -> Path:
    """A folder where made-up weights of networks are written once."""
    return tmp_path_factory.mktemp("weights")


@pytest.fixture
def random_networks(weights_folder, monkeypatch) -> None:
    """Use random weights for the pretrained networks of perceptual terms."""
    monkeypatch.setattr(
        "nerfloss.losses.pretrained.loading.network_file",
        lambda network, **_: random_weights(network, weights_folder),
    )


@pytest.fixture(scope="module")
def train(tmp_path_factory, weights_folder) -> Iterator[Callable[..., Run]]:
    """A function that trains a tiny run for two steps, once for the same overrides.

    An exact scene is rendered once, too.
    """

    @functools.cache
    def trained(model: str, *overrides: str) -> Run:
        cfg = composed(f"model={model}", *overrides, model=model)
        for term in cfg.loss.terms.values():
            supply_weights(term.fn, weights_folder)
        run = assemble(cfg, tmp_path_factory.mktemp("run"))
        assert run.train()
        assert run.trainer.step == 2
        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AnalyticDataset, "load", functools.cache(AnalyticDataset.load))
        yield trained


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked gpu skip themselves, with the reason, where there is no CUDA device."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device, and there is none"))


def pytest_runtest_setup() -> None:
    """Skip what begins after NERFLOSS_TEST_DEADLINE, in seconds since the epoch.

    Continuous integration has a limited time for slow tests; the summary counts what it left out.
    """
    deadline = os.environ.get("NERFLOSS_TEST_DEADLINE")
    if deadline and time.time() > float(deadline):
        pytest.skip("the time for slow tests is up (NERFLOSS_TEST_DEADLINE)")
