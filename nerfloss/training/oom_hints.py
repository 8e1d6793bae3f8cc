"""Out-of-memory hints: which settings to lower, and how to resume."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nerfloss.memory import OutOfMemory, ran_out
from nerfloss.training.distributed.torchrun_env import launch_command

# Settings of the size of a step: they can be lowered in any run, also when it is resumed.
STEP_SETTINGS = (
    "trainer.batch_size.samples",
    "trainer.batch_size.max_rays",
    "model.renderer.space_points",
)
# Settings of the size of a model or a sampler, by the last part of their name.
MODEL_SETTINGS = ("log2_hashmap_size", "levels", "resolution")


@contextmanager
def oom_hints(folder: Path, config: Mapping[str, Any]) -> Iterator[None]:
    """Raise OutOfMemory with hints where the ``with`` block runs out of memory.

    ``config`` is the run's configuration as plain values, ``folder`` the run's folder. Its
    checkpoint stays as it is: an unfinished step is not saved.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        message = (str(error).strip().splitlines() or ["no message"])[0]
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        # The error stays as the context, without its frames, because these hold tensors.
        error.__traceback__ = None
        raise OutOfMemory(f"out of memory{notes}: {message}\n{_hints(folder, config)}") from None


def _hints(folder: Path, config: Mapping[str, Any]) -> str:
    flat = dict(_flat(config))
    step = {key: flat[key] for key in STEP_SETTINGS if key in flat}
    model = {
        key: value
        for key, value in flat.items()
        if key.startswith(("model.", "sampler.")) and key.rpartition(".")[2] in MODEL_SETTINGS
    }
    lines = [f"  lower the size of a step: {_listed(step)}"]
    if model:
        lines.append(f"  or, in a new run, the size of the model: {_listed(model)}")
    if config.get("dataset", {}).get("image_storage") in ("auto", "device"):
        lines.append("  or keep the images in host memory: dataset.image_storage=host")
    return "\n".join([*lines, f"  {_how_to_resume(folder, step)}"])


def _how_to_resume(folder: Path, step: Mapping[str, Any]) -> str:
    if not (folder / "checkpoints" / "last.pt").is_file():
        return "nothing was saved yet: start again"
    samples = step.get("trainer.batch_size.samples")
    lower = (
        f" trainer.batch_size.samples={max(samples // 2, 1)}" if isinstance(samples, int) else ""
    )
    return f"resume from the last checkpoint: {launch_command()} trainer.resume={folder}{lower}"


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items()) or "fewer rays"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
