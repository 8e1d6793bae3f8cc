"""What does a loss term buy? The same run with it and without it, over seeds, at equal steps.

    python benchmarks/study.py study_mask study_depth              # three seeds each
    python benchmarks/study.py study_mask --seeds 0 1 2 3 4        # only what is missing is run
    python benchmarks/study.py study_mask --show                   # the table and the figure again

The key ``study`` of an experiment has ``variants`` (the active terms of each; the other studied
terms get weight 0), ``scores`` (the main one first) and an optional ``picture``. A variant is
compared with the variant that has most of its terms and no others. Results are written to
docs/studies/<name>.json, a figure to docs/images/studies/, and the table to docs/studies.md,
between ``<!-- <name> -->`` and ``<!-- end -->``.

Tests are those of ``nerfloss report``: paired by seed, corrected for the number of variants that
are compared with the same one (docs/comparing.md).
"""

import argparse
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import measures
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from runs import ROOT, configure, machine, prepare, train  # first: it sets how threads wait
from study_figures import draw, keep_picture

from nerfloss.assembly.eval_adapter import views_of
from nerfloss.assembly.run import Run
from nerfloss.evaluation.inputs import GroundTruth
from nerfloss.evaluation.metrics import depth as depth_metrics
from nerfloss.evaluation.metrics import image as image_metrics
from nerfloss.evaluation.metrics import normal as normal_metrics
from nerfloss.evaluation.metrics.metadata import metadata_of
from nerfloss.evaluation.metrics.stlpips import ShiftTolerantLpips
from nerfloss.evaluation.model_mesh import mesh_of_model
from nerfloss.experiments.statistics.paired import Paired, paired
from nerfloss.experiments.statistics.significance import significances
from nerfloss.experiments.statistics.summary import format_interval, summary

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
    "instance_accuracy": measures.instance_accuracy,
    "label_accuracy": measures.label_accuracy,
}
LOWER_OF_OURS = {"stray", "sharpness_error"}
Row = dict[str, Any]


def lower_is_better(score: str) -> bool:
    if score in GEOMETRY or score in LOWER_OF_OURS:
        return True
    return metadata_of(METRICS[score]).better == "lower"


def composed(name: str, *overrides: str) -> DictConfig:
    """An experiment's configuration, its scores among the metrics."""
    cfg = configure(f"experiment={name}", *overrides, mesh=96)
    cfg.eval.points, cfg.eval.exact_points = 30_000, 2_000
    return cfg


def with_variant(cfg: DictConfig, variant: str, seed: int) -> DictConfig:
    """The run of a variant: terms that are studied and not in it weigh nothing."""
    cfg = cfg.copy()
    studied = {term for terms in cfg.study.variants.values() for term in terms}
    for term in studied - set(cfg.study.variants[variant]):
        cfg.loss.terms[term].weight = 0.0
    cfg.seed = seed
    return cfg


def scored(run: Run, wanted: Sequence[str]) -> dict[str, float | None]:
    """A variant's scores on test views and of its surface; None where one is undefined."""
    metrics = {name: METRICS[name] for name in wanted if name in METRICS}
    evaluator, subject = replace(run.evaluator, metrics=metrics), run.subject()
    scored_views = evaluator.score_views(subject, views_of(run.scene, "test"), None)
    found, _ = evaluator.mean_scores(scored_views, GroundTruth())
    if any(name in GEOMETRY for name in wanted):
        extracted, reason = mesh_of_model(subject, evaluator.mesh)
        mesh = None if extracted is None else extracted.mesh
        found |= evaluator.score_geometry(mesh, reason, GroundTruth(lambda: run.scene.mesh))
    return {name: found[name].value for name in wanted}


def measure(cfg: DictConfig, variant: str, seed: int, pictures: Path | None) -> Row:
    """Train a variant once and score it; the first seed is pictured."""
    run, _ = prepare(with_variant(cfg, variant, seed))
    train(run)
    if pictures is not None:
        keep_picture(run, cfg.study.get("picture", "rgb"), pictures / f"{variant}.npy")
    row = {
        "variant": variant,
        "seed": seed,
        "steps": run.trainer.step,
        **scored(run, cfg.study.scores),
    }
    shutil.rmtree(run.folder, ignore_errors=True)
    return row


def settings_of(cfg: DictConfig) -> str:
    """A fingerprint of what is run: rows of other settings are not to be mixed with these."""
    kept = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(kept, dict)
    kept = {**kept, "eval": None, "study": kept["study"]["variants"]}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def compared_with(variant: str, variants: Mapping[str, list[str]]) -> str | None:
    """The variant with most of this one's terms and no others; None for the first."""
    fewer = [name for name in variants if set(variants[name]) < set(variants[variant])]
    return max(fewer, key=lambda name: len(variants[name]), default=None)


def table(found: Mapping[str, Any]) -> str:
    """Markdown: a row per variant and score, mean and standard deviation, and the difference."""
    variants, seeds = found["variants"], sorted({row["seed"] for row in found["rows"]})
    lines = ["| score | variant | mean ± deviation | against | difference (95 %) | |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for score in found["scores"]:
        values = {variant: values_of(found, variant, score) for variant in variants}
        said = f"{score} {'↓' if lower_is_better(score) else '↑'}"
        gaps = against(values, variants, "lower" if lower_is_better(score) else "higher")
        for variant, mine in values.items():
            what = mean_of(list(mine.values()))
            lines.append(f"| {said} | {variant} | {what} | {' | '.join(gaps[variant])} |")
    steps = {row["steps"] for row in found["rows"]}
    lines.append(f"\n{len(seeds)} seeds, {'/'.join(map(str, sorted(steps)))} steps each.")
    return "\n".join(lines) + "\n"


def against(
    values: Mapping[str, Mapping[int, float]], variants: Mapping[str, list[str]], better: str
) -> dict[str, tuple[str, str, str]]:
    """Return for each variant its reference, the difference with interval, and significance."""
    found = dict.fromkeys(values, ("", "", ""))
    bases = {variant: compared_with(variant, variants) for variant in variants}
    for base in {base for base in bases.values() if base is not None}:
        family = [variant for variant, own in bases.items() if own == base]
        pairs = {variant: paired(values[base], values[variant]) for variant in family}
        said = significances(pairs, better)
        found |= {
            variant: (base, difference_of(pairs[variant]), said[variant].label)
            for variant in family
        }
    return found


def difference_of(pair: Paired) -> str:
    if pair.mean is None or pair.interval is None:
        return "-"
    return f"{pair.mean:+.3g} ({' to '.join(format_interval(pair.interval))})"


def mean_of(values: Sequence[float]) -> str:
    if not values:
        return "-"
    found = summary(values)
    return f"{found.mean:.4g} ± {found.std or 0:.2g}"


def values_of(found: Mapping[str, Any], variant: str, score: str) -> dict[int, float]:
    rows = [row for row in found["rows"] if row["variant"] == variant and row[score] is not None]
    return {row["seed"]: row[score] for row in rows}


def study(name: str, seeds: list[int], overrides: list[str], out: Path) -> dict[str, Any]:
    """Run what is missing of an experiment, and write after every run."""
    cfg = composed(name, *overrides)
    path = out / f"{name}.json"
    found = json.loads(path.read_text()) if path.exists() else {"rows": []}
    if found.get("settings") != settings_of(cfg):
        found = {"settings": settings_of(cfg), "rows": []}
    found |= {
        "variants": OmegaConf.to_container(cfg.study.variants),
        "scores": list(cfg.study.scores),
    }
    pictures = ROOT / "outputs" / "studies" / name
    for seed in seeds:
        for variant in cfg.study.variants:
            if any((row["variant"], row["seed"]) == (variant, seed) for row in found["rows"]):
                continue
            row = measure(cfg, variant, seed, pictures if seed == seeds[0] else None)
            found["rows"].append(row)
            found["machine"] = machine()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found, indent=1) + "\n")
            print(name, row, flush=True)
    return found


def insert(text: str, name: str, page: Path) -> None:
    """Put a table between its marks on a page; nothing where the page has none."""
    old = page.read_text() if page.exists() else ""
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    page.write_text(marked.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", old))


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
        kept = asked.out / f"{name}.json"
        found = (
            json.loads(kept.read_text())
            if asked.show
            else study(name, asked.seeds, asked.set, asked.out)
        )
        text = table(found)
        insert(text, name, asked.out.with_suffix(".md"))
        Console(width=130).print(f"[bold]{name}[/]\n{text}", highlight=False)
        figure = asked.out.parent / "images" / "studies" / f"{name}.png"
        draw(found, ROOT / "outputs" / "studies" / name, figure)


if __name__ == "__main__":
    main()
