"""Files of published weights: where they are on disk, or downloaded to, and how they are read."""

import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from nerfloss.losses.pretrained.downloads import MissingWeights, PublishedFile, download

# Names of the backbones of LPIPS, and of their networks in `NETWORKS`.
LPIPS_NETWORKS = {"alex": "alex", "vgg": "vgg16", "squeeze": "squeeze"}


def _torchvision(name: str) -> PublishedFile:
    # torchvision's file names end in the first digits of the file's SHA-256.
    digits = name.removesuffix(".pth").rpartition("-")[2]
    return PublishedFile(name, "weights", f"https://download.pytorch.org/models/{name}", digits)


def _linear(backbone: str, sha256: str) -> PublishedFile:
    # The last commit that changed these files; they are the same in the package lpips 0.1.4.
    commit = "c33f89e9f46522a584cf41d8880eb0afa982708b"
    repository = "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity"
    url = f"{repository}/{commit}/lpips/weights/v0.1/{backbone}.pth"
    return PublishedFile(f"lpips_{backbone}.pth", "linear layers", url, sha256)


PUBLISHED = {
    "alex": _torchvision("alexnet-owt-7be5be79.pth"),
    "vgg16": _torchvision("vgg16-397923af.pth"),
    "vgg19": _torchvision("vgg19-dcbb9e9d.pth"),
    "squeeze": _torchvision("squeezenet1_1-b8a52dc0.pth"),
}
PUBLISHED_LINEAR = {
    "alex": _linear("alex", "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),
    "vgg": _linear("vgg", "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
    "squeeze": _linear(
        "squeeze", "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76"
    ),
}


def cache_folder() -> Path:
    """Return the folder in which torch.hub keeps downloaded weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def package_folder(package: str) -> Path | None:
    """Return the folder of an installed package without importing it; None if not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def network_file(network: str, *, file: str | None = None, folder: str | None = None) -> Path:
    """Return the file of a network's weights, downloading torchvision's if it is missing.

    ``file`` is taken if given; otherwise torchvision's file is looked for in ``folder`` and in
    torch.hub's cache, into which it is downloaded. Downloads are verified by the digits of the
    SHA-256 in the file's name. Raises MissingWeights where there is no file.
    """
    published = PUBLISHED[network]
    if file is not None:
        return _existing(file, published)
    return _first(_in_folders(published.name, folder)) or download(published, cache_folder())


def lpips_file(backbone: str, *, file: str | None = None, folder: str | None = None) -> Path:
    """Return the file of LPIPS's linear layers, downloading it if it is missing.

    ``file`` is taken if given; otherwise ``lpips_<backbone>.pth`` is looked for in ``folder`` and
    in torch.hub's cache, then the file in an installed package ``lpips``. Downloads are verified by
    the SHA-256 of the files in the authors' repository. Raises MissingWeights where there is no
    file.
    """
    published = PUBLISHED_LINEAR[backbone]
    if file is not None:
        return _existing(file, published)
    candidates = _in_folders(published.name, folder)
    package = package_folder("lpips")
    if package is not None:
        candidates.append(package / "weights" / "v0.1" / f"{backbone}.pth")
    return _first(candidates) or download(published, cache_folder())


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict onto the CPU.

    A file whose name ends in eight hexadecimal digits, as torchvision's do, must have a SHA-256
    that begins with them: otherwise its results would not be comparable, and MissingWeights is
    raised.
    """
    digits = path.stem.rpartition("-")[2]
    if len(digits) == 8 and all(digit in "0123456789abcdef" for digit in digits):
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if not actual.startswith(digits):
            raise MissingWeights(
                f"{path} is not the published file: its SHA-256 begins with {actual[:8]}, not "
                f"{digits}; remove it"
            )
    return torch.load(path, map_location="cpu", weights_only=True)


def lpips_layers(path: Path, channels: Iterable[int]) -> list[Tensor]:
    """Return LPIPS's weight of every channel, for each layer of a backbone that it compares.

    Raises MissingWeights where the file belongs to another backbone.
    """
    state = read_weights(path)
    keys = [f"lin{index}.model.1.weight" for index in range(len(state))]
    layers = [state[key].flatten() for key in keys if key in state]
    if [layer.numel() for layer in layers] != list(channels):
        raise MissingWeights(
            f"{path} does not hold the linear layers of this backbone: {list(channels)} channels "
            f"are needed, it has {[layer.numel() for layer in layers]}"
        )
    return layers


def _existing(file: str, published: PublishedFile) -> Path:
    path = Path(file).expanduser()
    if not path.is_file():
        raise MissingWeights(
            f"there are no {published.content} at {path}; null takes the published {published.name}"
        )
    return path


def _in_folders(name: str, folder: str | None) -> list[Path]:
    folders = [*([Path(folder).expanduser()] if folder else []), cache_folder()]
    return [each / name for each in folders]


def _first(candidates: Iterable[Path]) -> Path | None:
    return next((path for path in candidates if path.is_file()), None)
