"""Health metrics of a step: equal to loops over its rays, absent where they cannot be computed."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch

from nerfloss.training.health_metrics import health_metrics


@pytest.fixture
def made() -> dict[str, torch.Tensor]:
    """A step over 40 rays: a third on the object, a third off it, a third along its edge."""
    generator = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    mask = torch.cat([torch.ones(14), torch.zeros(13), draw(13)])
    background = draw(40, 3)
    target = mask[:, None] * draw(40, 3) + (1 - mask[:, None]) * background
    return {
        "origins": draw(40, 3),
        "occupied": draw(40, 5) > 0.7,
        "sdf": draw(40, 5) - 0.3,
        "opacity": draw(40),
        "rgb": draw(40, 3),
        "background": background,
        "target_rgb": target,
        "target_mask": mask,
        "sharpness": torch.tensor(31.0),
    }


def test_the_colour_error_is_compared_with_a_constant_colour_and_the_background(made):
    def mean_error(guess):
        on_or_off = [r for r in range(40) if made["target_mask"][r] > 0.5 or is_empty(made, r)]
        return sum(
            float((guess(r) - made["target_rgb"][r]).square().mean()) for r in on_or_off
        ) / len(on_or_off)

    metrics = health_metrics(made)
    assert metrics["error"] == pytest.approx(mean_error(lambda r: made["rgb"][r]), rel=1e-5)
    behind = mean_error(lambda r: made["background"][r])
    assert metrics["background_error"] == pytest.approx(behind, rel=1e-5)
    rows = [r for r in range(40) if made["target_mask"][r] > 0.5 or is_empty(made, r)]
    for color in (made["target_rgb"][rows].mean(0), torch.tensor([0.2, 0.5, 0.5])):
        assert metrics["constant_error"] <= mean_error(lambda _, c=color: c) + 1e-6


def is_empty(made, ray):
    shown = made["target_rgb"][ray] - made["background"][ray]
    return made["target_mask"][ray] < 0.05 and shown.abs().max() < 0.02


def test_opacity_and_samples_are_averaged_on_and_off_the_mask(made):
    on = [r for r in range(40) if made["target_mask"][r] > 0.5]
    empty = [r for r in range(40) if is_empty(made, r)]
    metrics = health_metrics(made)
    opacity, sampled = made["opacity"].tolist(), made["occupied"].any(-1).tolist()
    assert metrics["object_opacity"] == pytest.approx(sum(opacity[r] for r in on) / len(on))
    assert metrics["empty_opacity"] == pytest.approx(sum(opacity[r] for r in empty) / len(empty))
    assert metrics["object_sampled"] == pytest.approx(sum(sampled[r] for r in on) / len(on))
    assert metrics["most_opaque"] == pytest.approx(max(opacity))


def test_padding_is_excluded_from_the_sdf_extrema(made):
    found = [
        float(made["sdf"][r, s]) for r in range(40) for s in range(5) if made["occupied"][r, s]
    ]
    metrics = health_metrics(made)
    assert metrics["sdf_least"] == pytest.approx(min(found))
    assert metrics["sdf_most"] == pytest.approx(max(found))


def test_without_masks_all_rays_are_object_rays(made):
    del made["target_mask"]
    metrics = health_metrics(made)
    assert metrics["object_opacity"] == pytest.approx(float(made["opacity"].mean()))
    assert "empty_opacity" not in metrics
    error = (made["rgb"] - made["target_rgb"]).square().mean()
    assert metrics["error"] == pytest.approx(float(error))


def test_pixels_off_the_mask_that_do_not_show_the_background_are_ignored(made):
    made["target_rgb"] = torch.rand_like(made["target_rgb"])  # nothing shows the background
    made["target_mask"] = (made["target_mask"] > 0.5).float()
    metrics = health_metrics(made)
    assert "empty_opacity" not in metrics
    on = made["target_mask"] > 0.5
    error = (made["rgb"] - made["target_rgb"])[on].square().mean()
    assert metrics["error"] == pytest.approx(float(error))


def test_no_quantity_is_computed_for_the_metrics(made):
    class Lazy(Mapping[str, Any]):
        def __getitem__(self, name: str) -> Any:
            assert name in made, f"'{name}' was made for the watchdog alone"
            return made[name]

        def __iter__(self) -> Iterator[str]:
            return iter(made)

        def __len__(self) -> int:
            return len(made)

        def __contains__(self, name: object) -> bool:
            return True

    for name in ("rgb", "opacity", "sdf", "sharpness"):
        del made[name]
    assert set(health_metrics(Lazy())) == {"object_sampled"}


def test_the_metrics_record_no_gradient(made):
    made["rgb"].requires_grad_()
    before = made["rgb"].grad_fn
    health_metrics(made)
    assert made["rgb"].grad_fn is before
    assert made["rgb"].grad is None
