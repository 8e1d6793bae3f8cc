"""Checks that every metric passes, for your own metrics too."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Bool, Float
from torch import Tensor

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.metadata import DeclaredMetric, RangedMetric, metadata_of
from nerfloss.evaluation.surface_samples import OFFERED, Surface, SurfacePair
from nerfloss.evaluation.virtual_scan import VirtualScan
from nerfloss.quantities.signature import inputs_of, underlying
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.testing.quantities import SIZES, fake

SIDE = 24  # of the images, in pixels
POINTS = 2000  # of each surface
NOISE = (0.05, 0.2)  # standard deviations of the two worse predictions
DEGENERATE = (0.0, 1.0)
OBSERVED = "target_"


def check_metric(
    fn: Callable[..., Any], *, inputs: Mapping[str, str] | None = None, side: int = SIDE
) -> None:
    """Raise AssertionError, with the reason, unless ``fn`` keeps the contract of a metric.

    - It declares its unit, which direction is better, and its range
      (`nerfloss.evaluation.metrics.metadata.metric`), and its docstring says what it is.
    - It takes quantities of the vocabulary, as images of ``side`` pixels, or what
      `nerfloss.evaluation.surface_samples.SurfacePair` offers. ``inputs`` names a quantity of the
      vocabulary in place of one of your own: ``{"depth_variance": "depth"}``.
    - It returns one number in its range, twice the same, and changes no input; where it has no
      value, as for an empty image, it raises UndefinedMetric.
    - Where it compares x with ``target_x``: no noisy prediction is better than a perfect one.
    """
    _check_declaration(fn)
    names = {name: (inputs or {}).get(name, name) for name in inputs_of(fn)}
    _check_inputs(names)
    if set(names.values()) <= set(OFFERED):
        _check_surfaces(fn, names)
        return
    given = {name: _image(quantity, side) for name, quantity in names.items()}
    _check_repeatable(fn, given)
    for value in DEGENERATE:
        flat = {name: _filled(each, value) for name, each in given.items()}
        _value(fn, flat, f"where all its inputs are {value:g}")
    _check_direction(fn, names, given)


def _check_declaration(fn: Callable[..., Any]) -> None:
    plain: Any = underlying(fn)
    found = metadata_of(fn)
    declared = found.unit is not None or isinstance(plain, DeclaredMetric)
    assert declared, (
        'declares neither unit nor direction: decorate it, as @metric(unit="dB", better="higher", '
        "range=(0, None))"
    )
    assert found.range is not None or isinstance(plain, RangedMetric), (
        "declares no range: add range=(least, greatest), None for no bound"
    )
    assert found.better in ("higher", "lower", None), f"is better {found.better!r}"
    assert inspect.getdoc(plain), "has no docstring, which says what it measures and in which unit"


def _check_inputs(names: Mapping[str, str]) -> None:
    assert names, "takes no quantity: name them as its positional parameters"
    surfaces = [name for name in names.values() if name in OFFERED]
    assert not surfaces or len(surfaces) == len(names), (
        f"takes {', '.join(surfaces)} of surfaces and other quantities of images: one of the two"
    )
    for name, quantity in names.items():
        if surfaces:
            continue
        assert quantity in VOCABULARY, (
            f"takes '{name}', which is not in the vocabulary: rename it, or bind it with 'inputs'"
        )
        shape = VOCABULARY[quantity].shape
        axes = shape.split()
        per_ray = axes[:1] == ["rays"] and not {"samples", "proposals"} & {*axes}
        assert per_ray, (
            f"takes '{name}', which is \"{shape}\": a metric takes quantities per ray, as images"
        )


def _image(quantity: str, side: int) -> Any:
    """Return a random quantity, laid out as an image."""
    value = fake(quantity, sizes={**SIZES, "rays": side * side})
    return value.reshape(side, side, *value.shape[1:])


def _filled(value: Tensor, number: float) -> Tensor:
    return torch.full_like(value, number) if value.is_floating_point() else value.clone()


def _value(fn: Callable[..., Any], given: Mapping[str, Any], situation: str) -> float | None:
    """Return the value, None where it is undefined; raise AssertionError for a wrong one."""
    kept = {name: each.clone() for name, each in given.items() if isinstance(each, Tensor)}
    try:
        with torch.no_grad():
            returned = fn(*given.values())
    except UndefinedMetric as error:
        if not str(error):
            raise AssertionError(f"raises UndefinedMetric without a reason {situation}") from error
        return None
    except Exception as error:
        text = f"raises {type(error).__name__} {situation}: {error}"
        raise AssertionError(text) from error
    assert returned is not None, f"returns nothing {situation}"
    for name, each in given.items():
        unchanged = name not in kept or torch.equal(each, kept[name])
        assert unchanged, f"changes its input '{name}' {situation}"
    single = not isinstance(returned, Tensor) or returned.numel() == 1
    assert single, f"returns {tuple(returned.shape)} values, not one, {situation}"
    value = float(returned)
    assert value == value, f"is nan {situation}: raise UndefinedMetric with the reason"
    fault = metadata_of(fn).fault_of(value)
    assert fault is None, f"{fault} {situation}"
    return value


def _check_repeatable(fn: Callable[..., Any], given: Mapping[str, Any]) -> None:
    first, again = (_value(fn, given, "for random inputs") for _ in range(2))
    assert first == again, f"returns {first}, then {again} for the same inputs: seed its draws"


def _check_direction(
    fn: Callable[..., Any], names: Mapping[str, str], given: Mapping[str, Any]
) -> None:
    """Check that noise on every prediction makes the value no better than a perfect one's."""
    pairs = {q.removeprefix(OBSERVED): name for name, q in names.items() if q.startswith(OBSERVED)}
    compared = {name: pairs[quantity] for name, quantity in names.items() if quantity in pairs}
    better = metadata_of(fn).better
    if not compared or better is None:
        return
    perfect = {**given, **{name: given[target].clone() for name, target in compared.items()}}
    best = _value(fn, perfect, "for a perfect prediction")
    generator = torch.Generator().manual_seed(0)
    for deviation in NOISE:
        noisy = dict(perfect)
        for name in compared:
            drawn = torch.randn(perfect[name].shape, generator=generator)
            noisy[name] = (perfect[name] + deviation * drawn).to(perfect[name].dtype)
        value = _value(fn, noisy, f"for noise of {deviation:g}")
        _compare(better, best, value, f"noise of {deviation:g}")


def _compare(better: str, best: float | None, value: float | None, what: str) -> None:
    if best is None or value is None:
        return
    wrong = value > best + 1e-6 if better == "higher" else value < best - 1e-6
    assert not wrong, (
        f"is {value:.6g} for {what} and {best:.6g} for a perfect prediction, but {better} is "
        f"declared as better"
    )


class _AllSeen(VirtualScan):
    """Cameras around a surface that see all of it."""

    def seen(self, points: Float[np.ndarray, "points 3"]) -> Bool[np.ndarray, "points"]:
        return np.ones(len(points), dtype=bool)


def _no_view(points: Any, index: int) -> Any:
    raise AssertionError(f"there is no view {index} of {len(points)} points")


EVERYWHERE = _AllSeen(_no_view, views=0, slope=1.0)


def _check_surfaces(fn: Callable[..., Any], names: Mapping[str, str]) -> None:
    """Check a metric of surfaces on a ball: beside itself, and beside a larger and a moved one."""
    ball = trimesh.creation.icosphere(3, radius=0.5)

    def score(mesh: trimesh.Trimesh, what: str) -> float | None:
        found, true = Surface(mesh, POINTS, 0), Surface(ball, POINTS, 1)
        cloud = lambda: Surface(mesh, POINTS, 2).samples.points  # noqa: E731
        pair = SurfacePair(found, true, exact_points=POINTS, scan=EVERYWHERE, cloud=cloud)
        return _value(fn, {name: pair[quantity] for name, quantity in names.items()}, what)

    best = score(ball, "for a perfect surface")
    assert best == score(ball.copy(), "for a perfect surface"), "returns another value each time"
    better = metadata_of(fn).better
    moved = ball.copy()
    moved.apply_translation([0.3, 0.0, 0.0])
    for name, mesh in {"moved": moved, "larger": trimesh.creation.icosphere(3, radius=0.8)}.items():
        value = score(mesh, f"for a {name} surface")
        if better is not None and name == "moved":
            _compare(better, best, value, "a moved surface")
