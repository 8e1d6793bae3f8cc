"""Strings of runs that anyone wrote: none becomes markup or script, and none leads a file away."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from written_runs import write_run

from nerfloss.experiments.report.page.page import write_report

SCRIPT = "</script><script>alert(1)</script><!--<script>"
EVIL = f"$\\frac$ a_\"' onload='x' <img src=x onerror=alert(1)>{SCRIPT}../../../evil"
OWN_SCRIPTS = 4  # two of data, the viewer, the page's own


class Markup(HTMLParser):
    """The elements of a page, its attributes and the content of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data


def hostile_run(folder: Path, name: str, seed: int) -> Path:
    terms = {EVIL: {"weight": 1.0}, "rgb": {"weight": seed + 1.0}}
    run = write_run(
        folder / name,
        {"psnr": 20.0 + seed, EVIL: 1.0 + seed},
        f"loss.terms.rgb.weight={seed + 1.0}",
        seed=seed % 2,
        scene=EVIL,
        terms=terms,
        ablation={"name": EVIL, "acting": [EVIL]},
        provenance={
            "status": "failed" if seed == 3 else "finished",
            "error": EVIL,
            "command": EVIL,
        },
        views={EVIL.replace("/", "__"): 20.0, "v0": 20.0},
    )
    (run / ".hydra" / "overrides.yaml").write_text(
        yaml.safe_dump([f"dataset.scene={EVIL}", f"evil.key='{EVIL}{seed // 2}'", f"seed={seed}"])
    )
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["conventions"][EVIL] = {"better": "lower", "units": EVIL}
    metrics["reasons"] = {"lpips": EVIL}
    (run / "metrics.json").write_text(json.dumps(metrics))
    columns = ["step", "loss/total", f"loss/{EVIL}", f"weight/{EVIL}", "psnr"]
    rows = [",".join('"' + c.replace('"', '""') + '"' for c in columns)]
    rows += [f"{step},{1 / step},{1 / step},1.0,{step}" for step in range(1, 30)]
    (run / "history.csv").write_text("\n".join(rows) + "\n")
    (run / "diagnostics.csv").write_text("\n".join(rows) + "\n")
    (run / "images").mkdir()
    for view in (EVIL.replace("/", "__").replace("\\", "__"), "v0"):
        picture = np.zeros((40, 200, 3), np.uint8)
        Image.fromarray(picture).save(run / "images" / f"{view[:200]}.png")
    return run


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("outer")
    folder = root / "a" / "b" / "<b>runs<script>"
    for seed in range(4):
        hostile_run(folder, f"run <i>{seed}", seed)
    path = write_report(folder)
    return root, path.read_text()


def test_no_string_becomes_an_element_or_an_attribute(page: tuple[Path, str]) -> None:
    found = Markup()
    found.feed(page[1])
    assert [value for name, value in found.attributes if name.startswith("on")] == []
    assert ("src", "x") not in found.attributes
    assert len(found.scripts) <= OWN_SCRIPTS
    assert not any(text.strip() == "alert(1)" for text in found.scripts)


def test_the_page_shows_the_strings_as_they_are(page: tuple[Path, str]) -> None:
    assert "&lt;img src=x onerror=alert(1)&gt;" in page[1]


def test_data_of_the_page_is_json_in_one_script(page: tuple[Path, str]) -> None:
    found = Markup()
    found.feed(page[1])
    data = [text for text in found.scripts if text.lstrip().startswith("{")]
    for text in data:
        assert isinstance(json.loads(text), dict)
        assert "<" not in text


def test_every_file_lies_in_the_folder_of_the_report(page: tuple[Path, str]) -> None:
    root, _ = page
    assert [path.name for path in root.iterdir()] == ["a"]
    assert [path.name for path in (root / "a").iterdir()] == ["b"]
    assert [path.name for path in (root / "a" / "b").iterdir()] == ["<b>runs<script>"]
    written = {path.name for path in (root / "a" / "b" / "<b>runs<script>").iterdir()}
    assert {"report.html", "figures"} <= written
