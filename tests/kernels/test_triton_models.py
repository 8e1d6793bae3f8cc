"""A model with all of Triton's kernels has the colours and gradients of the formulas."""

from collections.abc import Callable

import pytest
import torch
from small_runs import composed
from torch import Tensor

pytest.importorskip("triton", reason="triton is made for Linux alone")

from nerfloss.assembly.build import build_model
from nerfloss.geometry import Rays
from nerfloss.kernels.triton import compositing as triton_compositing
from nerfloss.kernels.triton import density_alpha as triton_density_alpha
from nerfloss.kernels.triton import march as triton_march

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
RAYS = 12
# The kernel of each model's opacity; march, weights and sums are shared.
OPACITY = {"neus": "neus_alphas", "volsdf": "density_alphas", "nerf": "density_alphas"}


def rays_past_the_ball() -> Rays:
    origins = torch.tensor([0.1, 0.2, -2.0], device=DEVICE).expand(RAYS, 3)
    targets = 0.6 * (2 * torch.rand(RAYS, 3, device=DEVICE) - 1)
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    view = torch.zeros(RAYS, dtype=torch.int64, device=DEVICE)
    return Rays(origins, directions, torch.zeros(RAYS, 2), view, torch.zeros_like(origins))


def colours_and_gradients(model: str, backend: str, rays: Rays) -> tuple[Tensor, list[Tensor]]:
    torch.manual_seed(0)
    # Small: interpreted, a kernel takes milliseconds for a hundred points.
    grid = "model.field.grid" if model == "nerf" else "model.field.network.grid"
    small = [f"{grid}.levels=2", "sampler.resolution=8", "sampler.samples=6"]
    cfg = composed(f"model={model}", f"kernels.backend={backend}", *small, model=model)
    built, generator = build_model(cfg, DEVICE), torch.Generator(DEVICE).manual_seed(1)
    built.sampler.refresh(built.field, 0, generator)
    seen = built(rays, {"rgb"}, given={"progress": 0.02}, generator=generator)["rgb"]
    (seen * torch.linspace(-1, 1, 3, device=DEVICE)).sum().backward()
    return seen.detach(), [p.grad for p in built.field.parameters() if p.grad is not None]


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the Triton functions that were called."""
    names: set[str] = set()

    def recording(name: str, function: Callable) -> Callable:
        return lambda *arguments: names.add(name) or function(*arguments)

    for module in (triton_march, triton_compositing, triton_density_alpha):
        for name in ("place", *OPACITY.values(), "weights_backward", "composited_backward"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, recording(name, getattr(module, name)))
    return names


# Interpreted, a model takes seconds; the opacities of the slow ones have fast tests of their own.
@pytest.mark.parametrize(
    "model",
    [
        "neus",
        pytest.param("volsdf", marks=pytest.mark.slow),
        pytest.param("nerf", marks=pytest.mark.slow),
    ],
)
def test_colours_and_gradients_are_those_of_the_formulas(model: str, used: set[str]) -> None:
    rays = rays_past_the_ball()
    right, expected = colours_and_gradients(model, "reference", rays)
    assert used == set(), "the reference is formulas alone"
    found, gradients = colours_and_gradients(model, "triton", rays)
    assert used == {"place", OPACITY[model], "weights_backward", "composited_backward"}
    assert 0.01 < float(right.mean()) < 0.99
    torch.testing.assert_close(found, right, rtol=0, atol=1e-4)
    assert len(gradients) == len(expected) > 4
    for ours, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-3 * float(theirs.abs().max()))
