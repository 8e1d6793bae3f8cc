"""The page of a run's loss maps: one HTML file that needs no other."""

import base64
import html
from collections.abc import Mapping
from typing import Any

from nerfloss.assembly.loss_maps.drawn_maps import Drawn
from nerfloss.assembly.loss_maps.map_pictures import Picture, png

PLAIN = {
    "render": "rendered",
    "photo": "photograph",
    "error": "error",
    "normal": "normal",
}
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 1400px; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .5rem; }
p { margin: .3rem 0; max-width: 75ch; }
.grid { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); }
figure { margin: 0; } figcaption { font-weight: 600; overflow-wrap: anywhere; }
img { width: 100%; height: auto; display: block; background: #fff; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; }
"""


def map_page(
    described: Mapping[str, Any],
    drawn: Mapping[str, Drawn],
    pictures: Mapping[str, Mapping[str, Picture]],
) -> str:
    """Return the page: a table of the terms, then each view with its pictures side by side.

    ``described`` is what maps.json holds; ``pictures`` are by view and kind.
    """
    title = f"Loss maps of {described['run']}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>Step {described['step']}; {html.escape(described['split'])} views. Values of the "
        "terms before the mean, unweighted; one range of colours for all views. Grey: the term "
        "says nothing there.</p>",
        _table(described),
        *(_view(name, images, drawn) for name, images in pictures.items()),
    ]
    return (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        "<meta name=viewport content='width=device-width, initial-scale=1'>\n"
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _table(described: Mapping[str, Any]) -> str:
    views = [view["name"] for view in described["views"]]
    head = "".join(f"<th>{html.escape(text)}</th>" for text in ["term", "weight", *views, "drawn"])
    rows = [
        "".join(
            [
                f"<td>{html.escape(name)}</td><td class=number>{term['weight']:.3g}</td>",
                *(f"<td class=number>{_mean(term, view)}</td>" for view in views),
                f"<td>{html.escape(term['drawn'])}</td>",
            ]
        )
        for name, term in described["terms"].items()
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    reasons = "".join(
        f"<p>No map of <b>{html.escape(name)}</b>: {html.escape(why)}.</p>"
        for name, why in described["not_drawn"].items()
    )
    return (
        f"<div class=scroll><table><tr>{head}</tr>{body}</table></div>"
        f"<p>Under the name of a view: the term's mean over its rays, unweighted.</p>{reasons}"
    )


def _mean(term: Mapping[str, Any], view: str) -> str:
    return f"{term['mean'][view]:.3g}" if view in term["mean"] else ""


def _view(name: str, images: Mapping[str, Picture], drawn: Mapping[str, Drawn]) -> str:
    figures = []
    for kind, picture in images.items():
        title = drawn[kind].title if kind in drawn else PLAIN[kind]
        data = base64.b64encode(png(picture)).decode()
        text = html.escape(title)
        alt = html.escape(f"{title}, view {name}", quote=True)
        figures.append(
            f"<figure><figcaption>{text}</figcaption>"
            f'<img alt="{alt}" src="data:image/png;base64,{data}"></figure>'
        )
    return f"<h2>{html.escape(name)}</h2>\n<div class=grid>{''.join(figures)}</div>"
