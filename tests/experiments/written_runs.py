"""Folders of runs that were never run: what a report reads, with scores that a test chooses."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CONVENTIONS = {
    "psnr": {"better": "higher", "units": "dB"},
    "chamfer_l1": {"better": "lower", "units": "scene units"},
}


def write_run(
    folder: Path,
    scores: Mapping[str, float] | None,
    *overrides: str,
    seed: int = 0,
    scene: str = "craters",
    terms: Mapping[str, Any] | None = None,
    ablation: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    views: Mapping[str, float] | None = None,
) -> Path:
    """A run's folder; ``views`` are PSNRs by view, ``terms`` the loss of its configuration."""
    config = {
        "seed": seed,
        "dataset": {"scene": scene},
        "loss": {"terms": terms or {"rgb": {"weight": 1.0}}},
    }
    asked = [*overrides, f"dataset.scene={scene}", f"seed={seed}"]
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(asked))
    rows = [{"view": name, "psnr": value} for name, value in (views or {}).items()]
    if scores is not None:
        content = {**scores, "conventions": CONVENTIONS, "views": rows}
        (folder / "metrics.json").write_text(json.dumps(content))
    for name, content in (("ablation", ablation), ("provenance", provenance)):
        if content is not None:
            (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def write_sweep(root: Path, psnr: Mapping[str, Sequence[float]], *, scene: str = "craters") -> Path:
    """Runs over the weight of eikonal: for each weight a PSNR by seed."""
    for weight, values in psnr.items():
        for seed, value in enumerate(values):
            override = f"loss.terms.eikonal.weight={weight}"
            terms = {"rgb": {"weight": 1.0}, "eikonal": {"weight": float(weight)}}
            name = f"{scene},weight={weight},seed={seed}"
            write_run(root / name, {"psnr": value}, override, seed=seed, scene=scene, terms=terms)
    return root


def rows_of(markdown: str, title: str) -> list[dict[str, str]]:
    """The rows of the table under a heading that begins so, by column."""
    _, _, below = markdown.partition(f"### {title}")
    lines: list[str] = []
    for line in below.splitlines()[1:]:
        if line.startswith("|"):
            lines.append(line)
        elif lines or line.startswith("### "):
            break
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]] if cells else []
