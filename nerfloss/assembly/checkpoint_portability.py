"""A trained run on another machine than the one that trained it: whatever kernel it named.

All kernels compute the same function of the same parameters, so what was trained with one can be
looked at with any. A run that is to be trained keeps what was asked for, and says so if it cannot.
"""

import logging
from collections.abc import Iterator
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from nerfloss.kernels.backend_availability import unsupported_reason
from nerfloss.kernels.backend_selection import BACKENDS

log = logging.getLogger(__name__)


def loadable(cfg: DictConfig, device: torch.device) -> DictConfig:
    """The same configuration, ``auto`` in place of a backend that cannot run on this device.

    One line in the log says which and why.
    """
    config, reasons = OmegaConf.to_container(cfg, resolve=False), {}
    for node in _that_name_a_backend(config, ""):
        name = node["backend"]
        if (reason := unsupported_reason(name, device, torch.float32)) is not None:
            reasons[name], node["backend"] = reason, "auto"
    for name, reason in reasons.items():
        log.warning("kernels.backend=%s cannot run here, auto is taken instead: %s", name, reason)
    found = OmegaConf.create(config)
    assert isinstance(found, DictConfig)
    return found


def _that_name_a_backend(node: Any, key: str) -> Iterator[dict[str, Any]]:
    """The setting ``kernels``, and parts of ours that name a backend of their own instead."""
    if isinstance(node, dict):
        ours = key == "kernels" or str(node.get("_target_")).startswith("nerfloss.")
        if ours and node.get("backend") in BACKENDS:
            yield node
        for name, inner in node.items():
            yield from _that_name_a_backend(inner, name)
    elif isinstance(node, list):
        for inner in node:
            yield from _that_name_a_backend(inner, "")
