"""Figures by matplotlib, which is optional: drawn in one style, as SVG text and PNG bytes."""

import io
import re
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

EXTRA = "nerfloss[report]"
INK, FAINT, RULE = "#1c1e21", "#5f6671", "#dfe3e8"
# Okabe and Ito's colours: told apart without colour vision. Black is left to the text. Those after
# them are darker, for as many arms as there are balancers.
PALETTE = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6b7280",
    "#882255", "#332288", "#7c5b1e",
)  # fmt: skip
# For arms along a number, or more of them than colours: viridis without its ends, which are too
# dark on black and too pale on white.
SEQUENCE = ("#443a83", "#35608d", "#23888e", "#1f9e89", "#35b779", "#67c85c", "#93c93a")
DOTS_PER_INCH = 200
STYLE: Mapping[str, Any] = {
    "svg.hashsalt": "nerfloss",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "lines.linewidth": 1.7,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
}


@dataclass(frozen=True)
class Drawing:
    """One figure: ``svg`` is a whole file and the same bytes for the same numbers."""

    svg: str
    png: bytes


def drawing(
    draw: Callable[[Any], None], *, title: str, width: float = 4.2, height: float = 2.7
) -> Drawing:
    """What ``draw`` puts into the figure that it is given, ``width`` by ``height`` inches.

    ``title`` is what the SVG is called for those who cannot see it.
    Raises ValueError where matplotlib is not installed.
    """
    with _styled() as matplotlib:
        figure = matplotlib.figure.Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        svg, png = io.StringIO(), io.BytesIO()
        said = {"Date": None, "Creator": None, "Title": title}
        figure.savefig(svg, format="svg", metadata=said)
        figure.set_layout_engine("none")  # everything is in its place: that takes half of the time
        figure.savefig(png, format="png", dpi=DOTS_PER_INCH, facecolor="white")
    return Drawing(svg.getvalue(), png.getvalue())


def for_page(drawn: Drawing, name: str, title: str) -> str:
    """The SVG to be put into a page: its colours follow the page's theme, its ids are unique."""
    svg = drawn.svg[drawn.svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for color, variable in _THEMED.items():
        svg = svg.replace(color, f"var({variable})")
    svg = svg.replace("'DejaVu Sans'", "var(--font)")
    label = f'<svg role="img" aria-label="{escape(title, quote=True)}"'
    return svg.replace("<svg", label, 1)


def colors_of(count: int, *, ordered: bool = False) -> list[str]:
    """A colour for each of ``count`` things; along a number, or for many, dark to light."""
    if count <= len(PALETTE) and not ordered:
        return list(PALETTE[:count])
    last = len(SEQUENCE) - 1
    return [SEQUENCE[round(i * last / max(count - 1, 1))] for i in range(count)]


_THEMED = {
    INK: "--ink",
    FAINT: "--faint",
    RULE: "--rule",
    **{color: f"--color-{index}" for index, color in enumerate(PALETTE)},
}


def require_matplotlib() -> Any:
    """Matplotlib, if it is installed; else a ValueError that says how to get it."""
    try:
        import matplotlib.figure
        import matplotlib.style
    except ImportError:
        raise ValueError(
            f"figures take matplotlib, which is not installed: pip install '{EXTRA}'"
        ) from None
    return matplotlib


@contextmanager
def _styled() -> Any:
    """Matplotlib with our style, whatever the user's own settings are."""
    matplotlib = require_matplotlib()
    with matplotlib.style.context(["default", dict(STYLE)]):
        yield matplotlib
