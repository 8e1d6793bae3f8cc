"""Quality against the time it took: PSNR and Chamfer after budgets of CPU or wall seconds.

    python benchmarks/quality.py                                  # a short form: 20 CPU seconds
    python benchmarks/quality.py --budgets 30 60 120 --scenes craters plates lego --out curves.json
    python benchmarks/quality.py --budgets 300 --scenes dtu65 dtu37 fox nefertiti   # real sets
    python benchmarks/quality.py --clock steps --budgets 1200 2400 --seeds 0 1     # at equal steps
    python benchmarks/quality.py --plot curves.json               # figures from results

A budget is one whole run whose schedules fit it, the start included, data and evaluation excluded.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from runs import DATA, configure, machine, prepare, train  # first: it sets how threads wait

MODELS = {
    "nerf": ("model=nerf", "loss=nerf"),
    "neus": ("model=neus", "loss=neus_huber"),
    "neus without masks": ("model=neus", "loss=neus_huber", "dataset.masks=false"),
}
# Photographs: masks are those of files, and without them there is a background.
OF_PHOTOGRAPHS = {
    "nerf": ("model=nerf", "loss=photos", "background=contracted", "dataset.masks=false"),
    "neus": ("model=neus", "loss=neus_mask"),
    "neus without masks": (
        "model=neus",
        "loss=neus",
        "background=contracted",
        "dataset.masks=false",
    ),
}
SCORES = ("psnr", "psnr_masked", "ssim", "mask_iou", "normal_angle", "chamfer_l1",
          "point_to_surface", "mesh_normal_angle")  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """A real set: its folder, the models that it has data for, and its true mesh, if any."""

    folder: str
    models: tuple[str, ...]
    mesh: str | None = None
    photographs: bool = True


REAL = {
    "lego": Scene("lego_100", ("nerf", "neus"), photographs=False),
    "nefertiti": Scene("nefertiti_200", ("nerf", "neus"), "mesh.ply", photographs=False),
    "dtu65": Scene("dtu_scan65_s8", tuple(MODELS)),
    "dtu37": Scene("dtu_scan37_s4", tuple(MODELS)),
    "fox": Scene("fox_s4", ("nerf", "neus without masks")),
}


def overrides(scene: str, model: str) -> list[str]:
    """Overrides for a real set, or an analytic scene, by its name."""
    if scene not in REAL:
        return ["dataset=analytic", f"dataset.scene={scene}", *MODELS[model]]
    real = REAL[scene]
    folder = DATA / real.folder
    mesh = [f"dataset.mesh={folder / real.mesh}"] if real.mesh else []
    recipe = OF_PHOTOGRAPHS if real.photographs else MODELS
    return ["dataset=auto", f"dataset.path={folder}", *mesh, *recipe[model]]


def models_of(scene: str, asked: Sequence[str]) -> list[str]:
    """Return those of the models that the scene has data for."""
    return [name for name in asked if scene not in REAL or name in REAL[scene].models]


def has_true_surface(scene: str) -> bool:
    return scene not in REAL or REAL[scene].mesh is not None


def spent(budget: float, clock: str) -> list[str]:
    """Return overrides for a budget in steps, or in seconds of a clock."""
    if clock == "steps":
        return [f"trainer.max_steps={budget:.0f}"]
    return [f"trainer.clock={clock}", f"trainer.max_seconds={budget}"]


def measure(scene: str, model: str, budget: float, seed: int, clock: str) -> dict[str, Any]:
    """Train once within the budget and score the result."""
    cfg = configure(
        *overrides(scene, model),
        f"seed={seed}",
        *spent(budget, clock),
        mesh=192 if has_true_surface(scene) and model != "nerf" else None,
    )
    run, tally = prepare(cfg)
    train(run)
    row = {"scene": scene, "model": model, "budget": budget, "seed": seed, "clock": clock}
    row |= {"steps": run.trainer.step, "evaluations_per_ray": tally.per_ray}
    row |= {"threads": torch.get_num_threads(), "rays": tally.rays}
    result = run.evaluate()
    row |= {name: result.scores[name].value for name in SCORES if name in result.scores}
    row |= {name: result.scores[name].value for name in ("train_seconds", "train_cpu_seconds")}
    row["stuck"] = result.scores["stuck"].reason
    return row


def show(rows: list[dict[str, Any]], console: Console) -> None:
    table = Table(title=machine(), box=None)
    columns = ("scene", "model", "budget", "train_cpu_seconds", "train_seconds", "steps", "psnr",
               "psnr_masked", "mask_iou", "chamfer_l1", "point_to_surface", "normal_angle",
               "evaluations_per_ray")  # fmt: skip
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        values = [row.get(column) for column in columns]
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v or "") for v in values))
    console.print(table)


def plot(rows: list[dict[str, Any]], to: Path) -> None:
    """Curves of PSNR over CPU seconds, a panel per scene."""
    from matplotlib import pyplot

    scenes = list(dict.fromkeys(row["scene"] for row in rows))
    figure, panels = pyplot.subplots(
        1, len(scenes), figsize=(4 * len(scenes), 3.5), sharey=True, squeeze=False
    )
    for panel, scene in zip(panels[0], scenes, strict=True):
        for model in MODELS:
            points = sorted(
                (row["train_cpu_seconds"], row["psnr"])
                for row in rows
                if (row["scene"], row["model"]) == (scene, model)
            )
            if points:
                panel.plot(*zip(*points, strict=True), "o-", label=model)
        panel.set(title=scene, xlabel="CPU seconds", xscale="log")
        budgets = sorted({row["budget"] for row in rows})
        panel.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("PSNR on test views, dB")
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(to, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", nargs="+", default=["craters"])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--budgets", type=float, nargs="+", default=[20.0], help="seconds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=["cpu", "wall", "steps"], default="cpu")
    parser.add_argument("--out", type=Path, help="append results to this JSON file")
    parser.add_argument("--plot", type=Path, help="only draw the results in this JSON file")
    asked = parser.parse_args()
    console = Console(width=150)
    if asked.plot:
        plot(json.loads(asked.plot.read_text()), asked.plot.with_suffix(".png"))
        return
    torch.set_num_threads(asked.threads)
    rows = json.loads(asked.out.read_text()) if asked.out and asked.out.exists() else []
    for scene in asked.scenes:
        for model in models_of(scene, asked.models):
            for budget in asked.budgets:
                for seed in asked.seeds:
                    rows.append(measure(scene, model, budget, seed, asked.clock))
                    if asked.out:
                        asked.out.write_text(json.dumps(rows, indent=1) + "\n")
    show(rows, console)


if __name__ == "__main__":
    main()
