"""Depth estimation by the package transformers, which is optional (extra ``priors``)."""

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from nerfloss.data.priors.estimator import Estimator

INSTALL = "pip install 'nerfloss[priors]'"


def depth_pipeline(checkpoint: str | None) -> Estimator:
    """Return transformers' depth-estimation pipeline as a function of one image.

    ``checkpoint`` is a name on the Hugging Face hub or a folder; None: the pipeline's default. What
    the network returns is interpolated to the size of the image. Raises ImportError without the
    package, ValueError where the checkpoint cannot be loaded.
    """
    try:
        from transformers import pipeline  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(f"--model transformers needs the package: {INSTALL}") from error
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
