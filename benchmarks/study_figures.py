"""Figures of studies: what the first seed's runs show, and every seed's scores."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nerfloss.assembly.eval_adapter import views_of
from nerfloss.assembly.run import Run
from nerfloss.evaluation.colormaps import apply_colormap
from nerfloss.evaluation.image_rendering import render_view
from nerfloss.evaluation.oom_retry import ChunkSize

VIEW = 0
TARGETS = {"rgb": "target_rgb", "normal": "target_normal", "opacity": "target_mask",
           "depth": "target_depth", "features": "target_instance"}  # fmt: skip


def keep_picture(run: Run, kind: str, path: Path) -> None:
    """Render a quantity of a test view, and save it next to the observed image."""
    view, needs = list(views_of(run.scene, "test"))[VIEW], {kind, "opacity"}
    chunk = ChunkSize(run.evaluator.chunk, "eval.chunk")
    found = render_view(run.subject().render, view, needs, chunk=chunk)
    if kind == "depth":
        found[kind] = found[kind] * (found["opacity"] > 0.5)  # of nothing there is no depth
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, as_colors(kind, found[kind].cpu()))
    observed = view.as_image(view.batch.targets[TARGETS[kind]])
    np.save(path.parent / "observed.npy", as_colors(TARGETS[kind], observed))


def as_colors(kind: str, values: Tensor) -> np.ndarray:
    """A quantity's image as colours, 8 bit."""
    image = values.float().numpy()
    if kind.endswith("normal"):
        image = (image + 1) / 2 * (np.linalg.norm(image, axis=-1, keepdims=True) > 0.1)
    elif kind == "features":
        image = _main_directions(values)
    elif kind.endswith("depth"):
        return apply_colormap(image, 1.8, 3.4) * (image > 0)[..., None]
    elif kind == "target_instance":
        return apply_colormap(image, 0, image.max())
    elif image.ndim == 2:
        image = image[..., None].repeat(3, -1)
    return (255 * image.clip(0, 1)).round().astype(np.uint8)


def _main_directions(features: Tensor) -> np.ndarray:
    """The three directions in which features vary most, as red, green and blue."""
    flat = features.reshape(-1, features.shape[-1])
    flat = torch.nn.functional.normalize(flat, dim=-1)
    _, _, main = torch.pca_lowrank(flat, q=3)
    found = (flat - flat.mean(0)) @ main
    found = found / found.abs().amax(0).clamp_min(1e-6)
    return (0.5 + 0.5 * found.reshape(*features.shape[:2], 3)).numpy()


def draw(found: Mapping[str, Any], pictures: Path, to: Path) -> None:
    """Pictures in a row above a dot per seed; without pictures, the dots alone."""
    from matplotlib import pyplot

    variants = list(found["variants"])
    kept = [pictures / f"{name}.npy" for name in ("observed", *variants)]
    shown = [path for path in kept if path.exists()]
    scores = found["scores"][:3]
    columns = np.lcm(max(len(shown), 1), len(scores))
    figure = pyplot.figure(figsize=(1.75 * max(len(shown), 4), 4.2 if shown else 2.4))
    grid = figure.add_gridspec(2 if shown else 1, columns, height_ratios=[1, 1][: 1 + bool(shown)])
    for index, path in enumerate(shown):
        width = columns // len(shown)
        axes = figure.add_subplot(grid[0, index * width : (index + 1) * width])
        axes.imshow(np.load(path, allow_pickle=False), interpolation="nearest")
        axes.set_title(path.stem, fontsize=8)
        axes.axis("off")
    for index, score in enumerate(scores):
        width = columns // len(scores)
        axes = figure.add_subplot(grid[-1, index * width : (index + 1) * width])
        for place, variant in enumerate(variants):
            values = [row[score] for row in found["rows"] if row["variant"] == variant]
            values = [value for value in values if value is not None]
            axes.plot(values, [place] * len(values), "o", ms=4, alpha=0.6)
            axes.plot(np.mean(values or [np.nan]), place, "k|", ms=12)
        names = variants if index == 0 else [""] * len(variants)
        axes.set_yticks(range(len(variants)), names, fontsize=8)
        axes.set_ylim(len(variants) - 0.5, -0.5)
        axes.set_title(score, fontsize=8)
        axes.tick_params(axis="x", labelsize=7)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    to.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(to, dpi=80)
    pyplot.close(figure)
