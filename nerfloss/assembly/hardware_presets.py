"""Presets for hardware: ``auto`` is that for the device that is found, as long as a run lives.

What a preset sets is a group of the configuration like any other, so an experiment and the command
line win over it. Only which one ``auto`` means is decided here, since Hydra cannot know: then the
run is composed once more with the preset's name in place of ``auto``.
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
# What changes no number: a run that goes on elsewhere takes what suits the machine that it is on.
CHUNKS = ("eval.chunk", "eval.mesh.chunk")


def preset_for(device: str) -> str:
    """The preset for what ``device=`` names; ``auto`` is a GPU where there is one."""
    if device == "auto":
        import torch  # here, for it takes seconds

        return GPU if torch.cuda.is_available() else CPU
    return GPU if device.startswith("cuda") else CPU


def fitted(
    cfg: DictConfig, folder: Path, overrides: Sequence[str], *, keep: bool = True
) -> DictConfig:
    """The configuration that ``overrides`` make with the preset that ``hardware=auto`` means.

    ``overrides`` are all that bear on it, ``hydra.searchpath`` among them where it was given. What
    is made takes the place of what Hydra left in the run's folder, unless ``keep`` is false.

    A folder that a run has begun in keeps the preset that it began with, on whatever machine it
    goes on. A configuration that names its preset, or knows none, is left as it is.
    """
    if cfg.get("hardware") != AUTO:
        return cfg
    name = (read_provenance(folder) or {}).get("hardware") or preset_for(str(cfg.device))
    # For a CPU the defaults are meant: nothing has to be composed.
    chosen = cfg.copy() if name == CPU else _composed([*overrides, f"hardware={name}"])
    OmegaConf.update(chosen, "hardware", name)
    changed = _listed(chosen, cfg)
    log.info("hardware=%s, for device=%s: %s", name, cfg.device, changed or "the defaults")
    saved = folder / ".hydra" / "config.yaml"
    if keep and saved.is_file():
        atomic_write(saved, OmegaConf.to_yaml(chosen).encode())
    return chosen


def with_chunks_for_here(cfg: DictConfig) -> DictConfig:
    """A run's configuration, with the chunk sizes of the preset for the machine that it is on now.

    Those that were set by hand stay.
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
    """A configuration for training: by the program's own search path where one is running."""
    # The last word on a group would be an error beside the first.
    asked = [each for each in overrides if each != f"hardware={AUTO}"]
    if HydraConfig.initialized():
        return compose("train", asked)
    return compose_config("train", asked)


def _listed(cfg: DictConfig, before: DictConfig) -> str:
    """The settings that differ, as one would write them."""
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
