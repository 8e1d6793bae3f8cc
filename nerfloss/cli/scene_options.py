"""Options of the commands that read a scene: its folder, and the settings that training has for it.

The words ``dataset.hold_out=8``, ``dataset.region=...`` and so on are those of ``nerfloss train``,
composed and checked as there.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nerfloss.data.formats.folder_dataset import FolderDataset

# Commands that take settings of the dataset beside their options.
TAKE_SETTINGS = ("inspect", "convert", "priors", "render", "export", "maps", "view")
SETTING = re.compile(r"\+{0,2}dataset(?:\.(?P<name>\w+)[\w.]*)?=")
# Datasets that are no folder of images with cameras, and what to do instead.
NO_FOLDER = {
    "dataset=photos": "photographs have no cameras yet; make the scene first by nerfloss capture "
    "PHOTOGRAPHS -o SCENE",
    "dataset=analytic": "a synthetic scene has no files; leave dataset=... away",
}
# Options that are short for a setting of the dataset.
SHORT = ("layout", "images", "missing")


def split_settings(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words of a command without its settings of the dataset, and these settings."""
    if not words or words[0] not in TAKE_SETTINGS:
        return list(words), []
    settings = [word for word in words if SETTING.match(word)]
    return [word for word in words if word not in settings], settings


def add_scene_options(command: argparse.ArgumentParser, missing: str) -> None:
    """Declare the options; ``missing`` says what the command does where images are missing."""
    command.add_argument("--layout", help="layout of the scene (default: auto)")
    command.add_argument(
        "--images", metavar="NAME", help="folder of the images (default: as the layout says)"
    )
    command.add_argument(
        "--missing",
        choices=["refuse", "skip"],
        help=f"what to do where images or poses are missing (default: {missing})",
    )


def scene_settings(options: argparse.Namespace) -> list[str]:
    """Return the settings that the command line states, as overrides of training.

    Raises ValueError for an option beside the setting that it is short for, and for dataset.path.
    """
    typed = list(options.settings)
    names = {match["name"] for word in typed if (match := SETTING.match(word))}
    if "path" in names:
        raise ValueError("dataset.path: the folder is the first argument of this command")
    for name in SHORT:
        value = getattr(options, name)
        if value is None:
            continue
        if name in names:
            raise ValueError(f"--{name} and dataset.{name} are the same setting: state one")
        from nerfloss.data.training_line import hydra_value

        typed.append(f"dataset.{name}={hydra_value(value)}")
    return typed


def scene_dataset(folder: Path, settings: Sequence[str]) -> "FolderDataset":
    """Return the dataset that ``nerfloss train dataset.path=FOLDER`` with these settings reads.

    Raises Hydra's errors for settings that it does not have, and ValueError for a dataset that is
    not a folder with cameras.
    """
    from omegaconf import OmegaConf

    from nerfloss.assembly.composition import compose_config
    from nerfloss.assembly.dataset_choice import dataset_overrides
    from nerfloss.assembly.instantiation import build
    from nerfloss.data.errors import existing
    from nerfloss.data.formats.folder_dataset import FolderDataset
    from nerfloss.data.training_line import hydra_value

    for word in settings:
        if word in NO_FOLDER:
            raise ValueError(f"{word}: {NO_FOLDER[word]}")
    existing(folder, "a scene")
    words = [f"dataset.path={hydra_value(str(folder))}", *settings]
    cfg = compose_config("train", [*words, *dataset_overrides(words)])
    dataset = build(cfg.dataset)
    if not isinstance(dataset, FolderDataset):
        found = OmegaConf.select(cfg, "dataset._target_")
        raise ValueError(f"{found} is not read from a folder: leave dataset=... away")
    return dataset
