"""Compare the speed ratios of this run with a committed baseline.

    python benchmarks/gate.py            # warns where a ratio fell by more than a fifth
    python benchmarks/gate.py --write    # after a change that is meant: a new baseline

Only ratios are compared, each taken within one run, so that the baseline holds on other machines
about as well as on the one where it was made.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: see nerfloss.kernels.threads

import argparse
import json
from pathlib import Path

import hash_grid
import networks
import torch
from rich.console import Console

from nerfloss.kernels.grid_layout import GridLayout

BASELINE = Path(__file__).with_name("baseline.json")
FALLEN = 0.8


def ratios() -> dict[str, float]:
    """How many times faster each compiled part is than plain PyTorch, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    points, found = torch.rand(32768, 3), {}
    for log2_hashmap_size in (15, 19):
        layout = GridLayout(16, 2, log2_hashmap_size, 16, 2048)
        for name, contenders in hash_grid.steps(layout, points).items():
            taken = hash_grid.measure(contenders, 5)
            found[f"{name}, table 2^{log2_hashmap_size}"] = (
                taken[hash_grid.EXPLICIT] / taken[hash_grid.COMPILED]
            )
    for name, taken in networks.ratios(4096).items():
        found[f"{name}, 4096 points"] = taken[networks.PLAIN] / taken[networks.COMPILED]
    return found


def compare(found: dict[str, float], baseline: dict[str, float]) -> list[str]:
    """A sentence for every ratio that fell by more than a fifth."""
    return [
        f"{name}: {ratio:.1f} times faster than torch, was {baseline[name]:.1f}"
        for name, ratio in found.items()
        if name in baseline and ratio < FALLEN * baseline[name]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="make this run the baseline")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a ratio fell")
    asked = parser.parse_args()
    console, found = Console(width=110), ratios()
    if asked.write:
        rounded = {name: round(ratio, 2) for name, ratio in found.items()}
        BASELINE.write_text(json.dumps(rounded, indent=1) + "\n")
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    for name, ratio in found.items():
        console.print(f"{name:45} {ratio:5.1f}   baseline {baseline.get(name, float('nan')):5.1f}")
    fallen = compare(found, baseline)
    for sentence in fallen:
        console.print(f"[bold yellow]slower than it was:[/] {sentence}")
    raise SystemExit(1 if fallen and asked.strict else 0)


if __name__ == "__main__":
    main()
