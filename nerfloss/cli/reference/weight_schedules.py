"""The weight of each term over training, before any balancer: a table and a plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.assembly.build import compose_train
from nerfloss.assembly.instantiation import build, check_terms
from nerfloss.cli.reference.loss_curves import Curves
from nerfloss.cli.reference.svg_plots import HEIGHT, WIDTH, as_svg
from nerfloss.experiments.report.figures import PALETTE, drawing
from nerfloss.experiments.report.table import Table
from nerfloss.recipe.term import Term

POINTS = 2000  # at most; every step of shorter runs
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
ACROSS = 3


@dataclass(frozen=True)
class TermWeights:
    """Weight times schedule of each term, at steps from the first to the last of a run.

    ``shown`` are those at `SHARES` of the run; of a term that acts in one of several steps, that of
    the last one.
    """

    title: str
    steps: Float[Tensor, "steps"]
    weights: Mapping[str, Float[Tensor, "steps"]]
    shown: Mapping[str, Sequence[float]]


def term_weights(overrides: Sequence[str]) -> TermWeights:
    """Return the weights of the run that ``overrides`` compose; no term is built.

    Raises Hydra's errors for overrides that fit no configuration, RecipeError for a key that terms
    do not have, and ValueError for a weight that is not a number.
    """
    cfg = compose_train(overrides)
    check_terms(cfg.loss.terms)
    last = cfg.trainer.max_steps
    steps = torch.linspace(0, last, min(last, POINTS) + 1, dtype=torch.float64).round()
    terms = {
        name: Term(fn=_not_called, weight=float(spec.get("weight", 1.0)), schedule=schedule)
        for name, spec in cfg.loss.terms.items()
        for schedule in [build(spec.get("schedule"))]
    }
    weights = {
        name: torch.tensor([term.weight_at(int(step)) for step in steps], dtype=steps.dtype)
        for name, term in terms.items()
    }
    places = [int(steps[place]) for place in _places(steps)]
    shown = {name: [term.weight_around(at) for at in places] for name, term in terms.items()}
    chosen = next((o for o in overrides if o.startswith("loss=")), "the default loss")
    return TermWeights(f"{chosen}, {last} steps", steps, weights, shown)


def weight_table(found: TermWeights) -> Table:
    """Return a row for each term: when it acts, and its weight along the run."""
    rows = tuple(
        (name, _acting(found.steps, row), *(f"{weight:.4g}" for weight in found.shown[name]))
        for name, row in found.weights.items()
    )
    heads = tuple(f"at {int(found.steps[place])}" for place in _places(found.steps))
    note = "Weight times schedule. A balancer (loss/balancer=...) multiplies these as it trains."
    return Table(("term", "acts in steps", *heads), rows, title=found.title, notes=(note,))


def write_plot(found: TermWeights, path: Path) -> None:
    """Draw one small plot for each term that ever acts, as .svg or .png.

    Raises ValueError for another ending, and where no term acts.
    """
    writers = {".svg": _write_svg, ".png": _write_png}
    if path.suffix not in writers:
        raise ValueError(f"plots are written as .svg or .png, got {path.name}")
    acting = {name: row for name, row in found.weights.items() if row.any()}
    if not acting:
        raise ValueError("no term of this recipe has a weight: give one a weight above 0")
    path.parent.mkdir(parents=True, exist_ok=True)
    writers[path.suffix](replace(found, weights=acting), path)


def _write_svg(found: TermWeights, path: Path) -> None:
    across = min(ACROSS, len(found.weights))
    down = -(-len(found.weights) // across)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across * WIDTH}" '
        f'height="{down * HEIGHT}">\n'
    ]
    for index, (name, row) in enumerate(found.weights.items()):
        drawn = as_svg(Curves("step", found.steps, (name,), row[None]))
        x, y = index % across * WIDTH, index // across * HEIGHT
        parts.append(drawn.replace("<svg ", f'<svg x="{x}" y="{y}" ', 1))
    path.write_text("".join([*parts, "</svg>\n"]))


def _write_png(found: TermWeights, path: Path) -> None:
    across = min(ACROSS, len(found.weights))
    down = -(-len(found.weights) // across)

    def draw(figure: Any) -> None:
        for index, (name, row) in enumerate(found.weights.items()):
            axes = figure.add_subplot(down, across, index + 1)
            axes.plot(found.steps.numpy(), row.numpy(), color=PALETTE[0])
            axes.set(title=name, xlabel="step", ylim=(0, 1.08 * float(row.max())))
        figure.suptitle(found.title)

    drawn = drawing(draw, title=found.title, width=3.6 * across, height=2.4 * down)
    path.write_bytes(drawn.png)


def _places(steps: Float[Tensor, "steps"]) -> list[int]:
    """Return the indices of the steps that the table shows."""
    return [round(share * (len(steps) - 1)) for share in SHARES]


def _acting(steps: Float[Tensor, "steps"], row: Float[Tensor, "steps"]) -> str:
    acting = steps[row > 0]
    if not len(acting):
        return "never"
    if len(acting) == len(steps):
        return "all"
    share = len(acting) / int(((steps >= acting[0]) & (steps <= acting[-1])).sum())
    gaps = "" if share == 1 else f", in {100 * share:.0f}% of them"
    return f"{int(acting[0])} to {int(acting[-1])}{gaps}"


def _not_called() -> Tensor:
    raise AssertionError("only the weights of this term are used")
