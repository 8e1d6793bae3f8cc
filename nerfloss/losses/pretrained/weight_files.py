"""Where published weights are looked for. Nothing is ever downloaded; what is missing is named."""

import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

# torchvision's files, and LPIPS's names for the networks that it knows.
PUBLISHED = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg16": "vgg16-397923af.pth",
    "vgg19": "vgg19-dcbb9e9d.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
LPIPS_NETWORKS = {"alex": "alex", "vgg": "vgg16", "squeeze": "squeeze"}


class MissingWeights(ValueError):
    """Weights that are in none of the places, or not the published ones; the message helps."""


def hub_folder() -> Path:
    """Where torch keeps downloaded weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def package_folder(package: str) -> Path | None:
    """Folder of an installed package, without importing it; None where it is not installed."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations)))


def network_file(network: str, *, file: str | None = None, folder: str | None = None) -> Path:
    """A network's weights: ``file``, or torchvision's in ``folder`` or in torch's hub cache.

    Raises MissingWeights, with where to get them, where they are in none of the places.
    """
    name = PUBLISHED[network]
    return first_existing(
        [Path(file).expanduser()] if file else [each / name for each in _folders(folder)],
        "the network's weights were",
        f"put https://download.pytorch.org/models/{name} into {_folders(folder)[0]}, or name a "
        f"file that has them",
    )


def lpips_file(backbone: str, *, file: str | None = None, folder: str | None = None) -> Path:
    """LPIPS's linear layers: ``file``, or ``lpips_<backbone>.pth`` in ``folder``, in torch's hub
    cache, or as an installed ``lpips`` package carries them.

    Raises MissingWeights, with where to get them, where they are in none of the places.
    """
    name = f"lpips_{backbone}.pth"
    candidates = [each / name for each in _folders(folder)]
    package = package_folder("lpips")
    if package is not None:
        candidates.append(package / "weights" / "v0.1" / f"{backbone}.pth")
    return first_existing(
        [Path(file).expanduser()] if file else candidates,
        "the linear layers were",
        f"install the package lpips, or put lpips/weights/v0.1/{backbone}.pth of "
        f"github.com/richzhang/PerceptualSimilarity there as {name}",
    )


def first_existing(candidates: Iterable[Path], what: str, remedy: str) -> Path:
    """The first of the candidates that is a file.

    Raises MissingWeights, naming all of them, where none is.
    """
    sought = list(candidates)
    for path in sought:
        if path.is_file():
            return path
    places = ", ".join(str(path) for path in sought)
    raise MissingWeights(f"{what} not found; sought {places}; {remedy}")


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
            raise MissingWeights(
                f"{path} is not the published file: its SHA-256 begins with {found[:8]}, "
                f"its name says {digits}; fetch it again"
            )
    return torch.load(path, map_location="cpu", weights_only=True)


def lpips_layers(path: Path, channels: Iterable[int]) -> list[Tensor]:
    """LPIPS's weight of every channel, for each tap of a backbone.

    Raises MissingWeights where the file is for another backbone.
    """
    linear = read_weights(path)
    found = [linear.get(f"lin{i}.model.1.weight", torch.empty(0)).flatten() for i in range(9)]
    layers = [layer for layer in found if layer.numel()]
    if [layer.numel() for layer in layers] != list(channels):
        raise MissingWeights(
            f"{path} does not hold the linear layers of this backbone: {list(channels)} channels "
            f"are asked for, it has {[layer.numel() for layer in layers]}"
        )
    return layers


def _folders(folder: str | None) -> list[Path]:
    return [*([Path(folder).expanduser()] if folder else []), hub_folder()]
