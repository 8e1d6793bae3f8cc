"""Checkpoints: the state of a run in one file, written atomically, loaded without running code."""

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nerfloss.files import atomic_write

VERSION = 3
_FORMAT = "nerfloss checkpoint"
_SCALARS = (bool, int, float, str, type(None))


class CheckpointError(RuntimeError):
    """A file that is damaged, or not a checkpoint of nerfloss."""


def save(path: Path | str, state: Mapping[str, Any]) -> None:
    """Write ``state`` to ``path`` atomically.

    The state is a nested dict of tensors, numbers, strings, lists and tuples; anything else is a
    TypeError that names the key. The file is written under another name, flushed to the disk and
    renamed. Where writing fails (a full disk), OSError is raised and the previous checkpoint stays.
    """
    path = Path(path)
    content = {"format": _FORMAT, "version": VERSION, "state": _plain(state, "state")}
    # Serialised in memory first: torch's writer hides the cause when a disk is full.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    atomic_write(path, buffer.getbuffer(), durable=True)


def load(
    path: Path | str, device: torch.device | str = "cpu", *, parts: Collection[str] = ()
) -> dict[str, Any]:
    """Read the state that ``save`` wrote, its tensors on ``device``.

    Only tensors and plain values are read (``weights_only``), so a file from a stranger is safe.
    Raises FileNotFoundError for a missing file and CheckpointError for a damaged or foreign one, or
    one without all ``parts``.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: give the file, or a run's folder")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the type depends on where the damage is
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint: it is damaged, cut short or of another kind "
            f"({type(error).__name__}: {_first_line(error)})"
        ) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise CheckpointError(f"{path} was not written by nerfloss: it lacks the mark '{_FORMAT}'")
    if content["version"] != VERSION:
        raise CheckpointError(
            f"{path} has checkpoint format {content['version']}, this nerfloss reads {VERSION}: "
            f"use the release that wrote it"
        )
    state = content["state"]
    if missing := sorted(set(parts) - set(state)):
        raise CheckpointError(
            f"{path} is not the checkpoint of a run: it lacks {', '.join(missing)}; give the run's "
            f"folder, or its checkpoints/last.pt"
        )
    return _moved(state, torch.device(device))


def latest(run: Path | str) -> Path:
    """Return the newest checkpoint of a run: its folder, its checkpoints/ or a file there.

    Raises FileNotFoundError that says what the folder holds instead.
    """
    run = Path(run)
    if run.is_file():
        return run
    for folder in (run / "checkpoints", run):
        if (folder / "last.pt").is_file():
            return folder / "last.pt"
    if not run.is_dir():
        raise FileNotFoundError(f"there is no run at {run}: give the folder that a run wrote")
    content = ", ".join(sorted(entry.name for entry in run.iterdir())[:8]) or "nothing"
    raise FileNotFoundError(
        f"{run} holds no checkpoints/last.pt, but {content}: give the folder of one run that saved"
    )


def _plain(value: Any, key: str) -> Any:
    """Return ``value`` in types that load without running code; ``key`` is its name in errors."""
    if isinstance(value, Tensor):
        tensor = value.detach()
        # torch.save writes the whole storage of a view.
        return tensor.clone() if tensor.untyped_storage().nbytes() > tensor.nbytes else tensor
    # Exact types: numpy's float64 is an instance of float, but weights_only cannot load it.
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Mapping):
        for name in value:
            if type(name) not in (str, int):
                raise TypeError(f"{key}: a key must be a string or an int, got {name!r}")
        return {name: _plain(entry, f"{key}.{name}") for name, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(entry, f"{key}[{i}]") for i, entry in enumerate(value))
    raise TypeError(
        f"{key} is a {type(value).__module__}.{type(value).__qualname__}: a checkpoint holds "
        f"tensors, numbers, strings, lists and dicts only; convert it, e.g. by float() or .tolist()"
    )


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {name: _moved(entry, device) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_moved(entry, device) for entry in value)
    return value


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]


def check_counts(state: Mapping[str, Any], names: Collection[str]) -> None:
    """Raise ValueError where parts of a state are not whole numbers of at least 0."""
    for name in names:
        if not isinstance(state[name], int) or state[name] < 0:
            raise ValueError(f"{name} is {state[name]!r:.40}, no count")


@contextmanager
def fitting(path: Path, changed: Sequence[str] = ()) -> Iterator[None]:
    """Turn errors of parts that read their state into a CheckpointError that names the file.

    ``changed`` are overrides of the run that wrote it: the error names them.
    """
    try:
        yield
    except (CheckpointError, torch.OutOfMemoryError):
        raise
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        cause = "is of another configuration, or damaged; take the checkpoint of the same run"
        if changed:
            cause = f"cannot go on with {' '.join(changed)}, unless the file is damaged: resume "
            cause += "without what changes parameters, or train another run"
        raise CheckpointError(
            f"{path} does not hold the state of this run ({type(error).__name__}: {why:.300}): it "
            f"{cause}"
        ) from error
