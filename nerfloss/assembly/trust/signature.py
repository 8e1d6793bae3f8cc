"""Signature of a configuration that this user composed, in a comment at the end of its file.

It tells the configuration of one's own run from one that was downloaded or edited: both name code
in the same words. The key is a file of the user (``user_folder``), readable by them alone.
"""

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nerfloss.assembly.trust.packages import user_folder

log = logging.getLogger(__name__)

FILE = "key"
_COMMENT = re.compile(r"^# signature: ([0-9a-f]{64})\s*\Z", re.MULTILINE)


def with_signature(text: str, content: Mapping[str, Any]) -> str:
    """Return YAML text with the user's signature of its ``content``.

    Without a folder for the key, the text is returned as it is, with a warning in the log.
    """
    try:
        key = _key(create=True)
    except OSError as error:
        log.warning(
            "the run is not signed: %s cannot be written (%s). Its evaluation will ask for trust=",
            user_folder() / FILE,
            error.strerror,
        )
        return text
    assert key is not None
    unsigned = _COMMENT.sub("", text)
    return f"{unsigned.rstrip()}\n# signature: {_digest(key, content)}\n"


def is_signed(text: str, content: Mapping[str, Any]) -> bool:
    """Return True if YAML text bears this user's signature of its ``content``."""
    found = _COMMENT.search(text)
    if found is None:
        return False
    try:
        key = _key(create=False)
    except OSError:
        return False
    return key is not None and hmac.compare_digest(found[1], _digest(key, content))


def _digest(key: bytes, content: Mapping[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, default=str)
    return hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()


def _key(*, create: bool) -> bytes | None:
    """Return the user's key; None where there is none and ``create`` is false."""
    path = user_folder() / FILE
    try:
        key = path.read_bytes()
        if len(key) >= 32:
            return key
    except FileNotFoundError:
        pass
    if not create:
        return None
    return _new_key(path)


def _new_key(path: Path) -> bytes:
    """Write a new key, readable by the user alone; of two processes, both use the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    try:
        os.link(unfinished, path)  # fails where another process was faster
    except FileExistsError:
        if len(path.read_bytes()) < 32:
            os.replace(unfinished, path)
    except OSError:  # a file system without hard links
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path.read_bytes()
