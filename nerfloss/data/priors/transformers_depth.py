"""Depth estimation by the package transformers, which is optional (extra ``priors``)."""

import importlib.util

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from nerfloss.data.priors.estimator import Estimator

INSTALL = "pip install 'nerfloss[priors]'"


def require_transformers() -> None:
    """Raise ModuleNotFoundError, which names the extra, if transformers is not installed."""
    if importlib.util.find_spec("transformers") is None:
        message = f"--model transformers needs the package: {INSTALL}"
        raise ModuleNotFoundError(message, name="transformers")


def depth_pipeline(checkpoint: str | None) -> Estimator:
    """Return transformers' depth-estimation pipeline as a function of one image.

    ``checkpoint`` is a name on the Hugging Face hub or a folder; None: the pipeline's default. What
    the network returns is interpolated to the size of the image. Raises ModuleNotFoundError
    without the package, ValueError where the checkpoint cannot be loaded.
    """
    require_transformers()
    from transformers import pipeline  # pyright: ignore[reportMissingImports]

    device = 0 if torch.cuda.is_available() else -1
    try:
        estimate = pipeline("depth-estimation", model=checkpoint, device=device)
    except (OSError, ValueError) as error:
        what = checkpoint or "its default network"
        raise ValueError(f"transformers cannot load {what}: {error}") from error

    def run(image: UInt8[np.ndarray, "height width 3"]) -> np.ndarray:
        found = torch.as_tensor(estimate(Image.fromarray(image))["predicted_depth"])
        found = found.detach().float().cpu()
        found = found.reshape(1, 1, *found.shape[-2:])
        size = image.shape[:2]
        resized = torch.nn.functional.interpolate(found, size, mode="bilinear", align_corners=False)
        return resized[0, 0].numpy()

    return run
