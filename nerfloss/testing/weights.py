"""Made-up weights for terms that look through a trained network: enough to try the mathematics."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import torch

from nerfloss.losses.pretrained.networks import NETWORKS
from nerfloss.losses.pretrained.weight_files import LPIPS_NETWORKS


def made_up_weights(network: str, folder: Path) -> Path:
    """Write random weights of a network in torchvision's keys, once; they see nothing."""
    path = folder / f"made_up_{network}.pth"
    if not path.exists():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            torch.save(NETWORKS[network]().state_dict(), path)
    return path


def made_up_linear(backbone: str, folder: Path) -> Path:
    """Write linear layers for LPIPS that weigh every channel alike."""
    path = folder / f"made_up_lpips_{backbone}.pth"
    channels = NETWORKS[LPIPS_NETWORKS[backbone]]().channels
    layers = {
        f"lin{i}.model.1.weight": torch.full((1, count, 1, 1), 1 / count)
        for i, count in enumerate(channels)
    }
    torch.save(layers, path)
    return path


def supply_weights(fn: MutableMapping[str, Any], folder: Path) -> None:
    """Fill in what a term's ``fn`` leaves null of its files of weights, by its ``backbone``."""
    if "weights" in fn and fn["weights"] is None:
        backbone = str(fn["backbone"])
        network = LPIPS_NETWORKS.get(backbone, backbone)
        fn["weights"] = str(made_up_weights(network, folder))
    if "linear" in fn and fn["linear"] is None:
        fn["linear"] = str(made_up_linear(fn["backbone"], folder))
