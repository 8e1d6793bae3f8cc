"""Folders of runs that never ran, with everything that a page can show of a run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import trimesh
import yaml
from PIL import Image

from nerfloss.evaluation.image_grid import image_grid

TERMS = ("rgb", "eikonal", "mask")
VIEWS = ("test_000", "test_001")
CONVENTIONS = {
    "psnr": {"better": "higher", "units": "dB"},
    "ssim": {"better": "higher", "units": ""},
    "chamfer_l1": {"better": "lower", "units": "scene units"},
    "normal_angle": {"better": "lower", "units": "degrees"},
    "hull_chamfer_l1": {"better": "lower", "units": "scene units", "baseline": "hull"},
}


def pretend_run(
    folder: Path,
    scores: Mapping[str, float] | None,
    *overrides: str,
    seed: int = 0,
    scene: str = "sphere",
    weight: float = 0.1,
    size: int = 32,
    ablation: Mapping[str, object] | None = None,
    diagnosed: bool = True,
    pictured: bool = True,
) -> Path:
    """A run's folder; one without ``scores`` has failed after some steps."""
    draw = np.random.default_rng(seed + round(1000 * weight))
    (folder / ".hydra").mkdir(parents=True)
    terms = {name: {"weight": weight if name == "eikonal" else 1.0} for name in TERMS}
    dataset = {"_target_": "nerfloss.data.synthetic.dataset.AnalyticDataset", "scene": scene}
    config = {"seed": seed, "dataset": dataset, "loss": {"terms": terms}}
    asked = [*overrides, f"dataset.scene={scene}", f"seed={seed}"]
    choices = {"hydra": {"runtime": {"choices": {"loss": "neus_mask", "dataset": "analytic"}}}}
    for name, content in (("config", config), ("overrides", asked), ("hydra", choices)):
        (folder / ".hydra" / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    steps = range(10, 200, 10)
    _write_csv(folder / "history.csv", _history(draw, weight, steps))
    if diagnosed:
        _write_csv(folder / "diagnostics.csv", _diagnostics(draw, steps))
    provenance = {
        "command": f"python train.py seed={seed}",
        "seed": seed,
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "config_hash": f"{seed:016x}",
        "versions": {"nerfloss": "0.1.0", "torch": "2.9"},
        "device": "a processor",
        "host": {"cores": 2, "threads": 1},
        "error": None if scores is not None else "NonFiniteLoss: the term <i>rgb</i> is nan",
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    if ablation is not None:
        (folder / "ablation.json").write_text(json.dumps(ablation))
    if scores is None:
        (folder / "train.log").write_text("[ERROR] the run failed\n")
        return folder
    views = [{"view": view, "psnr": scores.get("psnr", 20.0) + i} for i, view in enumerate(VIEWS)]
    content = {**scores, "conventions": CONVENTIONS, "views": views}
    (folder / "metrics.json").write_text(json.dumps(content))
    if pictured:
        for index, view in enumerate(VIEWS):
            path = folder / "images" / f"{view}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(image_grid(photographed(size, seed, index))).save(path)
        mesh = trimesh.creation.icosphere(subdivisions=2, radius=0.5 + 0.02 * draw.random())
        mesh.apply_scale((1.0, 0.8, 0.6))
        mesh.visual.vertex_colors = np.full((len(mesh.vertices), 4), (200, 90, 40, 255), np.uint8)
        mesh.export(folder / "mesh.ply")
    return folder


def pretend_sweep(
    root: Path, weights: Sequence[float] = (0.01, 0.1), seeds: int = 3, **more
) -> Path:
    """Runs over the weight of eikonal: the first is best, each seed adds a little."""
    for at, weight in enumerate(weights):
        for seed in range(seeds):
            scores = {
                "psnr": 30 - at + 0.1 * seed + 0.01 * (seed == at),
                "ssim": 0.9 - 0.01 * at,
                "chamfer_l1": 0.01 + 0.004 * at + 0.0003 * seed,
                "normal_angle": 12.0 - at,
            }
            override = f"loss.terms.eikonal.weight={weight}"
            folder = root / f"weight={weight},seed={seed}"
            pretend_run(folder, scores, override, seed=seed, weight=weight, **more)
    return root


def pretend_ablation(root: Path, seeds: int = 3, scenes: Sequence[str] = ("sphere",)) -> Path:
    """A recipe of three terms taken apart: eikonal helps, mask does not."""
    worth = {"full": 30.0, "without_eikonal": 27.0, "without_mask": 30.0, "base": 26.0}
    worth |= {"alone_eikonal": 29.0, "alone_mask": 26.0}
    for name, value in worth.items():
        kind, _, term = name.partition("_")
        about = {"name": name, "kind": kind, "terms": [term] if term else [], "base": ["rgb"]}
        for scene in scenes:
            for seed in range(seeds):
                noise = 0.2 * ((seed * 7 + len(name)) % 3 - 1)
                scores = {"psnr": value + noise + 0.1 * seed, "chamfer_l1": 0.4 / value}
                folder = root / f"{scene},{name},seed={seed}"
                override = f"ablate={name}"
                more = {"scene": scene, "ablation": about, "pictured": False, "diagnosed": False}
                pretend_run(folder, scores, override, seed=seed, **more)
    return root


def photographed(size: int, seed: int, view: int) -> dict[str, torch.Tensor]:
    """A view's quantities as an evaluation has them: a disc on white, rendered with some error."""
    axis = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    inside = (x.square() + y.square() < 0.6).float()
    target = torch.stack([0.5 + 0.5 * x, 0.4 + 0.1 * view + 0 * x, 0.5 - 0.5 * y], -1)
    target = inside[..., None] * target + (1 - inside[..., None])
    generator = torch.Generator().manual_seed(seed)
    noise = 0.1 * torch.randn(size, size, 3, generator=generator) * inside[..., None]
    normal = torch.stack([x, y, (1 - x.square() - y.square()).clamp_min(0).sqrt()], -1)
    return {
        "rgb": (target + noise).clamp(0, 1),
        "target_rgb": target,
        "opacity": inside,
        "depth": 2 + x * y,
        "normal": normal * inside[..., None],
    }


def _history(draw: np.random.Generator, weight: float, steps: Sequence[int]) -> list[dict]:
    return [
        {
            "step": step,
            "loss/total": 1 / step,
            **{
                f"loss/{name}": (1 + i) / step + 0.01 * draw.random()
                for i, name in enumerate(TERMS)
            },
            "weight/rgb": 1.0,
            "weight/eikonal": weight * min(1, step / 100),
            "weight/mask": 0.5 + step / 200,
            "balance/mask": 1 + step / 100,
            "train/psnr": 15 + 5 * np.log10(step),
        }
        for step in steps
    ]


def _diagnostics(draw: np.random.Generator, steps: Sequence[int]) -> list[dict]:
    rows = []
    for step in steps:
        row: dict[str, object] = {"step": step}
        for i, term in enumerate(TERMS):
            row |= {f"{term}/value": 1 / step, f"{term}/weight": 1.0, f"{term}/share": 1 / 3}
            row |= {f"{term}/gradient_norm": i + draw.random(), f"{term}/gradient_share": 1 / 3}
            row[f"health/{term}"] = "dead" if term == "mask" and step > 150 else "ok"
        row |= {"conflict/rgb/eikonal": -0.6 + 0.1 * draw.random(), "conflict/rgb/mask": 0.4}
        row |= {"conflict/eikonal/mask": 0.05 * draw.standard_normal(), "gap/psnr": step / 100}
        rows.append(row)
    return rows


def _write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    lines = [",".join(rows[0]), *(",".join(str(cell) for cell in row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
