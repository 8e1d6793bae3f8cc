"""Download of published weights into a cache folder: once, verified by SHA-256, atomically."""

import hashlib
import http.client
import logging
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

OFFLINE = "NERFLOSS_OFFLINE"  # environment variable; any value but 0 switches downloads off
TIMEOUT = 10.0  # seconds until a connection or a read counts as failed
BLOCK = 2**18  # bytes per read
LOG_INTERVAL = 5.0  # seconds between two log lines of one download

log = logging.getLogger(__name__)
# Reasons of failed attempts, by host or URL: a process waits for the same time-out only once.
_failures: dict[str, str] = {}


class MissingWeights(ValueError):
    """Weights that are neither on disk nor can be downloaded, or are not the published ones."""


@dataclass(frozen=True)
class PublishedFile:
    """A file of weights on the web.

    Args:
        name: file name in the cache.
        content: description for messages, e.g. ``weights``.
        url: address of the file.
        sha256: its SHA-256 in hexadecimal digits, or the first of them.
    """

    name: str
    content: str
    url: str
    sha256: str


def download(file: PublishedFile, folder: Path) -> Path:
    """Download a file into a folder and return its path.

    The file gets its name only once it is complete and its SHA-256 is right, so several processes
    may download it at the same time. Progress is shown. Raises MissingWeights, with the URL and
    the path to save it as, where the environment variable NERFLOSS_OFFLINE is set or the download
    fails; a failed attempt is not repeated in the same process.
    """
    host = urllib.parse.urlsplit(file.url).netloc
    reason = _failures.get(host) or _failures.get(file.url)
    if os.environ.get(OFFLINE, "0") not in ("", "0"):
        reason = f"{OFFLINE} is set"
    if reason is None:
        try:
            return _download(file, folder)
        except urllib.error.HTTPError as error:
            error.close()
            reason = _failures[file.url] = f"{host} answers {error.code} {error.reason}"
        except urllib.error.URLError as error:
            why = error.reason.strerror if isinstance(error.reason, OSError) else None
            reason = _failures[host] = f"no connection to {host}: {why or error.reason}"
        except (OSError, http.client.HTTPException, MissingWeights) as error:
            reason = _failures[file.url] = str(error) or type(error).__name__
    raise missing_weights(file, folder, reason)


def missing_weights(file: PublishedFile, folder: Path, reason: str) -> MissingWeights:
    """Return the error for a file that is not there, with the reason and the remedy."""
    return MissingWeights(
        f"the {file.content} {file.name} are missing ({reason}); save {file.url} as "
        f"{folder / file.name}; 'nerfloss weights' lists all"
    )


def _download(file: PublishedFile, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.name
    partial = folder / f"{file.name}.{uuid.uuid4().hex}.partial"
    try:
        with urllib.request.urlopen(file.url, timeout=TIMEOUT) as response:
            size = int(response.headers.get("Content-Length") or 0)
            log.info("downloading %s (%.0f MB) to %s", file.name, size / 1e6, folder)
            with partial.open("xb") as out:
                digest = _copy(response, out, file.name, size)
        if not digest.startswith(file.sha256):
            raise MissingWeights(f"the download has SHA-256 {digest[:8]}..., not {file.sha256[:8]}")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _bar() -> Any:
    """Return a bar on stderr; it is disabled where that is no terminal."""
    from rich import console as terminal
    from rich import progress

    console = terminal.Console(stderr=True)
    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _copy(response: BufferedIOBase, out: BufferedIOBase, name: str, size: int) -> str:
    """Copy all bytes and return their SHA-256.

    Progress is a bar in a terminal, and lines in the log elsewhere.
    """
    digest, copied, logged = hashlib.sha256(), 0, time.monotonic()
    with _bar() as bar:
        task = bar.add_task(name, total=size or None)
        while block := response.read(BLOCK):
            out.write(block)
            digest.update(block)
            copied += len(block)
            bar.update(task, completed=copied)
            if bar.disable and size and time.monotonic() - logged > LOG_INTERVAL:
                logged = time.monotonic()
                log.info("%s: %.0f %% of %.0f MB", name, 100 * copied / size, size / 1e6)
    if copied < size:
        raise MissingWeights(f"the connection broke after {copied} of {size} bytes")
    return digest.hexdigest()
