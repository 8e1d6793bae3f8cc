"""Ways in which a run gets stuck: how each is recognised, and what to do about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from statistics import fmean

# What one look at a run found, by name; see `vital_signs`.
Signs = Mapping[str, float]

# Colours that are off by less (a PSNR of 20 dB) show something: an image of little contrast is
# explained almost as well by its mean.
FAR_OFF = 0.01
# In scene units, in which the scene is about 2 wide, the transition is about 4 / sharpness.
BLURRED = 2.0
# Beyond it float32 hardly tells the two sides of the transition apart.
JAGGED = 1e5
STALLED = "stalled"


@dataclass(frozen=True)
class Verdict:
    """What holds a run, what was seen of it, and what to do."""

    cause: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.evidence}. What to do: {self.remedy}"


def diagnose(
    signs: Sequence[Signs], stretch: Sequence[Signs] = (), *, enough: float = 0.05
) -> Verdict | None:
    """Name the first cause that the last ``signs`` show, the others being its consequences.

    ``stretch`` goes back further: a run has stalled where a large error did not fall by the share
    ``enough`` from the first half of it to the second.
    """
    for cause, (evidence, remedy) in _CAUSES.items():
        found = evidence(signs)
        if found:
            return Verdict(cause, found, remedy)
    found = _stalled(stretch, enough)
    return Verdict(STALLED, found, _ANOTHER) if found else None


def _no_samples(signs: Sequence[Signs]) -> str | None:
    sampled = _mean(signs, "object_sampled")
    if sampled < 0.02:
        return f"{sampled:.1%} of the rays that should see the object have a sample"
    return None


def _no_surface(signs: Sequence[Signs]) -> str | None:
    if min(each.get("sdf_least", nan) for each in signs) > 0:
        return "the SDF is positive at every sample"
    if max(each.get("sdf_most", nan) for each in signs) < 0:
        return "the SDF is negative at every sample"
    most, on_object = _mean(signs, "most_opaque"), _mean(signs, "object_opacity")
    if most < 0.1:
        return f"nothing stops a ray, the largest opacity is {most:.2g}"
    if "empty_opacity" in signs[-1] and on_object < 0.1:
        return f"rays on the object, by its mask, have a mean opacity of {on_object:.2g}"
    return None


def _all_surface(signs: Sequence[Signs]) -> str | None:
    beside = _mean(signs, "empty_opacity")
    if beside > 0.9:
        return f"rays beside the object, by its mask, have a mean opacity of {beside:.2g}"
    return None


def _collapsed(signs: Sequence[Signs]) -> str | None:
    first, last = (each.get("sharpness", nan) for each in (signs[0], signs[-1]))
    if last < BLURRED and last <= first:
        return f"the sharpness is {last:.2g} and falls, the surface is a fog as wide as the scene"
    return None


def _exploded(signs: Sequence[Signs]) -> str | None:
    first, last = (each.get("sharpness", nan) for each in (signs[0], signs[-1]))
    if last > JAGGED and last >= first:
        return f"the sharpness is {last:.2g} and rises, no gradient is left beside the surface"
    return None


def _one_color(signs: Sequence[Signs]) -> str | None:
    error, guessed = _errors(signs)
    if error > FAR_OFF and error > 0.9 * guessed:
        return f"the mean squared error of colours is {error:.3g}, that of one colour {guessed:.3g}"
    return None


def _stalled(signs: Sequence[Signs], enough: float) -> str | None:
    half = len(signs) // 2
    (before, _), (error, guessed) = _errors(signs[:half]), _errors(signs[half:])
    if error > FAR_OFF and error > 0.25 * guessed and error > (1 - enough) * before:
        return (
            f"the mean squared error of colours stays at {error:.3g}, that of one colour is "
            f"{guessed:.3g}, and it was {before:.3g} before"
        )
    return None


def _errors(signs: Sequence[Signs]) -> tuple[float, float]:
    """Error of the colours, and of the better of two guesses: one colour, and the background."""
    guesses = (_mean(signs, "constant_error"), _mean(signs, "background_error"))
    return _mean(signs, "error"), min(guesses)


def _mean(signs: Sequence[Signs], name: str) -> float:
    """Mean over the looks that could tell; nan, which is no verdict, where none could."""
    told = [each[name] for each in signs if name in each]
    return fmean(told) if told else nan


_CALMER = "lower trainer.optimizer.learning_rate"
_PLACED = (
    f"{_CALMER}, use a better initialization (initialization=auto), add a mask term to the loss"
)
_ANOTHER = f"{_CALMER}, try another seed, check that the images belong to these cameras"
_SHARPNESS = f"lower model.optimizer.learning_rates.sharpness, or {_CALMER}"
_CAUSES: dict[str, tuple[Callable[[Sequence[Signs]], str | None], str]] = {
    "no samples": (
        _no_samples,
        "check that the cameras look into the box (dataset.scene_radius); with sampler=uniform "
        "one sees whether the sampler's cache is at fault",
    ),
    "no surface": (
        _no_surface,
        f"{_PLACED}, or let geometry wait longer (model.optimizer.freeze_steps)",
    ),
    "all surface": (_all_surface, f"{_PLACED}, or use dataset.background=random"),
    "sharpness collapsed": (_collapsed, _SHARPNESS),
    "sharpness exploded": (_exploded, _SHARPNESS),
    "no better than one colour": (_one_color, _ANOTHER),
}
