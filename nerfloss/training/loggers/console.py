"""Console progress: a live display on a terminal, plain lines elsewhere."""

import time
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
import rich
from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text


class Console:
    """Show step, rays per second, the loss terms, PSNR and the time left.

    On a terminal two lines are redrawn in place; elsewhere (a log, CI) a line is printed every
    ``every`` seconds, by default 0.5 on a terminal and 10 otherwise. A line has the values of its
    own step alone: a preview's score, which comes between, is a line by itself. Scalars shown are
    ``loss/*``, names that end in ``psnr``, and ``rays_per_second``. ``progress`` returns the
    fraction of the run that is done, for a budget in seconds; by default it is that of
    ``max_steps``.
    """

    def __init__(
        self,
        max_steps: int,
        *,
        progress: Callable[[], float] | None = None,
        every: float | int | None = None,
        console: RichConsole | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # The shared console by default: what is logged through rich then appears above the display.
        self._console = console or rich.get_console()
        self._live = Live(console=self._console, auto_refresh=False)
        self._clock = clock
        self.max_steps = max_steps
        self.progress = progress
        self.every = every if every is not None else 0.5 if self._console.is_terminal else 10.0
        self._last: float | None = None
        self._recent: deque[tuple[float, float]] = deque(maxlen=30)
        self._shown: dict[str, float] = {}

    def due(self, step: int) -> bool:  # noqa: ARG002 (due by seconds)
        return self._last is None or self._clock() - self._last >= self.every

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        now, of_step = self._clock(), "loss/total" in scalars
        self._recent.append((now, self.fraction(step)))
        if of_step or self._last is None:  # a preview does not delay the next line
            self._last = now
        if not self._console.is_terminal:
            self._shown.clear()
        if of_step:  # drop terms that have ended
            self._shown = {k: v for k, v in self._shown.items() if not k.startswith("loss/")}
        self._shown |= {name: value for name, value in scalars.items() if _is_shown(name)}
        if self._console.is_terminal:
            self._live.start()
            self._live.update(self._display(step), refresh=True)
        else:
            line = "  ".join(self._status(step) + self._values())
            self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Do nothing: a terminal shows no images."""

    def close(self) -> None:
        self._live.stop()

    def fraction(self, step: int) -> float:
        """Return the fraction of the run that is done, in [0, 1]."""
        if self.progress is not None:
            return self.progress()
        return min(step / max(self.max_steps, 1), 1.0)

    def seconds_left(self) -> float | None:
        """Return the estimated seconds to the end, by recent speed; None where unknown yet."""
        (then, first), (now, last) = self._recent[0], self._recent[-1]
        if last <= first or now <= then:
            return None
        return (1 - last) * (now - then) / (last - first)

    def _status(self, step: int) -> list[str]:
        end = f"/{self.max_steps}" if self.progress is None else ""
        status = [f"step {step}{end}", f"{self.fraction(step):.0%}"]
        rate = next((v for k, v in self._shown.items() if k.endswith("rays_per_second")), None)
        if rate is not None:
            status.append(f"{_short(rate)} rays/s")
        left = self.seconds_left()
        if left is not None:
            status.append(f"{_duration(left)} left")
        return status

    def _values(self) -> list[str]:
        losses = [k for k in self._shown if k.startswith("loss/") and k != "loss/total"]
        total = [k for k in self._shown if k == "loss/total"]
        psnr = [k for k in self._shown if k.endswith("psnr")]
        values = [f"{_label(name)} {self._shown[name]:.3g}" for name in total + losses]
        return values + [f"{_label(name)} {self._shown[name]:.2f}" for name in psnr]

    def _display(self, step: int) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=self.fraction(step), width=30)
        grid.add_row(bar, Text("  ".join(self._status(step)), style="bold"))
        display = Table.grid()
        display.add_row(grid)
        display.add_row(Text("  ".join(self._values())))
        return display


def _is_shown(name: str) -> bool:
    return name.startswith("loss/") or name.endswith(("psnr", "rays_per_second"))


def _label(name: str) -> str:
    """Return a short name: ``loss/total`` is loss, ``loss/rgb`` is rgb, ``train/psnr`` is psnr.

    ``test/psnr`` is that of the previewed view, not of all.
    """
    if name == "loss/total":
        return "loss"
    if name == "test/psnr":
        return "one test view psnr"
    return name.removeprefix("loss/").removeprefix("train/").replace("/", " ")


def _short(count: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:.0f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
