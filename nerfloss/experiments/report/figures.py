"""Figures drawn with matplotlib (optional) in one style, as SVG and PNG."""

import io
import re
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

EXTRA = "nerfloss[report]"
INK, FAINT, RULE = "#1c1e21", "#5f6671", "#dfe3e8"
# Okabe and Ito's colors, distinguishable without color vision, without black. The last three are
# darker additions.
PALETTE = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6b7280",
    "#882255", "#332288", "#7c5b1e",
)  # fmt: skip
# For ordered variants, or more of them than colors: viridis without its ends, which have too little
# contrast on a black or a white page.
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
    """One figure; ``svg`` is a complete file and reproducible byte by byte."""

    svg: str
    png: bytes


def drawing(
    draw: Callable[[Any], None], *, title: str, width: float = 4.2, height: float = 2.7
) -> Drawing:
    """Render a figure of ``width`` by ``height`` inches; ``draw`` adds its content.

    ``title`` is the accessible title of the SVG. Raises ValueError if matplotlib is missing.
    """
    with _styled() as matplotlib:
        figure = matplotlib.figure.Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        svg, png = io.StringIO(), io.BytesIO()
        metadata = {"Date": None, "Creator": None, "Title": title}
        figure.savefig(svg, format="svg", metadata=metadata)
        figure.set_layout_engine("none")  # the layout is done; repeating it takes half of the time
        figure.savefig(png, format="png", dpi=DOTS_PER_INCH, facecolor="white")
    return Drawing(svg.getvalue(), png.getvalue())


def for_page(drawn: Drawing, name: str, title: str) -> str:
    """Return inline SVG whose colors follow the page's theme and whose ids are unique."""
    svg = drawn.svg[drawn.svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for color, variable in _THEMED.items():
        svg = svg.replace(color, f"var({variable})")
    svg = svg.replace("'DejaVu Sans'", "var(--font)")
    label = f'<svg role="img" aria-label="{escape(title, quote=True)}"'
    return svg.replace("<svg", label, 1)


def colors_of(count: int, *, ordered: bool = False) -> list[str]:
    """Return ``count`` colors; dark to light if ``ordered`` or more than the palette has."""
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
    """Import matplotlib. Raises ValueError with the command to install it."""
    try:
        import matplotlib.figure
        import matplotlib.style
    except ImportError:
        raise ValueError(f"figures need matplotlib: pip install '{EXTRA}'") from None
    return matplotlib


@contextmanager
def _styled() -> Any:
    """Apply the style, independent of the user's matplotlib settings."""
    matplotlib = require_matplotlib()
    with matplotlib.style.context(["default", dict(STYLE)]):
        yield matplotlib
