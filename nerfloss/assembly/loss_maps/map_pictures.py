"""Pictures of loss maps: colours of the values over a bar that states range and unit."""

import imageio.v3 as iio
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from nerfloss.assembly.loss_maps.map_ranges import Range
from nerfloss.evaluation.colormaps import INFERNO, apply_colormap

Picture = UInt8[np.ndarray, "rows columns 3"]
SILENT = (200, 200, 200)  # where the term says nothing: in none of the colour maps
WIDEST, BAR, LINE, FONT = 256, 8, 14, 11  # pixels
ERROR = Range(0.0, 0.2, INFERNO, beyond=True)  # as in a run's image grids


def colored(values: Float[np.ndarray, "height width"], span: Range) -> Picture:
    """Return the colours of a map, grey where it has no value."""
    colors = apply_colormap(np.nan_to_num(values), span.low, span.high, colors=span.colors)
    colors[~np.isfinite(values)] = SILENT
    return colors


def map_picture(values: Float[np.ndarray, "height width"], span: Range, unit: str) -> Picture:
    """Return the colours of a map over a colour bar with its range, and its unit in a line."""
    picture = enlarged(colored(values, span))
    height, width = picture.shape[:2]
    font = ImageFont.load_default(FONT)
    lines = _wrapped(unit, width, font)
    canvas = Image.new("RGB", (width, height + BAR + LINE * (1 + len(lines)) + 4), "white")
    canvas.paste(Image.fromarray(picture), (0, 0))
    bar = np.linspace(span.low, span.high, width)[None].repeat(BAR, 0)
    canvas.paste(Image.fromarray(colored(bar, span)), (0, height + 2))
    draw, top = ImageDraw.Draw(canvas), height + BAR + 3
    low, high = span.ends
    draw.text((1, top), low, fill="black", font=font)
    draw.text((width - 1, top), high, fill="black", font=font, anchor="ra")
    for number, line in enumerate(lines, 1):
        draw.text((1, top + number * LINE), line, fill="black", font=font)
    return np.asarray(canvas)


def rgb_picture(image: Float[np.ndarray, "height width 3"]) -> Picture:
    """Return an image of colours in [0, 1]."""
    return enlarged((np.clip(image, 0, 1) * 255).round().astype(np.uint8))


def normal_picture(normal: Float[np.ndarray, "height width 3"]) -> Picture:
    """Return normals as (n + 1) / 2 times their length, in the scene's axes."""
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    return rgb_picture((normal + 1) / 2 * np.clip(length, 0, 1))


def error_picture(
    rgb: Float[np.ndarray, "height width 3"], photo: Float[np.ndarray, "height width 3"]
) -> Picture:
    """Return the absolute error of the colour, a mean over the channels."""
    return map_picture(np.abs(rgb - photo).mean(-1), ERROR, "mean absolute error of the colour")


def png(picture: Picture) -> bytes:
    """Return a picture as a PNG file."""
    return iio.imwrite("<bytes>", np.ascontiguousarray(picture), extension=".png")


def enlarged(picture: Picture) -> UInt8[np.ndarray, "enlarged_rows enlarged_columns 3"]:
    """Return a small picture with each pixel as a square, at most 256 pixels a side."""
    times = max(1, WIDEST // max(picture.shape[:2]))
    return picture.repeat(times, 0).repeat(times, 1)


def _wrapped(
    text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> list[str]:
    """Return the text in lines that are no wider than a picture."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
