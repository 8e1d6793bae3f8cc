"""Draw small line plots as SVG text, byte for byte reproducible."""

import math
from html import escape

from nerfloss.cli.reference.loss_curves import Curves

WIDTH, HEIGHT = 320, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 40
COLORS = ("#2563eb", "#d97706")


def as_svg(curves: Curves) -> str:
    """Draw curves over their input, with the ends of both axes labelled."""
    x_low, x_high = float(curves.x[0]), float(curves.x[-1])
    y_low, y_high = min(0.0, float(curves.values.min())), float(curves.values.max())
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    def across(x: float) -> float:
        return LEFT + (x - x_low) / (x_high - x_low) * (right - LEFT)

    def up(y: float) -> float:
        return bottom - (y - y_low) / (y_high - y_low) * (bottom - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#999"/>',
        _text(LEFT, bottom + 14, _number(x_low), "middle"),
        _text(right, bottom + 14, _number(x_high), "end"),
        _text(LEFT - 4, bottom + 4, _number(y_low), "end"),
        _text(LEFT - 4, TOP + 8, _number(y_high), "end"),
        _text((LEFT + right) / 2, bottom + 30, curves.axis, "middle"),
    ]
    for i, row in enumerate(curves.values.tolist()):
        points = zip(curves.x.tolist(), row, strict=True)
        line = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{COLORS[i]}" stroke-width="2"/>'
        )
    for i, label in enumerate(curves.labels):
        parts.append(_text((LEFT + right) / 2, TOP + 8 + 14 * i, label, "middle", COLORS[i]))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: float | int, y: float | int, text: str, anchor: str, color: str = "#333") -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'
    )


def _number(value: float) -> str:
    """Return three significant digits, without an exponent where that is short."""
    if value and (abs(value) >= 1e5 or abs(value) < 1e-3):
        return f"{value:.1e}"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
