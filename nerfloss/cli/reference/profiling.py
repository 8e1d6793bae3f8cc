"""Measure the time and memory of loss terms, forward and backward."""

import difflib
import itertools
import statistics
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from nerfloss.cli.reference.build_term import instance
from nerfloss.cli.reference.term_files import term_files
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.recipe.term import Term
from nerfloss.testing.quantities import SIZES, fake

MEGABYTE = 2**20
SECONDS_PER_TERM = 0.5
MOST_REPEATS = 50
# Sizes without an option: those of a typical step.
USUAL = {"embedding": 16, "channels": 8, "classes": 8, "proposals": 64, "views": 8, "hits": 1024}


@dataclass(frozen=True)
class Cost:
    """Cost of one evaluation: median times, and peak memory.

    Megabytes exclude the quantities themselves; ``backward_megabytes`` includes what the forward
    pass keeps, and the gradients. ``field_points``: points at which the term queries the field.
    """

    forward_milliseconds: float
    backward_milliseconds: float
    forward_megabytes: float
    backward_megabytes: float
    field_points: int

    @property
    def milliseconds(self) -> float:
        return self.forward_milliseconds + self.backward_milliseconds


class AskedField:
    """A field with one parameter that counts the points at which it is queried."""

    def __init__(self, field: Callable[..., Mapping[str, Tensor]]) -> None:
        self.field, self.points = field, 0
        self.scale = torch.ones((), requires_grad=True)

    def __call__(self, points: Tensor, needs: Collection[str]) -> dict[str, Tensor]:
        self.points += len(points)
        # The parameter gives the quantities of the field a backward pass.
        return {name: self.scale * value for name, value in self.field(points, needs).items()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.field, name)


def cost_table(conf: Path, names: Sequence[str], sizes: Mapping[str, int]) -> Table:
    """Return the costs of the named terms in their order, or of all, the most expensive first.

    The row of a term that cannot run at these ``sizes`` is empty, with the reason below the table.
    Raises ValueError for an unknown name.
    """
    terms = term_files(conf)
    for name in names:
        if name not in terms:
            close = difflib.get_close_matches(name, terms, n=3) or sorted(terms)
            raise ValueError(f"no term is called '{name}': there is {', '.join(close)}")
    observed = {"observed": sizes.get("points", SIZES["observed"])}
    sizes = {**SIZES, **USUAL, **observed, **sizes}
    costs: dict[str, Cost] = {}
    reasons: dict[str, str] = {}
    for name in names or terms:
        try:
            costs[name] = cost_of(instance(terms[name]), sizes)
        except Exception as error:  # of any kind: the other terms are measured all the same
            reasons[name] = next(iter(str(error).strip().splitlines()), type(error).__name__)
    ordered = list(names) or sorted(costs, key=lambda name: -costs[name].milliseconds)
    rows = [_row(name, costs.get(name)) for name in dict.fromkeys([*ordered, *reasons])]
    columns = ("term", "forward ms", "backward ms", "forward MB", "backward MB", "field points")
    notes = (*_circumstances(sizes), *(f"{name}: {reason}" for name, reason in reasons.items()))
    return Table(columns, tuple(rows), title="Cost of loss terms", notes=notes)


def cost_of(term: Term, sizes: Mapping[str, int]) -> Cost:
    """Measure one term on synthetic quantities of these sizes."""
    quantities = {name: fake(name, sizes=sizes) for name in sorted(term.needs)}
    field = None
    if "field" in quantities:
        field = quantities["field"] = AskedField(quantities["field"])
    leaves = [
        value.requires_grad_()
        for name, value in quantities.items()
        if isinstance(value, Tensor) and value.is_floating_point()
        if not name.startswith(("target_", "patch_target_", "view_")) and name != term.where
    ]
    _evaluate(term, quantities, leaves)
    points = 0 if field is None else field.points
    forward, backward = _milliseconds(term, quantities, leaves)
    return Cost(forward, backward, *_megabytes(term, quantities, leaves), points)


def _evaluate(
    term: Term, quantities: Mapping[str, Any], leaves: Iterable[Tensor]
) -> tuple[float, float]:
    """Return the seconds for the value and for its gradient."""
    begin = time.perf_counter()
    value = term(quantities)
    middle = time.perf_counter()
    if value.requires_grad:
        value.backward()
    end = time.perf_counter()
    for leaf in leaves:
        leaf.grad = None
    return middle - begin, end - middle


def _milliseconds(
    term: Term, quantities: Mapping[str, Any], leaves: Sequence[Tensor]
) -> tuple[float, float]:
    found: list[tuple[float, float]] = []
    until = time.perf_counter() + SECONDS_PER_TERM
    while len(found) < 3 or (len(found) < MOST_REPEATS and time.perf_counter() < until):
        found.append(_evaluate(term, quantities, leaves))
    forward, backward = zip(*found, strict=True)
    return 1000 * statistics.median(forward), 1000 * statistics.median(backward)


def _megabytes(
    term: Term, quantities: Mapping[str, Any], leaves: Sequence[Tensor]
) -> tuple[float, float]:
    """Return the peak memory of the forward pass, and of forward and backward pass together.

    Counted from the allocations of torch, temporary ones inside of operations included.
    """
    with _recorded() as recorder:
        value = term(quantities)
    forward = _changes(recorder)
    backward: list[int] = []
    if value.requires_grad:
        with _recorded() as recorder:
            value.backward()
        backward = _changes(recorder)
    for leaf in leaves:
        leaf.grad = None
    peaks = (_peak(forward), _peak([*forward, *backward]))
    return peaks[0] / MEGABYTE, peaks[1] / MEGABYTE


def _recorded() -> profile:
    return profile(activities=[ProfilerActivity.CPU], profile_memory=True)


def _changes(recorder: profile) -> list[int]:
    """Return the bytes allocated (negative: freed), in the order of time."""
    results = getattr(recorder.profiler, "kineto_results")  # noqa: B009 (no public way to them)
    events = [event for event in results.events() if event.name() == "[memory]"]
    return [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]


def _peak(changes: Iterable[int]) -> int:
    return max(itertools.accumulate(changes, initial=0))


def _row(name: str, cost: Cost | None) -> tuple[Cell, ...]:
    if cost is None:
        return (name, None, None, None, None, None)
    return (
        name,
        round(cost.forward_milliseconds, 3),
        round(cost.backward_milliseconds, 3),
        round(cost.forward_megabytes, 3),
        round(cost.backward_megabytes, 3),
        cost.field_points or None,
    )


def _circumstances(sizes: Mapping[str, int]) -> tuple[str, ...]:
    stated = ", ".join(f"{axis} {count}" for axis, count in sizes.items())
    return (
        f"At {stated}; CPU, threads: {torch.get_num_threads()}, torch {torch.__version__}.",
        "Medians; MB exclude the quantities themselves, backward includes what forward keeps. The "
        "field is a sphere: the cost of a trained field at the field points is not included.",
    )
