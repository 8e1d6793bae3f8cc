"""One HTML page of a scene that turns: points, cameras, region, rows and findings."""

import base64
import html
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from nerfloss.data.inspection.inspection import Inspection
from nerfloss.data.inspection.overview_picture import legend, thumbnail
from nerfloss.data.inspection.plot_frame import plotted_scene, view_colors
from nerfloss.data.inspection.view_pictures import ViewPicture

TEMPLATE = Path(__file__).with_name("overview_page.html")
SCRIPT = Path(__file__).with_name("overview_page.js")
# Longest side of the pictures that the page shows, and how many it holds.
THUMB, MOST = 160, 400


def write_page(inspection: Inspection, path: Path) -> None:
    """Write the page; it needs no other file and no network."""
    path.write_text(overview_page(inspection), encoding="utf-8")


def overview_page(inspection: Inspection) -> str:
    """Return the page as HTML with its script and data."""
    rows = "".join(
        f"<tr><th>{html.escape(row.name)}</th><td>{html.escape(row.value)}</td></tr>"
        for row in inspection.rows
    )
    found = "".join(f"<li>{html.escape(finding.text)}</li>" for finding in inspection.findings)
    parts = {
        "NAME": html.escape(inspection.name),
        "ROWS": rows,
        "FINDINGS": found or "<li>nothing suspicious</li>",
        "LEGEND": html.escape(legend(inspection)),
        "COMMAND": html.escape(inspection.command),
        # "</script" would end the script element, "<!--<script" would keep it open.
        "DATA": json.dumps(_data(inspection)).replace("<", "\\u003c"),
        "SCRIPT": SCRIPT.read_text(encoding="utf-8"),
    }
    page = TEMPLATE.read_text(encoding="utf-8").split("@@")
    # Odd pieces are names: what is filled in is never searched for names again.
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(page))


def _data(inspection: Inspection) -> dict[str, Any]:
    scene = plotted_scene(inspection)
    frames = inspection.parsed.frames
    colors = view_colors(inspection)
    pictures = {picture.view: picture for picture in inspection.pictures[:MOST]}
    return {
        "radius": scene.radius / scene.extent,
        "scene_radius": scene.scene_radius / scene.extent,
        "center": _rounded(scene.center / scene.extent),
        "points": _rounded(scene.points / scene.extent),
        "colors": (np.nan_to_num(scene.colors).clip(0, 1) * 255).round().astype(int).tolist(),
        "hull": _rounded(scene.hull / scene.extent),
        "cameras": [
            {
                "name": frames[view].name,
                "color": colors[view],
                "corners": _rounded(scene.frusta[view] / scene.extent),
                "picture": _jpeg(pictures[view]) if view in pictures else "",
            }
            for view in range(len(frames))
        ],
    }


def _rounded(positions: np.ndarray) -> list[Any]:
    return np.round(positions, 5).tolist()


def _jpeg(picture: ViewPicture) -> str:
    stream = io.BytesIO()
    thumbnail(picture, THUMB).save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
