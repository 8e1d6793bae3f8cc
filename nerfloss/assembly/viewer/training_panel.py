"""Controls of a training in the viewer: pause, weights of the terms, and their plots."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nerfloss.training.callbacks.interventions import Interventions

COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
POINTS = 2000  # of a plot; the older half is thinned where there are more
LEAST = 1e-8  # of a plotted value: the axis is logarithmic


class TrainingPanel:
    """Controls and plots at a server's panel; ``changed`` is called when pause or go on is asked.

    The plots are of the terms' weighted losses: their parts of the total.
    """

    def __init__(
        self,
        gui: Any,
        interventions: Interventions,
        changed: Callable[[], None],
    ) -> None:
        self.paused = False
        self._interventions, self._changed = interventions, changed
        names = [*interventions.weights]
        self._values: deque[tuple[int, list[float]]] = deque()
        self._new = False
        with gui.add_folder("Training"):
            self._button = gui.add_button("Pause")
            self._button.on_click(lambda _: self._toggle())
            self._fields = {name: self._field(gui, name) for name in names}
            gui.add_button("Apply weights").on_click(lambda _: self._apply())
            self._note = gui.add_markdown("")
        with gui.add_folder("Weighted losses"):
            self._plot = gui.add_uplot(
                data=(np.zeros(1), *[np.full(1, LEAST) for _ in names]),
                series=({"label": "step"}, *_series(names)),
                scales={"x": {"time": False}, "y": {"distr": 3}},
                aspect=1.3,
                padding=(12, 24, 0, 0),
            )

    def note(self, step: int, losses: Mapping[str, float]) -> None:
        """Keep the weighted losses of a step for the plots."""
        values = [max(losses.get(name, 0.0), LEAST) for name in self._fields]
        self._values.append((step, values))
        if len(self._values) > POINTS:
            kept = [*self._values]
            self._values = deque([*kept[: POINTS // 2 : 2], *kept[POINTS // 2 :]])
        self._new = True

    def plot(self) -> None:
        """Send what is new to the browsers."""
        if self._new:
            steps, values = zip(*self._values, strict=True)
            columns = np.array(values, dtype=float).T
            self._plot.data = (np.array(steps, dtype=float), *columns)
            self._new = False

    def show_weights(self) -> None:
        """Show the weights that the recipe has now."""
        for name, weight in self._interventions.weights.items():
            self._fields[name].value = str(float(weight))
        self._list_changes()

    def _list_changes(self) -> None:
        made = self._interventions.made
        lines = [f"after step {i.step}: {i.term} {i.old:g} → {i.new:g}" for i in made[-5:]]
        self._note.content = "\n\n".join(lines)

    def _field(self, gui: Any, name: str) -> Any:
        missing = self._interventions.missing(name)
        hint = f"needs {', '.join(missing)}, which this run has not prepared" if missing else None
        weight = self._interventions.weights[name]
        # Not a field of numbers: that of viser drops the e of 1e-3 and turns -1 into 0.
        return gui.add_text(name, str(float(weight)), disabled=bool(missing), hint=hint)

    def _toggle(self) -> None:
        self.paused = not self.paused
        self._button.label = "Go on" if self.paused else "Pause"
        self._changed()

    def _apply(self) -> None:
        """Request the weights that differ; they hold from the next step on."""
        weights = self._interventions.weights
        try:
            typed = {name: _number(name, field.value) for name, field in self._fields.items()}
            for name, weight in typed.items():
                if weight != weights[name]:
                    self._interventions.request(name, weight)
            self._list_changes()
        except ValueError as error:
            self._note.content = str(error)
        self._changed()


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"the weight of {name} is '{text}': give a number") from None


def _series(names: list[str]) -> list[dict[str, Any]]:
    return [
        {"label": name, "stroke": COLORS[index % len(COLORS)], "width": 1.5}
        for index, name in enumerate(names)
    ]
