"""Load a trained model where the kernels that trained it cannot run.

All kernels compute the same function of the same parameters, so a model can be evaluated with any
of them. Training uses the kernels that its configuration names, or stops with an error.
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
    """Return a configuration with ``auto`` in place of backends that cannot run on this device.

    Each replacement is one line in the log, with the reason.
    """
    config, reasons = OmegaConf.to_container(cfg, resolve=False), {}
    for node in _backend_nodes(config, ""):
        name = node["backend"]
        if (reason := unsupported_reason(name, device, torch.float32)) is not None:
            reasons[name], node["backend"] = reason, "auto"
    for name, reason in reasons.items():
        log.warning("kernels.backend=%s cannot run here, auto is used instead: %s", name, reason)
    found = OmegaConf.create(config)
    assert isinstance(found, DictConfig)
    return found


def _backend_nodes(node: Any, key: str) -> Iterator[dict[str, Any]]:
    """Yield the setting ``kernels``, and the parts of nerfloss that name a backend themselves."""
    if isinstance(node, dict):
        ours = key == "kernels" or str(node.get("_target_")).startswith("nerfloss.")
        if ours and node.get("backend") in BACKENDS:
            yield node
        for name, inner in node.items():
            yield from _backend_nodes(inner, name)
    elif isinstance(node, list):
        for inner in node:
            yield from _backend_nodes(inner, "")
