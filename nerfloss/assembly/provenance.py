"""Provenance of a run: provenance.json, written at its start and completed at its end."""

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
from dataclasses import asdict
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from nerfloss.assembly.result_settings import affects_scores, flat
from nerfloss.files import atomic_write
from nerfloss.training.distributed.torchrun_env import launch_command

log = logging.getLogger(__name__)

FILE = "provenance.json"
PACKAGES = ("nerfloss", "torch", "numpy", "numba", "hydra-core")
RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"


def config_hash(config: Mapping[str, Any]) -> str:
    """Return a hash of a composed configuration, as plain values: 16 hexadecimal digits.

    Settings that do not affect scores are ignored, and so is the order of keys, except that of
    the loss terms: they are summed in this order.
    """
    loss = config.get("loss")
    terms = loss.get("terms") if isinstance(loss, Mapping) else None
    order = list(terms) if isinstance(terms, Mapping) else []
    counted = {key: value for key, value in flat(config) if affects_scores(key)}
    text = json.dumps([counted, order], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_provenance(folder: Path) -> Mapping[str, Any] | None:
    """Return the content of provenance.json in a run's folder; None if missing or damaged."""
    try:
        content = json.loads((folder / FILE).read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


@contextmanager
def recorded(
    folder: Path,
    config: Mapping[str, Any],
    *,
    overrides: Sequence[str],
    hardware: str | None = None,
    resumed: bool = False,
    same: bool = False,
) -> Iterator[dict[str, Any]]:
    """Write provenance.json at the start of the ``with`` block, and again at its end.

    ``overrides`` reproduce the run. The yielded mapping takes the final ``status``; the default is
    "finished", or "failed" with the error if an exception leaves the block. A resumed run keeps its
    start time, and the times of resumption are appended to ``resumed``. ``interventions`` are the
    weights that a person changed while it trained, ``changed`` the settings that it was resumed
    with and did not have before: with either, ``config_hash`` does not determine the scores.
    ``hardware`` is the resolved hardware preset. ``resumed``: the run in the folder goes on, and
    with ``same`` it has its own configuration.
    """
    # Imported here, as torch below: sweepers read this module, and help waits for neither.
    from nerfloss.training.callbacks.interventions import read_interventions

    earlier, now = read_provenance(folder), _now()
    content: dict[str, Any] = {"status": RUNNING, "error": None, **_sources(config, overrides)}
    content |= {"hardware": hardware, "started": now, "ended": None, "resumed": [], "changed": []}
    if same and earlier is not None:
        content["config_hash"] = earlier.get("config_hash")
    again = earlier is not None and earlier.get("config_hash") == content["config_hash"]
    if earlier is not None and (resumed or again):
        content |= {key: earlier[key] for key in ("started", "command") if key in earlier}
        content["resumed"] = [*earlier.get("resumed", []), now]
        changed = earlier.get("changed")
        content["changed"] = changed if isinstance(changed, list) else []
    write_provenance(folder, content)
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
        content["interventions"] = [asdict(each) for each in read_interventions(folder)]
        _write_end(folder, content)


def _sources(config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return everything that determines the scores: configuration, code, versions, machine."""
    import torch

    return {
        "config_hash": config_hash(config),
        "command": f"{launch_command()} {shlex.join(overrides)}".rstrip(),
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
    """Return the commit of the working directory, and whether tracked files were modified."""
    commit = _git_output("rev-parse", "HEAD")
    if not commit:
        return None
    changed = _git_output("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changed)}


def _git_output(*words: str) -> str | None:
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
    """Return the name of the GPU that the run uses, else that of the processor."""
    import torch

    if asked != "cpu" and torch.cuda.is_available():
        try:
            return torch.cuda.get_device_name(None if asked == "auto" else asked)
        except (RuntimeError, ValueError, AssertionError):
            return asked  # the run itself reports a missing device
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def write_provenance(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the file atomically: a partial one could not be read after a crash."""
    atomic_write(folder / FILE, f"{json.dumps(content, indent=2, default=str)}\n".encode())


def _write_end(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the file; log a failure, so that it does not replace the error of the run."""
    try:
        write_provenance(folder, content)
    except OSError as error:
        log.warning("%s", error)
