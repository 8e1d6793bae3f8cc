"""A backend is selected by name and device; one that cannot run is an error with the reason."""

import logging

import pytest
import torch
from omegaconf import OmegaConf
from small_runs import composed

from nerfloss.assembly.build import build_model
from nerfloss.fields.hash_grid import HashGrid
from nerfloss.kernels import backend_availability, backend_selection
from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.hash_grid import encode, select_kernel
from nerfloss.kernels.numba import hash_grid as numba_hash_grid
from nerfloss.kernels.reference import hash_grid as reference

LAYOUT = GridLayout(levels=2, log2_hashmap_size=8, base_resolution=2, max_resolution=4)


def test_the_fastest_kernel_that_can_run_is_chosen() -> None:
    assert select_kernel("auto", torch.empty(4, 2)) is numba_hash_grid
    assert select_kernel("auto", torch.empty(4, 2, dtype=torch.bfloat16)) is reference
    assert select_kernel("auto", torch.empty(4, 2, device="meta")) is reference
    assert select_kernel("reference", torch.empty(4, 2)) is reference


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'gpu', there are auto, reference, cpu, triton, tcnn"):
        select_kernel("gpu", torch.empty(4, 2))


def test_a_backend_that_cannot_run_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match=r"CPU memory, the table is torch.float32 on meta"):
        select_kernel("cpu", torch.empty(4, 2, device="meta"))
    with pytest.raises(ValueError, match=r"the table is torch.float16 on cpu"):
        select_kernel("cpu", torch.empty(4, 2, dtype=torch.float16))


def test_more_levels_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 active levels, the grid has 2"):
        encode(torch.rand(1, 3), torch.zeros(LAYOUT.entries, 2), LAYOUT, 3)


def test_points_outside_have_the_features_of_the_border() -> None:
    table = torch.randn(LAYOUT.entries, 2)
    points = torch.rand(20, 3) * 3 - 1
    torch.testing.assert_close(
        encode(points, table, LAYOUT), encode(points.clamp(0, 1), table, LAYOUT)
    )


CUDA = torch.device("cuda", 0)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Simulate a current GPU, with every package installed."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(backend_availability, "_capability", lambda _: (9, 0))
    monkeypatch.setattr(backend_availability, "_installed", lambda _: True)
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    return monkeypatch


@pytest.fixture
def no_gpu(gpu: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Simulate a machine without a GPU, with every package installed."""
    gpu.setattr(torch.cuda, "is_available", lambda: False)
    return gpu


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("asked", "device", "says"),
    [
        (["kernels.backend=cpu"], "meta", "'cpu' cannot run: it works on .* on meta"),
        (["kernels.backend=triton"], "cpu", "'triton' cannot run: it needs a CUDA device"),
        (
            ["kernels.backend=cpu", "model.field.network.grid.precision=float16"],
            "cpu",
            "the table is torch.float16 on cpu",
        ),
    ],
)
def test_a_kernel_that_does_not_suit_the_runs_device_is_refused_with_the_model(
    asked: list[str], device: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        build_model(composed(*asked, model="neus"), torch.device(device))


def lines_of(caplog: pytest.LogCaptureFixture, times: int) -> list[str]:
    """Return the log lines of selecting a kernel for a table on a GPU."""
    backend_selection._log_once.cache_clear()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        for _ in range(times):
            backend_selection.fastest(CUDA, torch.float32)
    return [record.getMessage() for record in caplog.records]


@pytest.mark.usefixtures("gpu")
def test_triton_is_selected_on_a_gpu_without_a_log_line(caplog) -> None:
    assert backend_selection.fastest(CUDA, torch.float32) == "triton"
    assert lines_of(caplog, 3) == []


def test_a_gpu_without_triton_falls_back_to_the_reference_with_one_log_line(gpu, caplog) -> None:
    gpu.setattr(backend_availability, "_installed", lambda name: name != "triton")
    (line,) = lines_of(caplog, 3)
    assert "plain PyTorch" in line
    assert "triton is not installed (pip install triton)" in line
    gpu.setattr(backend_availability, "_installed", lambda _: True)
    gpu.setattr(backend_availability, "_capability", lambda _: (6, 1))
    (line,) = lines_of(caplog, 3)
    assert "needs compute capability 7.5, cuda:0 has 6.1" in line
    assert backend_selection.fastest(CUDA, torch.float32) == "reference"


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("backend", ["triton", "tcnn"])
def test_without_a_gpu_its_backends_are_refused_by_name(backend: str) -> None:
    says = f"'{backend}' cannot run: it needs a CUDA device and there is none here"
    with pytest.raises(ValueError, match=says):
        HashGrid(backend=backend)
    with pytest.raises(ValueError, match=says):
        select_kernel(backend, torch.empty(4, 2))


def test_a_backend_that_is_not_installed_says_how_to_get_it(gpu) -> None:
    gpu.setattr(backend_availability, "_installed", lambda _: False)
    with pytest.raises(ValueError, match=r"triton is not installed \(pip install triton\); back"):
        HashGrid(backend="triton")
    with pytest.raises(ValueError, match=r"pip install git.*tiny-cuda-nn.*nothing is lost without"):
        HashGrid(backend="tcnn")


def test_an_old_gpu_is_named_with_what_it_lacks(gpu) -> None:
    gpu.setattr(backend_availability, "_capability", lambda _: (7, 0))
    with pytest.raises(ValueError, match=r"needs compute capability 7.5, cuda:0 has 7.0"):
        HashGrid(backend="triton")


@pytest.mark.usefixtures("gpu")
def test_a_table_in_cpu_memory_is_refused_when_it_is_read_not_when_it_is_built() -> None:
    grid = HashGrid(
        levels=1, log2_hashmap_size=4, base_resolution=2, max_resolution=2, backend="triton"
    )
    with pytest.raises(ValueError, match="needs a CUDA device, the table is on cpu"):
        grid(torch.rand(1, 3))


@pytest.mark.usefixtures("gpu")
def test_an_unsupported_dtype_is_named() -> None:
    assert backend_availability.unsupported_reason("triton", CUDA, torch.bfloat16) is None
    reason = backend_availability.unsupported_reason("tcnn", CUDA, torch.bfloat16)
    assert reason == "it reads tables of float16, float32, this one is torch.bfloat16"


def test_triton_runs_without_a_gpu_when_it_is_interpreted(no_gpu) -> None:
    no_gpu.setenv("TRITON_INTERPRET", "1")
    assert backend_availability.unavailable_reason("triton") is None
    assert (
        backend_availability.unsupported_reason("triton", torch.device("cpu"), torch.float16)
        is None
    )


@pytest.mark.parametrize(
    ("model", "sampler", "own"),
    [("neus", "occupancy", "sampler"), ("nerf", "proposal", "sampler.density.grid")],
)
def test_one_setting_chooses_the_kernel_of_everything(model: str, sampler: str, own: str) -> None:
    asked = [f"model={model}", f"sampler={sampler}", "kernels.backend=reference"]
    cfg = composed(*asked, model=model)
    resolved = OmegaConf.to_yaml(cfg, resolve=True)
    assert "backend: auto" not in resolved
    grid = "model.field.grid" if model == "nerf" else "model.field.network.grid"
    rules = "model.renderer.rules.alphas"
    for part in (grid, "model.renderer", rules, own, "initialization.warmup"):
        assert OmegaConf.select(cfg, f"{part}.backend") == "reference", part
