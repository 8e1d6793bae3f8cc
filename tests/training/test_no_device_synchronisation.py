"""A training step performs no device synchronisation, as far as that shows without a GPU.

Operations that return a number, or as many rows as a count on the device says, synchronise on a
GPU. This test looks for them among the operations of a step on the CPU with interpreted Triton
kernels. `tests/gpu/test_synchronisation.py` asks CUDA itself.
"""

import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import assembled, nonfinite_check
from torch.utils._python_dispatch import TorchDispatchMode

import nerfloss
from nerfloss.kernels import point_ops
from nerfloss.recipe import selection

pytest.importorskip("triton", reason="triton is made for Linux alone")

PACKAGE = Path(nerfloss.__file__).parent
READS = {
    "aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.equal", "aten._unique2",
    "aten.unique_dim", "aten.bincount", "aten.repeat_interleave",
}  # fmt: skip
BY_INDEX = {"aten.index", "aten.index_put", "aten.index_put_", "aten._unsafe_index"}
# Asynchronous copies, which are read a step later; pixels, which are drawn on the host.
MAY = ("kernels/async_host_copy.py", "data/")
# Functions that read values that HostCopy holds on the host.
ON_THE_HOST = {"cell", "longest_edge", "initialized"}
TINY = [
    "kernels.backend=triton", "trainer.batch_size.samples=24", "trainer.batch_size.rays=6",
    "trainer.max_steps=9", "sampler.resolution=8", "sampler.samples=6",
]  # fmt: skip


class Asked(TorchDispatchMode):
    """Counts the operations that would synchronise, by file and line of the package."""

    def __init__(self) -> None:
        super().__init__()
        self.at: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func.overloadpacket)
        masks = name in BY_INDEX and any(
            each is not None and each.dtype == torch.bool for each in args[1]
        )
        if name in READS or masks:
            self._note(name)
        return func(*args, **(kwargs or {}))

    def _note(self, name: str) -> None:
        frames = [f for f in traceback.extract_stack() if str(PACKAGE) in f.filename]
        if frames:
            place = Path(frames[-1].filename).relative_to(PACKAGE).as_posix()
            if not place.startswith(MAY) and frames[-1].name not in ON_THE_HOST:
                self.at[f"{name} in {place}:{frames[-1].lineno}"] += 1


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without compiled CPU loops, and with one thread, since the interpreter is not thread-safe."""
    monkeypatch.setattr(point_ops, "_use_loops", lambda *_: False)
    monkeypatch.setattr(selection, "_test_synchronises", lambda _: True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def asked_in_a_step(run: Any) -> Counter[str]:
    trainer = run.trainer
    trainer.train_step()
    trainer.step += 1
    with Asked() as found:
        trainer.train_step()
    return found.at


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "model", ["nerf", *(pytest.param(name, marks=pytest.mark.slow) for name in ("neus", "volsdf"))]
)
def test_a_step_performs_no_device_synchronisation(model: str, tmp_path: Path) -> None:
    grid = "model.field.grid" if model == "nerf" else "model.field.network.grid"
    loss = "nerf" if model == "nerf" else "neus_mask"
    settings = [f"model={model}", f"loss={loss}", f"{grid}.levels=2", *TINY]
    run = assembled(tmp_path, *settings, "model.renderer.color_threshold=0", model=model)
    nonfinite_check(run).deferred = True
    assert asked_in_a_step(run) == {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_operations_that_synchronise_are_detected(tmp_path: Path) -> None:
    grid = "model.field.network.grid.levels=2"
    run = assembled(tmp_path, *TINY, grid, "model.renderer.color_threshold=0.5")
    found = asked_in_a_step(run)
    assert any("aten.nonzero in renderers/volume.py" in place for place in found)
    nonfinite_check(run).deferred = True
    assert len(asked_in_a_step(run)) < len(found), "the check synchronises too"
