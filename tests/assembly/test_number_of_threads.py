"""The number of threads changes the time that training takes, and no digit of what is learned."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from saved_state import saved_state
from small_runs import assembled

from nerfloss.data.inpainting import inpaint_background
from nerfloss.data.synthetic.analytic_scenes import MODELS
from nerfloss.data.synthetic.dataset import AnalyticDataset
from nerfloss.kernels.threads import loop_threads
from nerfloss.training.callbacks.callback import Callback

# Enough samples that torch divides its operations, and the compiled loops theirs.
SIZE = ["trainer.batch_size.samples=20000", "trainer.batch_size.rays=800"]
SIZE += ["trainer.batch_size.max_rays=4000", "trainer.max_steps=12", "dataset.supersampling=2"]
INTERLEVEL = "+loss/term@loss.terms.interlevel=interlevel"
RUNS = {
    "neus": ["loss=neus_full"],
    "nerf": ["loss=nerf"],
    "volsdf": ["loss=volsdf"],
    "neus with a background": ["background=contracted", "dataset.surroundings=sphere"],
    "nerf with proposal networks": [
        "loss=nerf",
        "sampler=proposal",
        INTERLEVEL,
    ],
}


def with_threads(number: int, compute: Callable[[], Any]) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        return compute()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", MODELS)
def test_a_synthetic_scene_is_the_same(name: str) -> None:
    def load() -> dict[str, torch.Tensor]:
        scene = AnalyticDataset(
            scene=name,
            views=4,
            test_views=1,
            size=64,
            surroundings="sphere",
            exposure_gains=[0.7, 1.0],
        ).load()
        points = {f"points {key}": value for key, value in vars(scene.train.points).items()}
        vertices = torch.from_numpy(scene.mesh.vertices)
        return {**scene.train.images, **points, "vertices": vertices}

    first, second = (with_threads(number, load) for number in (1, 2))
    for key, values in first.items():
        assert torch.equal(values, second[key]), key


def test_what_is_filled_in_behind_a_mask_is_the_same() -> None:
    generator = torch.Generator().manual_seed(0)
    # Large, so that some means lie so near to a half that a last digit rounds them up or down.
    images = torch.randint(256, (2, 600, 800, 3), generator=generator, dtype=torch.uint8)
    mask = torch.zeros(600, 800, dtype=torch.uint8)
    mask[120:480, 160:640] = 255
    for image in images:
        first, second = (
            with_threads(number, lambda image=image: inpaint_background(image, mask))
            for number in (1, 2)
        )
        assert torch.equal(first, second)


@pytest.mark.parametrize("case", RUNS)
def test_training_is_the_same(case: str, tmp_path: Path) -> None:
    def state(folder: Path) -> dict[str, torch.Tensor]:
        model = case.split()[0]
        run = assembled(folder, f"model={model}", *SIZE, *RUNS[case], model=model)
        assert run.train()
        return saved_state(folder)

    first, second = (
        with_threads(number, lambda number=number: state(tmp_path / str(number)))
        for number in (1, 2)
    )
    for key, values in first.items():
        assert torch.equal(values, second[key]), key


def test_operations_of_a_step_have_the_threads_of_the_setting(tmp_path: Path) -> None:
    seen = []

    class Count(Callback):
        def after_update(self, *_: object) -> None:
            seen.append((torch.get_num_threads(), loop_threads()))

    for number in ("1", "null"):
        run = assembled(tmp_path / number, f"kernels.torch_threads={number}")
        run.trainer.callbacks.append(Count())
        with_threads(2, run.train)
    assert seen == [(1, 2)] * 2 + [(2, 2)] * 2
