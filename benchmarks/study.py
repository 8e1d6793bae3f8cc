"""What does a loss term buy? The same run with it and without it, over seeds, at equal steps.

    python benchmarks/study.py study_mask study_depth              # three seeds each
    python benchmarks/study.py study_mask --seeds 0 1 2 3 4        # only what is missing is run
    python benchmarks/study.py study_mask --show                   # the table and the figure again

An experiment says what is asked of it under ``study``: ``arms``, each the terms of the recipe that
act in it (the others of all arms get weight 0, the first arm is what is compared with), and
``scores``, the one in question first. Results go to docs/studies/<name>.json and .md, a figure to
docs/images/studies/. A difference counts as better or worse where the 95 % interval of the paired
differences (Student's t) leaves out 0; where it is smaller than the spread of the seeds it is
inside the noise; between the two, more seeds would have to say.
"""

import argparse
import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import measures
import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from runs import ROOT, configure, machine, prepare, train  # first: it sets how threads wait
from scipy.stats import t as student
from study_figures import draw, keep_picture

from nerfloss.evaluation import depth_metrics, image_metrics, normal_metrics
from nerfloss.evaluation.evaluator import Truth
from nerfloss.evaluation.measures import measure_of
from nerfloss.evaluation.stlpips import ShiftTolerantLpips
from nerfloss.run import Run
from nerfloss.subject import views_of

GEOMETRY = ("chamfer_l1", "point_to_surface")
METRICS: Mapping[str, Callable] = {
    "psnr": image_metrics.psnr,
    "ssim": image_metrics.ssim,
    "mask_iou": image_metrics.mask_iou,
    "depth_abs_rel": depth_metrics.depth_abs_rel,
    "depth_rmse": depth_metrics.depth_rmse,
    "normal_angle": normal_metrics.normal_angle,
    "stlpips": ShiftTolerantLpips(),
    "stray": measures.stray,
    "sharpness": measures.sharpness,
    "sharpness_error": measures.sharpness_error,
    "separation": measures.separation,
    "told_apart": measures.told_apart,
    "label_accuracy": measures.label_accuracy,
}
LOWER_OF_OURS = {"stray", "sharpness_error"}
Row = dict[str, Any]


def lower_is_better(score: str) -> bool:
    if score in GEOMETRY or score in LOWER_OF_OURS:
        return True
    return measure_of(METRICS[score]).better == "lower"


def composed(name: str, *overrides: str) -> DictConfig:
    """An experiment's configuration, its scores among the metrics."""
    cfg = configure(f"experiment={name}", *overrides, mesh=96)
    cfg.eval.points, cfg.eval.exact_points = 30_000, 2_000
    return cfg


def with_arm(cfg: DictConfig, arm: str, seed: int) -> DictConfig:
    """The run of an arm: terms that are studied and not in it weigh nothing."""
    cfg = cfg.copy()
    studied = {term for terms in cfg.study.arms.values() for term in terms}
    for term in studied - set(cfg.study.arms[arm]):
        cfg.loss.terms[term].weight = 0.0
    cfg.seed = seed
    return cfg


@functools.lru_cache(1)
def true_mesh(settings: str, load: Callable[[], Any]) -> Any:  # noqa: ARG001 (the key)
    """The mesh of a scene, made once for runs with the same dataset settings."""
    return load()


def scored(run: Run, cfg: DictConfig) -> dict[str, float | None]:
    """An arm's scores on test views and of its surface; None where one is undefined."""
    wanted = list(cfg.study.scores)
    metrics = {name: METRICS[name] for name in wanted if name in METRICS}
    evaluator, subject = replace(run.evaluator, metrics=metrics), run.subject()
    found, _ = evaluator.score_views(subject, views_of(run.scene, "test"), Truth(), None)
    if any(name in GEOMETRY for name in wanted):
        truth = true_mesh(OmegaConf.to_yaml(cfg.dataset), lambda: run.scene.mesh)
        mesh, reason = evaluator.extract(subject)
        found |= evaluator.score_geometry(mesh, reason, Truth(truth))
    return {name: found[name].value for name in wanted}


def measure(cfg: DictConfig, arm: str, seed: int, pictures: Path | None) -> Row:
    """Train an arm once and score it; the first seed is pictured."""
    run, _ = prepare(with_arm(cfg, arm, seed))
    train(run)
    if pictures is not None:
        keep_picture(run, cfg.study.get("picture", "rgb"), pictures / f"{arm}.npy")
    row = {"arm": arm, "seed": seed, "steps": run.trainer.step, **scored(run, cfg)}
    shutil.rmtree(run.folder, ignore_errors=True)
    return row


def settings_of(cfg: DictConfig) -> str:
    """A fingerprint of what is run: rows of other settings are not to be mixed with these."""
    kept = {key: OmegaConf.to_container(cfg[key], resolve=False) for key in cfg if key != "eval"}
    kept["study"] = {"arms": kept["study"]["arms"]}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def verdict(name: str, arm: np.ndarray, base: np.ndarray) -> tuple[str, str]:
    """Mean paired difference with its 95 % interval, and what it amounts to."""
    gap = arm - base
    count = len(gap)
    if count < 2 or np.isnan(gap).any():
        return "-", "too few runs"
    reach = student.ppf(0.975, count - 1) * gap.std(ddof=1) / np.sqrt(count)
    spread = np.sqrt((arm.var(ddof=1) + base.var(ddof=1)) / 2)
    if abs(gap.mean()) > reach:
        word = "better" if (gap.mean() < 0) == lower_is_better(name) else "worse"
    else:
        word = "inside the noise" if abs(gap.mean()) <= spread else "unsettled"
    return f"{gap.mean():+.3g} ± {reach:.2g}", word


def table(found: Mapping[str, Any]) -> str:
    """Markdown: a row per arm and score, mean and standard deviation, and the difference."""
    arms, lines = list(found["arms"]), []
    seeds = sorted({row["seed"] for row in found["rows"]})
    lines += ["| score | arm | mean ± deviation | difference to "
              f"'{arms[0]}' (95 %) | |", "|---|---|---|---|---|"]  # fmt: skip
    for score in found["scores"]:
        values = {arm: values_of(found, arm, score, seeds) for arm in arms}
        said = f"{score} {'↓' if lower_is_better(score) else '↑'}"
        for arm in arms:
            mine = values[arm]
            what = f"{mine.mean():.4g} ± {mine.std(ddof=1) if len(mine) > 1 else 0:.2g}"
            gap, word = ("", "") if arm == arms[0] else verdict(score, mine, values[arms[0]])
            lines.append(f"| {said} | {arm} | {what} | {gap} | {word} |")
    steps = {row["steps"] for row in found["rows"]}
    lines.append(f"\n{len(seeds)} seeds, {'/'.join(map(str, sorted(steps)))} steps each.")
    return "\n".join(lines) + "\n"


def values_of(found: Mapping[str, Any], arm: str, score: str, seeds: list[int]) -> np.ndarray:
    of = {row["seed"]: row[score] for row in found["rows"] if row["arm"] == arm}
    return np.array([np.nan if of.get(s) is None else of[s] for s in seeds], dtype=float)


def study(name: str, seeds: list[int], overrides: list[str], out: Path) -> dict[str, Any]:
    """Run what is missing of an experiment, and write after every run."""
    cfg = composed(name, *overrides)
    path = out / f"{name}.json"
    found = json.loads(path.read_text()) if path.exists() else {"rows": []}
    if found.get("settings") != settings_of(cfg):
        found = {"settings": settings_of(cfg), "rows": []}
    found |= {"arms": OmegaConf.to_container(cfg.study.arms), "scores": list(cfg.study.scores)}
    pictures = ROOT / "outputs" / "studies" / name
    for seed in seeds:
        for arm in cfg.study.arms:
            if any((row["arm"], row["seed"]) == (arm, seed) for row in found["rows"]):
                continue
            row = measure(cfg, arm, seed, pictures if seed == seeds[0] else None)
            found["rows"].append(row)
            found["machine"] = machine()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found, indent=1) + "\n")
            print(name, row, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", help="experiments with a key `study`")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], help="overrides, e.g. a file of weights")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "studies")
    parser.add_argument("--show", action="store_true", help="run nothing")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    for name in asked.names:
        found = study(name, [] if asked.show else asked.seeds, asked.set, asked.out)
        text = table(found)
        (asked.out / f"{name}.md").write_text(text)
        Console(width=130).print(f"[bold]{name}[/]\n{text}", highlight=False)
        draw(found, ROOT / "outputs" / "studies" / name,
             ROOT / "docs" / "images" / "studies" / f"{name}.png")  # fmt: skip


if __name__ == "__main__":
    main()
