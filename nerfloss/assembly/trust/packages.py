"""Packages whose code a stored configuration may name: a file of the user, one name a line."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from nerfloss.files import atomic_write

VARIABLE = "NERFLOSS_CONFIG_DIR"
FILE = "trusted"
# Libraries with functions that load and run files; their modules can be trusted one by one.
_WHOLE_LIBRARIES = frozenset({"torch", "numpy", "scipy", "hydra", "omegaconf"})
# The part of nerfloss that conf/ names, and that writes a folder which its settings name.
PHOTOGRAPHS = "nerfloss.data.formats.photos"
_PREFIXES = ("trust=", "+trust=", "--trust=")


def user_folder() -> Path:
    """Return the folder of this user's settings: ``$NERFLOSS_CONFIG_DIR``, or the platform's."""
    if given := os.environ.get(VARIABLE):
        return Path(given).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming")) / "nerfloss"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "nerfloss"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "nerfloss"


def trusted_packages() -> tuple[str, ...]:
    """Return the packages and modules that this user has trusted, sorted."""
    try:
        lines = (user_folder() / FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(sorted({line.strip() for line in lines if refusal_of(line.strip()) is None}))


def remember(packages: Sequence[str]) -> Path:
    """Add packages to those that this user trusts; return the file that lists them.

    Raises ValueError for what is no package, and for Python's own and general libraries, whose
    functions can run any program. Raises OSError where the file cannot be written.
    """
    for name in packages:
        if (reason := refusal_of(name)) is not None:
            raise ValueError(f"trust=[{name}]: {reason}")
    path = user_folder() / FILE
    names = sorted({*trusted_packages(), *packages})
    atomic_write(path, "".join(f"{name}\n" for name in names).encode())
    return path


def refusal_of(name: str) -> str | None:
    """Return the reason why a package cannot be trusted; None if it can."""
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", name):
        return "no name of a package; write trust=[mylab], or trust=[mylab.losses]"
    first = name.partition(".")[0]
    if first == "nerfloss":
        return None if name == PHOTOGRAPHS else "nerfloss states itself what may be named"
    if first in sys.stdlib_module_names:
        return f"{first} is a part of Python, whose functions can run any program"
    if name in _WHOLE_LIBRARIES:
        return (
            f"functions of {name} can load and run any file; trust one of its modules, "
            f"as in trust=[{name}.<module>]"
        )
    return None


def without_trust(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return a command line without ``trust=[a,b]`` and ``--trust a``, and the packages named.

    Raises ValueError for ``--trust`` without a package.
    """
    kept: list[str] = []
    named: list[str] = []
    rest = iter(words)
    for word in rest:
        prefix = next((each for each in _PREFIXES if word.startswith(each)), None)
        if word != "--trust" and prefix is None:
            kept.append(word)
            continue
        value = next(rest, "") if prefix is None else word.removeprefix(prefix)
        names = [name for name in re.split(r"[\s,]+", value.strip("[] '\"")) if name]
        if not names:
            raise ValueError(f"{word} names no package: write trust=[mylab], or --trust mylab")
        named += names
    return kept, named
