"""Random weights for terms that need a pretrained network, for tests."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import torch

from nerfloss.losses.pretrained.networks import NETWORKS
from nerfloss.losses.pretrained.weight_files import LPIPS_NETWORKS


def random_weights(network: str, folder: Path) -> Path:
    """Write random weights of a network, with torchvision's keys, once."""
    path = folder / f"random_{network}.pth"
    if not path.exists():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            torch.save(NETWORKS[network]().state_dict(), path)
    return path


def random_linear(backbone: str, folder: Path) -> Path:
    """Write linear layers for LPIPS with equal weights of all channels."""
    path = folder / f"random_lpips_{backbone}.pth"
    channels = NETWORKS[LPIPS_NETWORKS[backbone]]().channels
    layers = {
        f"lin{i}.model.1.weight": torch.full((1, count, 1, 1), 1 / count)
        for i, count in enumerate(channels)
    }
    torch.save(layers, path)
    return path


def supply_weights(fn: MutableMapping[str, Any], folder: Path) -> None:
    """Set the weight files that a term's ``fn`` leaves null, by its ``backbone``."""
    if "weights" in fn and fn["weights"] is None:
        backbone = str(fn["backbone"])
        network = LPIPS_NETWORKS.get(backbone, backbone)
        fn["weights"] = str(random_weights(network, folder))
    if "linear" in fn and fn["linear"] is None:
        fn["linear"] = str(random_linear(fn["backbone"], folder))
