"""One picture of a scene: cameras from above and from two sides, and a contact sheet of views."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nerfloss.data.inspection.inspection import Inspection
from nerfloss.data.inspection.plot_frame import PlottedScene, plotted_scene, view_colors
from nerfloss.data.inspection.view_pictures import ViewPicture
from nerfloss.data.posed_cameras import spread

PLOT, GAP, THUMB, MOST = 520, 16, 148, 60
CAPTION = 18
WIDTH = 3 * PLOT + 4 * GAP
# The axes of the plotted scene that run right and up in each plot.
PLOTS = {"top": (0, 1), "front": (0, 2), "side": (1, 2)}
GREY, INK, BALL, SCENE, HULL = "#d8dade", "#22262b", "#7a3fc4", "#cdb8ea", "#e39bd0"
# Lines are drawn larger and reduced.
SMOOTH = 2


def write_picture(inspection: Inspection, path: Path) -> None:
    """Write the overview as a PNG."""
    overview_picture(inspection).save(path, optimize=True)


def overview_picture(inspection: Inspection) -> Image.Image:
    """Return the overview: three plots above, pictures with their names below."""
    scene, colors = plotted_scene(inspection), view_colors(inspection)
    sheet = contact_sheet(inspection, colors)
    top = GAP + CAPTION + 8
    image = Image.new("RGB", (WIDTH, top + PLOT + 2 * GAP + sheet.height), "white")
    draw = ImageDraw.Draw(image)
    draw.text((GAP, GAP // 2), _title(inspection), INK, font=_font(16))
    for index, name in enumerate(PLOTS):
        image.paste(plot(scene, colors, name), (GAP + index * (PLOT + GAP), top))
    image.paste(sheet, (GAP, top + PLOT + GAP))
    return image


def _title(inspection: Inspection) -> str:
    found = len(inspection.findings)
    words = f"{found} suspicious" if found else "nothing suspicious"
    return f"{inspection.name}: {len(inspection.posed)} views, {words}   ({legend(inspection)})"


def legend(inspection: Inspection) -> str:
    """Return the meaning of the colours that are drawn."""
    meanings = ["orange to green: training views in order", "blue: test views"]
    meanings += ["red: suspicious views"] if inspection.suspicious_views else []
    meanings += ["violet: region"]
    if inspection.scene.radius != inspection.region.radius:
        meanings += ["light violet: 1 in scene units"]
    meanings += ["pink: visual hull"] if inspection.hull is not None else []
    return ", ".join(meanings)


def plot(scene: PlottedScene, colors: list[str], name: str) -> Image.Image:
    """Return the cameras, points, hull and region from one direction."""
    size, (right, up) = PLOT * SMOOTH, PLOTS[name]

    def at(positions: np.ndarray) -> list[tuple[float, float]]:
        across = (positions[..., [right, up]] / scene.extent + 1) / 2
        pixels = np.stack([across[..., 0], 1 - across[..., 1]], -1).clip(-9, 10) * size
        return [(float(x), float(y)) for x, y in pixels]

    image = Image.new("RGB", (size, size), "#fbfbfc")
    draw = ImageDraw.Draw(image)
    _dots(draw, at(scene.points), _hex(scene.colors), 2)
    _dots(draw, at(scene.hull), [HULL] * len(scene.hull), 2)
    x, y = at(scene.center[None])[0]
    for length, color in ((scene.scene_radius, SCENE), (scene.radius, BALL)):
        radius = size / 2 * length / scene.extent
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=color, width=3)
    for corners, color in zip(scene.frusta, colors, strict=True):
        apex, *far = at(corners)
        for corner in far:
            draw.line([apex, corner], color, 2)
        draw.line([*far, far[0]], color, 3)
    draw.rectangle((0, 0, size - 1, size - 1), outline=GREY, width=2)
    label = f"{name}: {'xyz'[right]} right, {'xyz'[up]} up"
    draw.text((12, 10), label, INK, font=_font(26))
    return image.resize((PLOT, PLOT), Image.Resampling.LANCZOS)


def _dots(
    draw: ImageDraw.ImageDraw, pixels: list[tuple[float, float]], colors: list[str], size: int
) -> None:
    for (x, y), color in zip(pixels, colors, strict=True):
        draw.rectangle((x - size / 2, y - size / 2, x + size / 2, y + size / 2), fill=color)


def _hex(colors: np.ndarray) -> list[str]:
    values = (np.nan_to_num(colors).clip(0, 1) * 255).round().astype(int)
    return ["#{:02x}{:02x}{:02x}".format(*color) for color in values]


def contact_sheet(inspection: Inspection, colors: list[str]) -> Image.Image:
    """Return small pictures with their names, of many some; background of masks is dimmed."""
    chosen = [inspection.pictures[i] for i in spread(len(inspection.pictures), MOST)]
    missing = set(inspection.suspicious_views) - {picture.view for picture in chosen}
    chosen += [picture for picture in inspection.pictures if picture.view in missing][:MOST]
    small = [thumbnail(picture, THUMB) for picture in chosen]
    width = max([THUMB // 2, *(image.width for image in small)]) + 10
    height = max([0, *(image.height for image in small)]) + CAPTION + 10
    columns = (WIDTH - 2 * GAP + 6) // width  # no gap after the last
    rows = -(-len(chosen) // columns)
    sheet = Image.new("RGB", (WIDTH - 2 * GAP, max(1, rows * height)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (picture, image) in enumerate(zip(chosen, small, strict=True)):
        x, y = index % columns * width, index // columns * height
        draw.rectangle((x, y, x + image.width + 3, y + image.height + 3), colors[picture.view])
        sheet.paste(image, (x + 2, y + 2))
        name, letters = inspection.parsed.frames[picture.view].name, width // 7
        name = name if len(name) <= letters else "..." + name[3 - letters :]
        draw.text((x + 2, y + image.height + 5), name, INK, font=_font(12))
    return sheet


def thumbnail(picture: ViewPicture, longest: int) -> Image.Image:
    """Return the picture fitted into a square, dimmed where it is background or ignored."""
    shown = picture.rgb.astype(np.float32)
    kept = np.ones(shown.shape[:2], dtype=bool) if picture.counts is None else picture.counts
    if picture.mask is not None:
        kept = kept & (picture.mask > 127)
    if not kept.all():
        shown = np.where(kept[..., None], shown, 0.35 * shown + 0.65 * np.array([226, 222, 238]))
    image = Image.fromarray(shown.astype(np.uint8))
    ratio = longest / max(image.size)
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    return image.resize(size, Image.Resampling.BILINEAR)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
