"""Where published weights are looked for. Nothing is ever downloaded; what is missing is named."""

import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from nerfloss.evaluation.undefined import UndefinedMetric


def hub_folder() -> Path:
    """Where torch keeps downloaded weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def package_folder(package: str) -> Path | None:
    """Folder of an installed package, without importing it; None where it is not installed."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations)))


def first_existing(candidates: Iterable[Path], what: str, remedy: str) -> Path:
    """The first of the candidates that is a file.

    Raises UndefinedMetric, naming all of them, where none is.
    """
    sought = list(candidates)
    for path in sought:
        if path.is_file():
            return path
    places = ", ".join(str(path) for path in sought)
    raise UndefinedMetric(f"{what} not found; sought {places}; {remedy}")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict onto the CPU.

    A name such as ``alexnet-owt-7be5be79.pth`` ends in the first digits of the file's SHA-256:
    other contents under it are refused, because figures from them would not be comparable.
    """
    digits = path.stem.rpartition("-")[2]
    if len(digits) == 8 and all(digit in "0123456789abcdef" for digit in digits):
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(digits):
            raise UndefinedMetric(
                f"{path} is not the published file: its SHA-256 begins with {found[:8]}, "
                f"its name says {digits}; fetch it again"
            )
    return torch.load(path, map_location="cpu", weights_only=True)
