"""The command line that trains on a scene, quoted for Hydra and for the shell."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

# Photographs without masks show more than the object, which takes a model of its own.
WITHOUT_MASKS = ("background=contracted", "loss=photos_sdf")
# What Hydra reads as another value than the text.
_RESERVED = ("null", "true", "false", "nan", "inf")


def training_line(scene: Path, settings: Sequence[str] = ()) -> str:
    """Return the line that trains on a scene with further overrides, as Hydra reads them."""
    word = f"dataset.path={hydra_value(str(scene))}"
    return " ".join(["nerfloss", "train", *(_shell_word(each) for each in (word, *settings))])


def hydra_value(text: str) -> str:
    """Return text as the value of an override; in quotes unless it is plain."""
    plain = re.fullmatch(r"[./]*[A-Za-z_][\w./-]*", text, re.ASCII)
    if plain and text.lower() not in _RESERVED:
        return text
    # In quotes, Hydra's grammar reads \' as a quote, and backslashes before one in pairs.
    quoted = re.sub(r"(\\*)'", lambda found: found[1] * 2 + r"\'", text)
    quoted = re.sub(r"(\\+)$", lambda found: found[1] * 2, quoted)
    return f"'{quoted}'"


def _shell_word(word: str) -> str:
    """Quote a word for the shell; in double quotes, which read better around single ones."""
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
