"""How long does it take to look at thousands of runs, and how much memory?

    python benchmarks/many_runs.py                     # 5000 runs, made and looked at
    python benchmarks/many_runs.py --runs 500 --keep /tmp/runs

Makes folders of runs that never ran, each with the files of a real one in their real sizes: a
weight by a learning rate by a scene by ten seeds, one in fifty failed. Then a process of its own
for each look: the first, the second, one after a single run has changed,
`nerfloss compare`, the page. Printed are the seconds beyond the imports, and the most memory that
the process held, torch included. The first look
reads what was written a moment ago, so the disk is not in it.
"""

import argparse
import json
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

SCENES = ("craters", "rings", "blobs")
SEEDS = 10
NUMBERS = (
    *("psnr", "psnr_masked", "ssim", "mask_iou", "depth_rmse", "normal_angle"),
    *("chamfer_l1", "fscore", "train_seconds"),
)
MORE = tuple(f"{kind}_{number}" for kind in ("hull", "mesh", "view") for number in range(15))
LOWER = ("depth_rmse", "normal_angle", "chamfer_l1", "train_seconds")
LOOKS = {
    "first look": ("report",),
    "second look": ("report",),
    "after one run changed": ("report",),
    "compare": ("compare",),
    "the page": ("page",),
}


def make(root: Path, count: int) -> None:
    """Write ``count`` run folders below ``root``."""
    config, hydra = composed()
    draw = random.Random(0)
    (root / "multirun.yaml").write_text("hydra: {}\n")
    for number, (weight, rate, scene, seed) in zip(range(count), settings(count), strict=False):
        asked = {
            "loss.terms.eikonal.weight": weight,
            "trainer.optimizer.learning_rate": rate,
            "dataset.scene": scene,
            "seed": seed,
        }
        name = ",".join(f"{key}={value}" for key, value in asked.items())
        folder = root / name
        for inside in (".hydra", "checkpoints", "images", "tensorboard"):
            (folder / inside).mkdir(parents=True)
        words = [f"{key}={value}" for key, value in asked.items()]
        own = config.replace("seed: 0\n", f"seed: {seed}\n", 1)
        own = re.sub(r"scene: craters\n", f"scene: {scene}\n", own, count=1)
        own = re.sub(r"(eikonal:\n(?:.*\n)*?      weight: ).*", rf"\g<1>{weight}", own, count=1)
        own = re.sub(r"(learning_rate: ).*", rf"\g<1>{rate}", own, count=1)
        (folder / ".hydra" / "config.yaml").write_text(own)
        (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {w}\n" for w in words))
        (folder / ".hydra" / "hydra.yaml").write_text(hydra.replace("OVERRIDES", " ".join(words)))
        (folder / "provenance.json").write_text(json.dumps(provenance(words, seed), indent=2))
        rows = [f"{step},{draw.random()},{draw.random()}" for step in range(0, 2400, 40)]
        (folder / "history.csv").write_text("\n".join(["step,loss/total,train/psnr", *rows]))
        if number % 50 == 7:
            (folder / "train.log").write_text("[ERROR] the run failed\n" * 20)
            continue
        (folder / "metrics.json").write_text(json.dumps(metrics(draw, weight, rate), indent=2))


def settings(count: int) -> Iterator[tuple[float, float, str, int]]:
    """Weights, rates, scenes and seeds enough for so many runs."""
    arms = -(-count // (len(SCENES) * SEEDS))
    weights = [round(0.01 * 1.3**k, 5) for k in range(-(-arms // 10))]
    rates = [round(0.001 * 1.4**k, 5) for k in range(10)]
    yield from product(weights, rates, SCENES, range(SEEDS))


def composed() -> tuple[str, str]:
    """config.yaml and hydra.yaml as Hydra writes them."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from nerfloss.assembly.config_files import conf_dir
    from nerfloss.assembly.hydra_resolvers import register_resolvers

    register_resolvers()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("train", return_hydra_config=True)
    hydra = OmegaConf.create({"hydra": cfg.hydra})
    hydra.hydra.overrides.task = ["OVERRIDES"]
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    return OmegaConf.to_yaml(cfg), OmegaConf.to_yaml(hydra)


def metrics(draw: random.Random, weight: float, rate: float) -> dict:
    """Scores in which weight and rate matter a little, seeds as much."""
    of_run = 30 - abs(weight - 0.1) - 20 * abs(rate - 0.01) + draw.gauss(0, 0.3)
    scores = {name: of_run + draw.gauss(0, 0.1) for name in (*NUMBERS, *MORE)}
    stated = {
        name: {"better": "lower" if name in LOWER else "higher", "units": "dB", "points": 100_000}
        for name in scores
    }
    views = [
        {"view": f"test_{k:03d}.png", **{name: of_run + draw.random() for name in scores}}
        for k in range(8)
    ]
    reasons = {"lpips_alex": "no weights of AlexNet were given: eval.metrics.lpips_alex.weights"}
    return {**scores, "conventions": stated, "reasons": reasons, "views": views}


def provenance(words: list[str], seed: int) -> dict:
    """What a run says of where it comes from."""
    return {
        "status": "finished",
        "error": None,
        "config_hash": f"{abs(hash(tuple(words))):016x}"[:16],
        "command": "python train.py " + " ".join(words),
        "seed": seed,
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "versions": {"python": "3.11.7", "nerfloss": "0.1.0", "torch": "2.9", "numpy": "2.3"},
        "device": "a processor",
        "host": {"system": "Linux", "cores": 8, "threads": 1},
        "started": "2026-01-01T00:00:00+00:00",
        "ended": f"2026-01-01T00:0{seed}:00+00:00",
        "resumed": [],
    }


def look(verb: str, folder: Path) -> None:
    """Look once, in this process, and print what that took."""
    begin = time.perf_counter()
    if verb == "page":
        from nerfloss.experiments.report.page.page import write_report
    elif verb == "compare":
        from nerfloss.experiments.report.side_by_side import compared
    else:
        from nerfloss.experiments.report.report import report
    from nerfloss.cli.output import put_out

    imported = time.perf_counter()
    if verb == "page":
        size = write_report(folder).stat().st_size
    else:
        tables = compared([folder]) if verb == "compare" else report(folder)
        put_out(tables, "markdown", folder.parent / f"{verb}.md")
        size = (folder.parent / f"{verb}.md").stat().st_size
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"imports": imported - begin, "seconds": done - imported, "MB": peak, "bytes": size}
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--keep", type=Path, help="make them here, or look at those that are here")
    parser.add_argument("--skip", nargs="*", default=[], help="looks that are not wanted")
    parser.add_argument("--look", nargs=2, metavar=("VERB", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.look:
        look(asked.look[0], Path(asked.look[1]))
        return
    root = asked.keep or Path(tempfile.mkdtemp(prefix="nerfloss-many-"))
    runs = root / "runs"
    try:
        if not runs.is_dir():
            runs.mkdir(parents=True)
            begin = time.perf_counter()
            make(runs, asked.runs)
            print(f"made {asked.runs} runs in {time.perf_counter() - begin:.0f} s")
            time.sleep(3)  # what changed just now is not kept in an index
        show(runs, asked.skip)
    finally:
        if asked.keep is None:
            shutil.rmtree(root)


def show(runs: Path, skipped: list[str]) -> None:
    """Look in each way, and print the table."""
    index = runs / ".runs.sqlite"
    index.unlink(missing_ok=True)
    table = Table("", "imports s", "look s", "peak MB", "written kB")
    for name, (verb,) in LOOKS.items():
        if name in skipped:
            continue
        if name.startswith("after"):
            next(iter(sorted(runs.glob("*/metrics.json")))).touch()
        command = [sys.executable, __file__, "--look", verb, str(runs)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(said.splitlines()[-1])
        cells = (found["imports"], found["seconds"], found["MB"], found["bytes"] / 1000)
        table.add_row(name, *(f"{cell:.1f}" for cell in cells))
    table.caption = f"index: {index.stat().st_size / 1e6:.1f} MB" if index.exists() else "no index"
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
