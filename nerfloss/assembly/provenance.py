"""Where a run's numbers come from: provenance.json, begun with the run, completed when it ends."""

import hashlib
import json
import logging
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from nerfloss.files import atomic_write
from nerfloss.training.distributed.torchrun_env import program

log = logging.getLogger(__name__)

FILE = "provenance.json"
PACKAGES = ("nerfloss", "torch", "numpy", "numba", "hydra-core")
# Settings that change nothing in what a run computes and writes.
NOT_COUNTED = ("trainer.resume", "objectives", "hardware", "dataset.image_storage")
RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"


def config_hash(config: Mapping[str, Any]) -> str:
    """A fingerprint of a composed configuration, as plain values: 16 hexadecimal digits.

    ``NOT_COUNTED`` is left out, and so is the order of keys, but for the terms of the loss: they
    are summed in their order.
    """
    terms = list((config.get("loss") or {}).get("terms") or {})
    text = json.dumps([_without(config, NOT_COUNTED), terms], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_provenance(folder: Path) -> Mapping[str, Any] | None:
    """What a run's folder says of itself; None where there is no such file, or a damaged one."""
    try:
        content = json.loads((folder / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


@contextmanager
def recorded(
    folder: Path,
    config: Mapping[str, Any],
    *,
    overrides: Sequence[str],
    hardware: str | None = None,
    same: bool = False,
) -> Iterator[dict[str, Any]]:
    """Write provenance.json now and, with how it ended, when the ``with`` block is left.

    ``overrides`` are the run's own: with them it can be repeated. What is yielded may be told
    ``status``; it is "finished" otherwise, and "failed" with the error where one passes through. A
    run that goes on keeps when it began; when it was taken up again is listed under ``resumed``.
    ``hardware`` is the preset that the configuration was made with, where ``config`` says auto;
    ``same`` that the run which the folder holds goes on as it is.
    """
    earlier, now = read_provenance(folder), _now()
    content: dict[str, Any] = {"status": RUNNING, "error": None, **_sources(config, overrides)}
    content |= {"hardware": hardware, "started": now, "ended": None, "resumed": []}
    if same and earlier is not None:
        content["config_hash"] = earlier.get("config_hash")
    if earlier is not None and earlier.get("config_hash") == content["config_hash"]:
        content |= {key: earlier[key] for key in ("started", "command") if key in earlier}
        content["resumed"] = [*earlier.get("resumed", []), now]
    _write(folder, content)
    try:
        yield content
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt)
        content["status"] = STOPPED if stopped else FAILED
        content["error"] = None if stopped else f"{type(error).__name__}: {error}"
        raise
    else:
        content["status"] = FINISHED if content["status"] == RUNNING else content["status"]
    finally:
        content["ended"] = _now()
        _write_end(folder, content)


def _sources(config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """What decides a run's numbers, and what they were computed on."""
    import torch

    return {
        "config_hash": config_hash(config),
        "command": f"{program()} {shlex.join(overrides)}".rstrip(),
        "seed": config.get("seed"),
        "git": _git(),
        "versions": {"python": platform.python_version(), **_versions()},
        "device": _device_name(str(config.get("device"))),
        "host": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
        },
    }


def _git() -> dict[str, Any] | None:
    """Commit of the working directory's repository, and whether its files differ from it."""
    commit = _said_by_git("rev-parse", "HEAD")
    if not commit:
        return None
    changed = _said_by_git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changed)}


def _said_by_git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def _device_name(asked: str) -> str:
    """The processor's name, or the GPU's where the run is on one."""
    import torch

    if asked != "cpu" and torch.cuda.is_available():
        try:
            return torch.cuda.get_device_name(None if asked == "auto" else asked)
        except (RuntimeError, ValueError, AssertionError):
            return asked  # no such device: the run will say so
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _without(config: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """A copy without these dotted keys."""
    kept = dict(config)
    for key in keys:
        first, _, rest = key.partition(".")
        if first not in kept:
            continue
        if rest and isinstance(kept[first], Mapping):
            kept[first] = _without(kept[first], [rest])
        elif not rest:
            del kept[first]
    return kept


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _write(folder: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all: what is half written could not say what the folder holds."""
    atomic_write(folder / FILE, f"{json.dumps(content, indent=2, default=str)}\n".encode())


def _write_end(folder: Path, content: Mapping[str, Any]) -> None:
    """How a run ended matters more than that it could not be written down."""
    try:
        _write(folder, content)
    except OSError as error:
        log.warning("%s", error)
