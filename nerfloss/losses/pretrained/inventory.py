"""Published weights by name: what needs them, where they are, and what is wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nerfloss.losses.pretrained.downloads import MissingWeights
from nerfloss.losses.pretrained.weight_files import (
    LPIPS_NETWORKS,
    WeightSource,
    linear_source,
    network_source,
)
from nerfloss.losses.pretrained.weight_reading import read_weights

# What needs a network's weights; the first is that of an evaluation without further settings.
USERS = {
    "alex": "metric lpips_alex; terms with backbone alex",
    "vgg16": "metric lpips_vgg; terms lpips, perceptual, style",
    "squeeze": "metric lpips_squeeze; terms with backbone squeeze",
    "vgg19": "terms perceptual and style with backbone vgg19",
}
DEFAULT = "alex"


@dataclass(frozen=True)
class Weights:
    """A file of published weights: ``path`` if it is on disk, ``problem`` if it is damaged."""

    name: str
    users: str
    source: WeightSource
    path: Path | None = None
    problem: str = ""

    @property
    def usable(self) -> bool:
        """True if the file is there and is the published one."""
        return self.path is not None and not self.problem


def inventory(folder: str | None = None) -> list[Weights]:
    """Return the weights of every network, and of the linear layers of LPIPS, after reading them.

    ``folder`` is searched first.
    """
    found = []
    for network, users in USERS.items():
        found.append(_checked(network, users, network_source(network, folder)))
        for backbone, own in LPIPS_NETWORKS.items():
            if own == network:
                users = f"metric lpips_{backbone}; term lpips with backbone {backbone}"
                found.append(_checked(f"lpips_{backbone}", users, linear_source(backbone, folder)))
    return found


def chosen(every: Sequence[Weights], names: Sequence[str]) -> list[Weights]:
    """Return the weights that names ask for, with the linear layers of a network; none: all.

    Raises ValueError for an unknown name.
    """
    known = {each.name for each in every}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no weights are called '{unknown[0]}': there are {', '.join(USERS)}")
    pairs = {LPIPS_NETWORKS[backbone]: f"lpips_{backbone}" for backbone in LPIPS_NETWORKS}
    wanted = {*names, *(pairs[name] for name in names if name in pairs)}
    return [each for each in every if not names or each.name in wanted]


def _checked(name: str, users: str, source: WeightSource) -> Weights:
    path = next((place for place in source.places if place.is_file()), None)
    try:
        if path is not None:
            read_weights(path)
            source.found()
    except MissingWeights as error:
        return Weights(name, users, source, path, str(error))
    return Weights(name, users, source, path)
