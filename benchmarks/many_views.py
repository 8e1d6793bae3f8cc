"""What many large photographs cost: memory and time until the first step, and time per step.

    python benchmarks/many_views.py --views 50 2000

Makes up captures in a temporary folder (30 different photographs under as many names as there are
views), and trains on each in a process of its own. ``disk`` needs as much space in TMPDIR as the
decoded images take: 50 GB for 2000 views of 3840x2160.
"""

import argparse
import json
import os
import re
import resource
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from runs import configure, machine, prepare  # first: it sets how threads wait

from nerfloss.data.synthetic.camera_layouts import cameras_at, fibonacci_sphere

DISTINCT = 30
WARM_UP = 40
COLUMNS = {
    "load": "s to load",
    "first": "s to first step",
    "draw": "ms to draw a batch",
    "step": "ms per step",
    "evaluation": "s per test view",
    "anonymous": "peak memory, MB",
    "resident": "with mapped files, MB",
}


def write_capture(folder: Path, views: int, size: tuple[int, int], masks: bool) -> None:
    """Write a scene in nerfstudio's layout; equal photographs are links to one file."""
    width, height = size
    (folder / "images").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for index in range(min(DISTINCT, views)):
        coarse = generator.integers(0, 256, (height // 24, width // 24, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        picture.save(folder / f"photograph_{index}.jpg", quality=90)
        if masks:
            rows, columns = np.mgrid[:height, :width]
            inside = np.hypot(rows - height / 2, columns - width / 2) < height / 3
            Image.fromarray(inside).save(folder / f"mask_{index}.png")
    frames = []
    flip = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenCV's axes to OpenGL's
    for view, pose in enumerate(cameras_at(3.0 * fibonacci_sphere(views), 16, 40.0).poses):
        matrix = np.vstack([pose.double().numpy(), [0, 0, 0, 1]]) @ flip
        frame = {"file_path": f"images/{view:05d}.jpg", "transform_matrix": matrix.tolist()}
        os.link(folder / f"photograph_{view % DISTINCT}.jpg", folder / frame["file_path"])
        if masks:
            frame["mask_path"] = f"images/{view:05d}_mask.png"
            os.link(folder / f"mask_{view % DISTINCT}.png", folder / frame["mask_path"])
        frames.append(frame)
    focal = 0.5 * width / np.tan(np.radians(20.0))
    lens = {"fl_x": focal, "fl_y": focal, "cx": width / 2, "cy": height / 2, "w": width}
    content = {"camera_model": "OPENCV", **lens, "h": height, "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(content))


@contextmanager
def peak_of_anonymous_memory(found: dict[str, float]):
    """Store the most anonymous memory that the process held, in MB: all but mapped files."""
    done, peak = threading.Event(), 0.0

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            status = Path("/proc/self/status").read_text()
            held = re.search(r"RssAnon:\s+(\d+)", status)
            peak = max(peak, int(held[1]) / 1024 if held else 0.0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        found["anonymous"] = peak


def measure(folder: str, overrides: list[str], steps: int) -> dict[str, float]:
    """Load, train and render one test view; return the figures of `COLUMNS`."""
    torch.set_num_threads(1)
    found: dict[str, float] = {}
    with peak_of_anonymous_memory(found):
        begin = time.perf_counter()
        run, _ = prepare(configure(f"dataset.path={folder}", *overrides, mesh=None))
        found["load"] = time.perf_counter() - begin
        trainer, batches = run.trainer, run.batches
        run.initialize()
        for step in range(WARM_UP + steps):
            if step == WARM_UP:
                start = time.perf_counter()
            trainer.train_step()
            trainer.step += 1
            if step == 0:
                found["first"] = time.perf_counter() - begin
        found["step"] = 1e3 * (time.perf_counter() - start) / steps
        start = time.perf_counter()
        for step in range(steps):
            batches.draw(1_000_000 + step, 1024)
        found["draw"] = 1e3 * (time.perf_counter() - start) / steps
        found["evaluation"] = _evaluation(run)
    found["resident"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def _evaluation(run) -> float:
    """Return the seconds that reading two test views takes, each."""
    from nerfloss.assembly.eval_adapter import view_at

    start = time.perf_counter()
    for index in range(2):
        view_at(run.scene, "test", index)
    return (time.perf_counter() - start) / 2


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--views", type=int, nargs="+", default=[50, 2000])
    parser.add_argument("--size", type=int, nargs=2, default=[3840, 2160])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--masks", action="store_true", help="every view has an object mask")
    parser.add_argument("--storage", nargs="+", default=["auto"], help="dataset.image_storage")
    parser.add_argument("overrides", nargs="*", default=["dataset=auto", "model=nerf", "loss=nerf"])
    asked = parser.parse_args()
    table = Table("views", "storage", *COLUMNS.values(), box=None)
    with tempfile.TemporaryDirectory(prefix="nerfloss-many-views-") as folder:
        for views in asked.views:
            scene = Path(folder) / str(views)
            write_capture(scene, views, tuple(asked.size), asked.masks)
            for storage in asked.storage:
                overrides = [*asked.overrides, f"dataset.image_storage={storage}"]
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                    found = alone.submit(measure, str(scene), overrides, asked.steps).result()
                values = [f"{found[name]:.4g}" for name in COLUMNS]
                table.add_row(str(views), storage, *values)
                print(views, storage, {name: round(found[name], 2) for name in COLUMNS}, flush=True)
    console = Console(width=140)
    console.print(table)
    console.print(machine())


if __name__ == "__main__":
    main()
