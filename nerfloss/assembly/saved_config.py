"""The configuration of a run that has begun, with settings changed to continue or evaluate it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from nerfloss.assembly.config_files import read_text
from nerfloss.assembly.config_groups import closest, config_groups
from nerfloss.assembly.renamed_settings import dotted_keys, refuse_renamed
from nerfloss.assembly.setting_checks import is_setting
from nerfloss.assembly.trust.stored import read_stored

# Parts that act while a model is trained: an evaluation would ignore a change of them.
TRAINING_ONLY = frozenset(
    {"ablate", "ablate_base", "batch", "diagnostics", "hardware", "initialization", "loss"}
    | {"objectives", "seed", "seeds", "trainer", "viewer", "viewer_host", "viewer_port"}
)
_OWN = frozenset({"run", "checkpoint", "device"})


def saved_config(folder: Path, overrides: Sequence[str]) -> DictConfig:
    """Return the configuration that a run began with, and ``overrides`` (a.b=c) on top of it.

    Raises FileNotFoundError where ``folder`` holds no run, and ValueError for a configuration that
    names code which is not trusted (`nerfloss.assembly.trust`), of an earlier version, for settings
    that it lacks, and for another choice of a part.
    """
    path = Path(folder) / ".hydra" / "config.yaml"
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} is no run: it has no .hydra/config.yaml. Give a folder that training wrote"
        )
    refuse_renamed(overrides)
    changes = OverridesParser.create().parse_overrides(list(overrides))
    typed = dict(pair for each in changes for pair in _typed(each))
    cfg = read_stored(read_text(path), path, typed)
    for override in changes:
        _change(cfg, override, folder)
    return cfg


def settings_of_evaluation(overrides: Sequence[str]) -> list[str]:
    """Return those of the overrides of ``nerfloss eval`` that change settings of the run.

    Raises ValueError for settings that act only while a model is trained.
    """
    found = []
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        first = override.key_or_group.replace("/", ".").partition(".")[0]
        if first in TRAINING_ONLY:
            raise ValueError(
                f"{override.input_line}: '{first}' affects training only, an evaluation cannot "
                f"change it. Train another run: nerfloss train {override.input_line}"
            )
        if first not in _OWN:
            typed = str(override.input_line)
            # The command adds the + to settings of the run; they must exist there.
            found.append(typed if first == "eval" else typed.removeprefix("+"))
    return found


def _typed(override: Override) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the settings that an override states, by the parts of their keys."""

    def flat(key: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        if not isinstance(value, dict):
            yield key, value
            return
        for name, inner in value.items():
            yield from flat((*key, str(name)), inner)

    if not override.is_delete():
        key = tuple(part for part in re.split(r"[.\[\]]", override.key_or_group) if part)
        yield from flat(key, override.value())


def _change(cfg: DictConfig, override: Override, folder: Path) -> None:
    key, typed = override.key_or_group, str(override.input_line).lstrip("+")
    if override.is_delete() or override.package or "/" in key or _is_choice(cfg, override):
        raise ValueError(
            f"{typed}: a part of the run in {folder} cannot be replaced. Change a setting of the "
            f"part, as in {_example(cfg, key)}, or train another run: nerfloss train {typed}"
        )
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    if not isinstance(node, DictConfig) or not (
        last in node or override.is_add() or is_setting(OmegaConf.to_container(cfg), key)
    ):
        hint = closest(key, dotted_keys(cfg))
        raise ValueError(f"{typed}: the run in {folder} has no setting '{key}'{hint}")
    OmegaConf.update(cfg, key, override.value(), force_add=True)


def _is_choice(cfg: DictConfig, override: Override) -> bool:
    """Tell whether an override chooses a part by name, instead of changing a setting."""
    key = override.key_or_group
    if "." not in key and key not in cfg:
        return key in config_groups()
    parent, _, last = key.rpartition(".")
    holder = OmegaConf.select(cfg, parent) if parent else cfg
    if not isinstance(holder, DictConfig) or OmegaConf.is_interpolation(holder, last):
        return False  # what is replaced is not resolved: it may read the environment
    group = key == "hardware" or isinstance(holder.get(last), DictConfig)
    return group and isinstance(override.value(), str | bool)


def _example(cfg: DictConfig, key: str) -> str:
    part = key.replace("/", ".").lstrip("~")
    node = OmegaConf.select(cfg, part)
    names = [str(name) for name in node if name != "_target_"] if OmegaConf.is_dict(node) else []
    return f"{part}.{names[0] if names else '<setting>'}=..."
