"""Export rendered views as PNG."""

from pathlib import Path

import imageio.v3 as iio
import numpy as np

from nerfloss.assembly.eval_adapter import views_of
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.evaluation.image_grid import image_name
from nerfloss.evaluation.image_rendering import render_view
from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.files import atomic_write


def export_views(opened: OpenedRun, folder: Path, split: str) -> list[str]:
    """Write the rendered colours of the views of a split, named as these; return notes.

    Raises ValueError where the split has no views.
    """
    views = opened.scene.train if split == "train" else opened.scene.test
    if len(views) == 0:
        raise ValueError(f"--views: the scene of {opened.folder} has no {split} views; see --split")
    folder.mkdir(parents=True, exist_ok=True)
    chunk = ChunkSize(opened.run.evaluator.chunk, "eval.chunk")
    for done, view in enumerate(views_of(opened.scene, split)):
        opened.progress("views", done, len(views))
        rgb = render_view(opened.model.render_of(view), view, {"rgb"}, chunk=chunk)["rgb"]
        image = (rgb.clamp(0, 1) * 255).round().byte().cpu().numpy()
        content = iio.imwrite("<bytes>", np.ascontiguousarray(image), extension=".png")
        atomic_write(folder / f"{image_name(view.name)}.png", content)
    opened.progress("views", len(views), len(views))
    return [f"{len(views)} {split} views"]
