"""Resolve ``hardware=auto`` to the preset for the device of a run.

A preset is a choice of a configuration group, so experiments and the command line override it.
Hydra cannot see the device: the configuration is composed a second time with the name of the
preset in place of ``auto``.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from nerfloss.assembly.composition import compose_config
from nerfloss.assembly.provenance import read_provenance
from nerfloss.files import atomic_write

log = logging.getLogger(__name__)

AUTO, CPU, GPU = "auto", "cpu", "gpu"
# These do not change results: a run that continues on another machine takes that machine's.
CHUNKS = ("eval.chunk", "eval.mesh.chunk")


def preset_for(device: str) -> str:
    """Return the preset for ``device``; ``auto`` is a GPU where there is one."""
    if device == "auto":
        import torch  # imported here: it takes seconds

        return GPU if torch.cuda.is_available() else CPU
    return GPU if device.startswith("cuda") else CPU


def fitted(
    cfg: DictConfig, folder: Path, overrides: Sequence[str], *, keep: bool = True
) -> DictConfig:
    """Return the configuration that ``overrides`` compose with the preset of this device.

    ``overrides`` are all of the command line, with ``hydra.searchpath`` where it was given. The
    result replaces the configuration that Hydra has written to ``folder``, unless ``keep`` is
    false. A run that continues in ``folder`` keeps the preset that it began with, on any machine.
    A configuration that names a preset, or has no such setting, is returned unchanged.
    """
    if cfg.get("hardware") != AUTO:
        return cfg
    name = (read_provenance(folder) or {}).get("hardware") or preset_for(str(cfg.device))
    # The defaults are those for a CPU: no composition is needed.
    chosen = cfg.copy() if name == CPU else _composed([*overrides, f"hardware={name}"])
    OmegaConf.update(chosen, "hardware", name)
    changed = _listed(chosen, cfg)
    log.info("hardware=%s, for device=%s: %s", name, cfg.device, changed or "the defaults")
    saved = folder / ".hydra" / "config.yaml"
    if keep and saved.is_file():
        atomic_write(saved, OmegaConf.to_yaml(chosen).encode())
    return chosen


def with_chunks_for_here(cfg: DictConfig) -> DictConfig:
    """Return the configuration of a run with the chunk sizes for the present machine.

    Chunk sizes that differ from the preset that the run began with are kept.
    """
    begun, here = cfg.get("hardware"), preset_for(str(cfg.device))
    if begun in (None, AUTO, here):
        return cfg
    before, now = (_composed([f"hardware={name}"]) for name in (begun, here))
    cfg = cfg.copy()
    for key in CHUNKS:
        if OmegaConf.select(cfg, key) == OmegaConf.select(before, key):
            OmegaConf.update(cfg, key, OmegaConf.select(now, key))
    return cfg


def _composed(overrides: Sequence[str]) -> DictConfig:
    """Compose a configuration for training, with the search path of the running command if any."""
    # Two choices of one group are an error.
    asked = [each for each in overrides if each != f"hardware={AUTO}"]
    if HydraConfig.initialized():
        return compose("train", asked)
    return compose_config("train", asked)


def _listed(cfg: DictConfig, before: DictConfig) -> str:
    """Return the settings that differ, as overrides."""
    now, then = dict(_flat(cfg)), dict(_flat(before))
    return ", ".join(
        f"{key}={value}"
        for key, value in now.items()
        if key != "hardware" and then.get(key, ...) != value
    )


def _flat(cfg: DictConfig) -> list[tuple[str, Any]]:
    def walk(node: Any, prefix: str) -> list[tuple[str, Any]]:
        if not isinstance(node, dict):
            return [(prefix, node)]
        return [pair for key, value in node.items() for pair in walk(value, f"{prefix}.{key}")]

    plain = OmegaConf.to_container(cfg)
    return [(key.lstrip("."), value) for key, value in walk(plain, "")]
