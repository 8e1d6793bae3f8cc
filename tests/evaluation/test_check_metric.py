"""check_metric: every metric of nerfloss passes, and each broken one is refused with its reason."""

import functools
import random

import pytest
import torch
import trimesh

from nerfloss.evaluation import metrics
from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.metadata import FRACTION, Better, metadata_of, metric
from nerfloss.evaluation.surface_samples import Surface, SurfacePair
from nerfloss.evaluation.surface_scores import score_surface
from nerfloss.evaluation.view_scores import score_view
from nerfloss.testing import check_metric

WEIGHTS = {name for name in metrics.__all__ if "lpips" in name.lower()}
OWN = sorted(set(metrics.__all__) - WEIGHTS)


@pytest.mark.parametrize("name", OWN)
def test_every_metric_of_ours_passes(name: str) -> None:
    fn = getattr(metrics, name)
    if metadata_of(fn).unit is None:
        pytest.skip("no metric")
    check_metric(fn, side=164 if name == "ms_ssim" else 24)


def test_settings_may_be_bound() -> None:
    check_metric(functools.partial(metrics.mask_fbeta, beta=1.0))


def declared(better: Better = "lower", range=(0.0, None)):
    return metric(unit="", better=better, range=range)


def error(rgb, target_rgb):
    """Mean absolute error."""
    return (rgb - target_rgb).abs().mean()


@declared()
def undocumented(rgb, target_rgb):
    return error(rgb, target_rgb)


@declared(better="higher")
def reversed_direction(rgb, target_rgb):
    """Mean absolute error, declared the wrong way round."""
    return error(rgb, target_rgb)


@declared(range=(0.0, 0.01))
def narrow(rgb, target_rgb):
    """Mean absolute error, in a range that is too narrow."""
    return error(rgb, target_rgb)


@declared()
def of_many(rgb, target_rgb):
    """Error per pixel."""
    return (rgb - target_rgb).abs().mean(-1)


@declared()
def changes(rgb, target_rgb):
    """Error, in place."""
    return rgb.sub_(target_rgb).abs().mean()


@declared()
def drawn(rgb):
    """A random number."""
    return random.random() + 0 * rgb.mean()


@declared()
def undefined(rgb, target_mask):
    """Error over a mask that may be empty."""
    return rgb[target_mask > 0.5].mean()


@declared()
def silent(rgb):  # noqa: ARG001
    """No value, without a reason."""
    raise UndefinedMetric


@declared()
def of_what(rgbs):
    """A quantity that does not exist."""
    return rgbs.mean()


@declared()
def of_samples(weights):
    """A quantity per sample."""
    return weights.mean()


@declared()
def mixed(rgb, to_target):
    """An image and a surface."""
    return rgb.mean() + to_target.mean()


@declared(better="higher")
def far_is_better(to_target):
    """Distance, declared the wrong way round."""
    return to_target.mean()


@metric(unit="", better="lower")
def without_range(rgb, target_rgb):
    """Mean absolute error without a range."""
    return error(rgb, target_rgb)


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (error, "declares neither unit nor direction"),
        (without_range, "declares no range"),
        (undocumented, "has no docstring"),
        (reversed_direction, "but higher is declared as better"),
        (narrow, r"outside of the declared range 0\.0 to 0\.01 for random inputs"),
        (of_many, r"returns \(24, 24\) values, not one"),
        (changes, "changes its input 'rgb'"),
        (drawn, "for the same inputs: seed its draws"),
        (undefined, "is nan where all its inputs are 0: raise UndefinedMetric"),
        (silent, "without a reason"),
        (of_what, "takes 'rgbs', which is not in the vocabulary"),
        (of_samples, "a metric takes quantities per ray"),
        (mixed, "of surfaces and other quantities of images"),
        (far_is_better, "for a moved surface"),
    ],
)
def test_what_breaks_the_contract_is_named(fn, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_metric(fn)


def test_a_quantity_of_ones_own_is_stood_in_for() -> None:
    @declared()
    def spread(my_variance):
        """Mean variance."""
        return my_variance.mean()

    with pytest.raises(AssertionError, match="bind it with 'inputs'"):
        check_metric(spread)
    check_metric(spread, inputs={"my_variance": "depth"})


def test_a_value_outside_of_the_declared_range_is_no_score() -> None:
    image = torch.rand(8, 8, 3)
    scores = score_view({"narrow": narrow}, {"rgb": image, "target_rgb": 1 - image})
    assert scores["narrow"].value is None
    assert "outside of the declared range 0.0 to 0.01" in str(scores["narrow"].reason)
    right = score_view({"error": declared()(error)}, {"rgb": image, "target_rgb": image})
    assert right["error"].value == 0.0
    assert right["error"].reason is None


def test_a_geometry_metric_is_held_to_its_range_too() -> None:
    ball = trimesh.creation.icosphere(2)
    ball_pair = SurfacePair(Surface(ball, 500, 0), Surface(ball, 500, 1))

    @metric(unit="", better="lower", range=FRACTION)
    def twice(to_target):
        """More than its range."""
        return 2.0 + to_target.mean()

    (found,) = score_surface({"twice": twice}, ball_pair, reason=None, conventions={}).values()
    assert found.value is None
    assert "outside of the declared range" in str(found.reason)
    assert found.conventions["range"] == [0.0, 1.0]


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (1.0, 1.0)])
def test_a_range_without_values_is_refused(bounds) -> None:
    with pytest.raises(ValueError, match="begins below its end"):
        metric(unit="", better="lower", range=bounds)


def test_rounding_beyond_a_bound_is_no_fault() -> None:
    found = metadata_of(metrics.ssim)
    assert found.fault_of(1.0 + 1e-7) is None
    assert found.fault_of(1.01) is not None
    assert metadata_of(metrics.psnr).fault_of(float("inf")) is None


def test_a_metric_that_returns_nothing_or_fails_is_named() -> None:
    @declared()
    def nothing(rgb, target_rgb):
        """Return nothing."""

    @declared()
    def failing(rgb, target_rgb):  # noqa: ARG001
        """Fail."""
        raise KeyError("x")

    with pytest.raises(AssertionError, match="returns nothing for random inputs"):
        check_metric(nothing)
    with pytest.raises(AssertionError, match="raises KeyError for random inputs: 'x'"):
        check_metric(failing)
