"""Object masks of photographs by rembg, where the user has it."""

import importlib.util
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from nerfloss.files import atomic_write


def check_rembg() -> None:
    """Raise ModuleNotFoundError if rembg, or what runs its network, is not installed."""
    # rembg without onnxruntime is installed, and ends the program when it is imported.
    for package in ("rembg", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(
                f"--masks needs {package}, which is not installed: pip install 'nerfloss[masks]'",
                name=package,
            )


def write_masks(
    images: Path, masks: Path, names: Sequence[str], progress: Callable[[str, int, int], None]
) -> None:
    """Write the mask of each image as ``<name>.png``, white on the object; existing ones are kept.

    rembg downloads the weights of its network when it is first used.
    """
    import rembg  # pyright: ignore[reportMissingImports]

    session = None
    for done, name in enumerate(names):
        progress("masks", done, len(names))
        path = masks / f"{name}.png"
        if path.is_file():
            continue
        session = session or rembg.new_session()
        with Image.open(images / name) as image:
            mask = rembg.remove(image.convert("RGB"), session=session, only_mask=True)
        target = io.BytesIO()
        mask.convert("L").save(target, "PNG")
        atomic_write(path, target.getvalue())
    progress("masks", len(names), len(names))
