"""Does a run with the default settings ever get stuck? Seeds x scenes x recipes, one line each.

    python benchmarks/collapse.py --seeds 10 --steps 600 --jobs 2 --out collapse.json

A run counts as stuck where the watchdog says so at its end, or where its test views are hardly
better than the best constant colour would be.
"""

import argparse
import itertools
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from runs import configure, machine, prepare, train  # first: it sets how threads wait

SCENES = ("craters", "rings", "blobs")
RECIPES = ("neus_eikonal", "neus_mask", "volsdf")
# Decibels above a constant colour from which on a run has learned something.
LEARNED = 3.0


def measure(seed: int, scene: str, recipe: str, steps: int) -> dict[str, Any]:
    """Train once and return whether the run got stuck."""
    torch.set_num_threads(1)
    model = "volsdf" if recipe == "volsdf" else "neus"
    cfg = configure(
        f"dataset.scene={scene}",
        f"model={model}",
        f"loss={recipe}",
        f"seed={seed}",
        f"trainer.max_steps={steps}",
        mesh=96,
    )
    run, _ = prepare(cfg)
    train(run)
    scores = run.evaluate().scores
    psnr, chamfer = scores["psnr"].value, scores["chamfer_l1"].value
    constant = constant_psnr(run.scene)
    stuck = bool(scores["stuck"].value) or psnr is None or psnr < constant + LEARNED
    return {
        "scene": scene, "recipe": recipe, "seed": seed, "psnr": psnr, "chamfer_l1": chamfer,
        "constant": constant, "stuck": stuck, "said": scores["stuck"].reason,
    }  # fmt: skip


def constant_psnr(scene: Any) -> float:
    """PSNR of the best single colour on the test views, seen before their background."""
    views = scene.test
    rgb = views.rgb.float() / 255
    if views.mask is not None:
        alpha = views.mask.float()[..., None] / 255
        rgb = alpha * rgb + (1 - alpha)
    error = (rgb - rgb.mean((0, 1, 2))).square().mean()
    return float(-10 * torch.log10(error))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--scenes", nargs="+", default=list(SCENES))
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    console, rows = Console(width=120), []
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(measure, seed, scene, recipe, asked.steps)
            for scene, recipe, seed in itertools.product(
                asked.scenes, asked.recipes, range(asked.seeds)
            )
        ]
        for job in as_completed(jobs):
            row = job.result()
            rows.append(row)
            stuck = f", STUCK: {row['said']}" if row["stuck"] else ""
            console.print(
                f"{row['scene']:8} {row['recipe']:13} seed {row['seed']:2}: {row['psnr']:.2f} dB, "
                f"Chamfer {row['chamfer_l1']}{stuck}"
            )
            if asked.out:
                asked.out.write_text(json.dumps(rows, indent=1) + "\n")
    summary(rows, console)


def summary(rows: list[dict[str, Any]], console: Console) -> None:
    console.print(machine())
    for scene, recipe in dict.fromkeys((row["scene"], row["recipe"]) for row in rows):
        own = [row for row in rows if (row["scene"], row["recipe"]) == (scene, recipe)]
        scores = torch.tensor([row["psnr"] for row in own])
        stuck = sum(row["stuck"] for row in own)
        console.print(
            f"{scene:8} {recipe:13} {len(own)} runs, {stuck} stuck; PSNR {scores.mean():.2f} "
            f"(from {scores.min():.2f} to {scores.max():.2f})"
        )


if __name__ == "__main__":
    main()
