"""The optional package imageio-ffmpeg, which brings the program ffmpeg."""

import importlib.util
from types import ModuleType


def require_ffmpeg(purpose: str, extra: str) -> ModuleType:
    """Return the module imageio_ffmpeg.

    Raises ModuleNotFoundError, with the ``purpose`` that needs it and the ``extra`` of nerfloss
    that installs it.
    """
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        raise ModuleNotFoundError(
            f"{purpose} imageio-ffmpeg, which is not installed: pip install 'nerfloss[{extra}]'",
            name="imageio_ffmpeg",
        )
    import imageio_ffmpeg  # pyright: ignore[reportMissingImports]

    return imageio_ffmpeg
