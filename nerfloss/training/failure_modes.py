"""Failure modes of training: how each is recognised from health metrics, and its remedy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, inf, nan
from statistics import fmean, stdev

# The metrics of one check, by name; see `nerfloss.training.health_metrics`.
HealthMetrics = Mapping[str, float]

# Mean squared error of colours (20 dB of PSNR) below which a run shows something: the mean colour
# alone explains an image of low contrast almost as well.
LARGE_ERROR = 0.01
# In scene units, where the scene is about 2 wide, the transition is about 4 / sharpness wide.
MIN_SHARPNESS = 2.0
# Above it float32 hardly resolves the transition.
MAX_SHARPNESS = 1e5
STALLED = "stalled"
# Standard errors by which a fall of the error must be excluded.
SURE = 1.5


@dataclass(frozen=True)
class Diagnosis:
    """Cause of a failure, with the evidence and a remedy."""

    cause: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.evidence}. What to do: {self.remedy}"


def diagnose(
    recent: Sequence[HealthMetrics],
    history: Sequence[HealthMetrics] = (),
    *,
    min_drop: float = 0.05,
) -> Diagnosis | None:
    """Return the first cause that the ``recent`` checks show; later ones follow from it.

    With a ``history`` a run is stalled where a large error did not fall by the fraction
    ``min_drop`` from the first half of the history to the second, and the errors of single batches
    spread too little to hide such a fall.
    """
    for cause, (find_evidence, remedy) in _CAUSES.items():
        evidence = find_evidence(recent)
        if evidence:
            return Diagnosis(cause, evidence, remedy)
    evidence = _stalled(history, min_drop)
    return Diagnosis(STALLED, evidence, _MISSING_PART) if evidence else None


def _no_samples(checks: Sequence[HealthMetrics]) -> str | None:
    sampled = _mean(checks, "object_sampled")
    if sampled < 0.02:
        return f"{sampled:.1%} of the rays that should see the object have a sample"
    return None


def _no_surface(checks: Sequence[HealthMetrics]) -> str | None:
    if min(each.get("sdf_least", nan) for each in checks) > 0:
        return "the SDF is positive at every sample"
    if max(each.get("sdf_most", nan) for each in checks) < 0:
        return "the SDF is negative at every sample"
    most, on_object = _mean(checks, "most_opaque"), _mean(checks, "object_opacity")
    if most < 0.1:
        return f"nothing stops a ray, the largest opacity is {most:.2g}"
    if "empty_opacity" in checks[-1] and on_object < 0.1:
        return f"rays on the object, by its mask, have a mean opacity of {on_object:.2g}"
    return None


def _all_surface(checks: Sequence[HealthMetrics]) -> str | None:
    off_object = _mean(checks, "empty_opacity")
    if off_object > 0.9:
        return f"rays off the object, by its mask, have a mean opacity of {off_object:.2g}"
    return None


def _collapsed(checks: Sequence[HealthMetrics]) -> str | None:
    first, last = (each.get("sharpness", nan) for each in (checks[0], checks[-1]))
    if last < MIN_SHARPNESS and last <= first:
        return f"the sharpness is {last:.2g} and falls, the surface is a fog as wide as the scene"
    return None


def _exploded(checks: Sequence[HealthMetrics]) -> str | None:
    first, last = (each.get("sharpness", nan) for each in (checks[0], checks[-1]))
    if last > MAX_SHARPNESS and last >= first:
        return f"the sharpness is {last:.2g} and rises, no gradient is left near the surface"
    return None


def _one_color(checks: Sequence[HealthMetrics]) -> str | None:
    error, baseline = _errors(checks)
    if error > LARGE_ERROR and error > 0.9 * baseline:
        return (
            f"the mean squared error of colours is {error:.3g}, that of one colour {baseline:.3g}"
        )
    return None


def _stalled(checks: Sequence[HealthMetrics], min_drop: float) -> str | None:
    half = len(checks) // 2
    (before, _), (error, baseline) = _errors(checks[:half]), _errors(checks[half:])
    if not (error > LARGE_ERROR and error > 0.25 * baseline and before > 0):
        return None
    spread = hypot(*(_relative_error_of_mean(part) for part in (checks[:half], checks[half:])))
    if 1 - error / before + SURE * spread < min_drop:
        return (
            f"the mean squared error of colours stays at {error:.3g}, that of one colour is "
            f"{baseline:.3g}, and it was {before:.3g} before"
        )
    return None


def _relative_error_of_mean(checks: Sequence[HealthMetrics]) -> float:
    """Return the standard error of the mean error, divided by that mean."""
    errors = [each["error"] for each in checks if "error" in each]
    if len(errors) < 2:
        return inf
    return stdev(errors) / len(errors) ** 0.5 / fmean(errors)


def _errors(checks: Sequence[HealthMetrics]) -> tuple[float, float]:
    """Return the error of the colours, and of the better of one colour and the background."""
    baselines = (_mean(checks, "constant_error"), _mean(checks, "background_error"))
    return _mean(checks, "error"), min(baselines)


def _mean(checks: Sequence[HealthMetrics], name: str) -> float:
    """Return the mean over the checks that have the metric; NaN, which shows nothing, if none."""
    values = [each[name] for each in checks if name in each]
    return fmean(values) if values else nan


_LOWER_RATE = "lower trainer.optimizer.learning_rate"
_BETTER_START = (
    f"{_LOWER_RATE}, use a better initialization (initialization=auto), add a mask term to the loss"
)
_OTHER_RUN = f"{_LOWER_RATE}, try another seed, check that the images belong to these cameras"
_MISSING_PART = (
    "look at images/preview. Surroundings without a model (background=contracted), inexact poses "
    "(cameras=refine) or exposure that differs (appearance=affine) leave such an error, and so do "
    "images that do not belong to these cameras (nerfloss inspect)"
)
_SHARPNESS = f"lower model.optimizer.learning_rates.sharpness, or {_LOWER_RATE}"
_CAUSES: dict[str, tuple[Callable[[Sequence[HealthMetrics]], str | None], str]] = {
    "no samples": (
        _no_samples,
        "check that the cameras look into the box (dataset.scene_radius); try sampler=uniform, "
        "which uses no cache",
    ),
    "no surface": (
        _no_surface,
        f"{_BETTER_START}, or freeze geometry longer (model.optimizer.freeze_steps)",
    ),
    "all surface": (_all_surface, f"{_BETTER_START}, or use dataset.background=random"),
    "sharpness collapsed": (_collapsed, _SHARPNESS),
    "sharpness exploded": (_exploded, _SHARPNESS),
    "no better than one colour": (_one_color, _OTHER_RUN),
}
