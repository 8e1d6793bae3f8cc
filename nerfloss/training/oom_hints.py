"""A run that has no memory left: which of its settings to lower, and where it goes on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nerfloss.memory import OutOfMemory, ran_out

# How much a step does: lower it in any run, one that goes on included.
OF_A_STEP = (
    "trainer.batch_size.samples",
    "trainer.batch_size.max_rays",
    "model.renderer.space_points",
)
# What is learned or kept: the names, anywhere in a model or a sampler.
OF_A_MODEL = ("log2_table", "levels", "resolution")


@contextmanager
def advised(folder: Path, config: Mapping[str, Any]) -> Iterator[None]:
    """Say what to lower where the ``with`` block runs out of memory; it fails as OutOfMemory.

    ``config`` is the run's configuration as plain values, ``folder`` the run's. Its checkpoint is
    left as it is: what a step left half done is not saved.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        said = (str(error).strip().splitlines() or ["no more is said"])[0]
        where = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        # What failed goes on as a context: without its frames, for these hold the tensors.
        error.__traceback__ = None
        raise OutOfMemory(f"out of memory{where}: {said}\n{_advice(folder, config)}") from None


def _advice(folder: Path, config: Mapping[str, Any]) -> str:
    flat = dict(_flat(config))
    step = {key: flat[key] for key in OF_A_STEP if key in flat}
    kept = {
        key: value
        for key, value in flat.items()
        if key.startswith(("model.", "sampler.")) and key.rpartition(".")[2] in OF_A_MODEL
    }
    lines = [f"  lower what a step does: {_listed(step)}"]
    if kept:
        lines.append(f"  or, in a run of its own, what is learned: {_listed(kept)}")
    if config.get("dataset", {}).get("image_storage") in ("auto", "device"):
        lines.append("  or let the images wait elsewhere: dataset.image_storage=host")
    return "\n".join([*lines, f"  {_how_to_go_on(folder, step)}"])


def _how_to_go_on(folder: Path, step: Mapping[str, Any]) -> str:
    if not (folder / "checkpoints" / "last.pt").is_file():
        return "nothing was saved yet: begin again"
    samples = step.get("trainer.batch_size.samples")
    lower = (
        f" trainer.batch_size.samples={max(samples // 2, 1)}" if isinstance(samples, int) else ""
    )
    return f"the last checkpoint is whole: python train.py trainer.resume={folder}{lower}"


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items()) or "fewer rays"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
