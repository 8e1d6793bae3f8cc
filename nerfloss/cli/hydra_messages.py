"""Errors of Hydra and OmegaConf in one line each, with the key and the remedy."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from nerfloss.assembly.config_groups import closest, config_groups
from nerfloss.assembly.dataset_choice import dataset_overrides
from nerfloss.cli.scene_options import TAKE_SETTINGS

_SETTING_MISTAKES = (TypeError, ValueError, ImportError, AttributeError, KeyError)


def hydra_message(error: BaseException) -> str | None:
    """Return what is wrong with the configuration; None for other errors, and for bugs in a part.

    A part that fails while it is built is a mistake in its settings if it raises one of
    TypeError, ValueError, KeyError, AttributeError and ImportError.
    """
    if isinstance(error, MissingConfigException):
        return _unknown_choice(error)
    if isinstance(error, OverrideParseException):
        return _unreadable_override(error)
    if isinstance(error, ConfigCompositionException):
        return _refused_override(error)
    if isinstance(error, InstantiationException):
        return _failed_part(error)
    if isinstance(error, InterpolationResolutionError) and error.__cause__ is not None:
        return str(error.__cause__)
    if isinstance(error, OmegaConfBaseException):
        _, resolver, own = (text := _first_line(error)).partition(
            " while resolving interpolation: "
        )
        if resolver:
            return own
        return f"{error.full_key}: {text}" if error.full_key else text
    if isinstance(error, HydraException):
        return str(error).strip()
    if isinstance(error, ValueError) and "group override must be" in str(error):
        return _choice_that_is_no_name()
    if isinstance(error, UserWarning) and (
        found := re.search(r"searchpath.*path=(\S+)", str(error))
    ):
        return f"hydra.searchpath: {found[1]} is not available: no such package or folder"
    return None


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file or "").rpartition("/")
    options = sorted(error.options or [])
    if not group:
        return f"there is no configuration file '{choice}'{closest(choice, options)}"
    hint = closest(choice, options)
    if not hint and options:
        listed = options if len(options) <= 12 else [*options[:12], "..."]
        hint = f"; there are {', '.join(listed)}"
    return f"{group}={choice}: the group '{group}' has no choice '{choice}'{hint}"


def _unreadable_override(error: OverrideParseException) -> str:
    typed = error.override
    key, equals, value = typed.partition("=")
    if not equals:
        found = f"'{typed}' is no override: write "
        if Path(typed).expanduser().exists() or "/" in typed.strip("/"):
            return (
                f"{found}dataset.path={typed} for a scene to train on, run={typed} for a run to "
                f"evaluate, trainer.resume={typed} for one to continue"
            )
        return f"{found}<setting>=<value> or <group>=<choice>"
    if value.startswith("~"):
        return f"{typed}: '~' is not expanded here: write {key}=$HOME{value[1:]}"
    return (
        f"'{typed}' cannot be read: a value with special characters needs quotes inside of the "
        f"shell's, as in '{key}=\"{value.strip(chr(34))}\"'"
    )


def _choice_that_is_no_name() -> str:
    """Return the message for ``loss=null`` and ``loss=3``, which Hydra refuses without the key."""
    groups = config_groups()
    typed = [word for word in sys.argv[1:] if word.partition("=")[0].lstrip("+") in groups]
    named = ", ".join(typed) or "a group"
    return f"{named}: a group takes the name of a choice; 'nerfloss list GROUP' lists them"


def _refused_override(error: ConfigCompositionException) -> str:
    text = str(error)
    if named := re.match(r"Could not override '([^']+)'", text):
        key = named[1]
        if key.partition("@")[0] in config_groups():
            return _unchosen_group(key)
        hint = closest(key, list(_names())) or f"; to add a new key, write +{key}=..."
        return f"no setting and no group is called '{key}'{hint}"
    if named := re.match(r"Could not append to config\. An item is already at '([^']+)'", text):
        return f"+{named[1]}: the setting exists: leave the + away to change it"
    if named := re.match(r"Multiple values for ([^.\s]+)\.", text):
        return f"{named[1]} is chosen twice: leave the + away to change the choice"
    if named := re.match(r"Could not delete from config\. '([^']+)' does not exist", text):
        return f"~{named[1]}: there is nothing to remove{closest(named[1], list(_names()))}"
    if named := re.search(r"Ambiguous value for argument '([^=']+)=(.*?)'", text):
        key, value = named[1], named[2]
        return f"{key}={value}: to run each of the values, add -m; for a list write {key}=[{value}]"
    cause = error.__cause__
    keyed = isinstance(cause, OmegaConfBaseException) and cause.full_key
    more = f" ({keyed}: {_first_line(cause)})" if keyed else ""
    return f"{_first_line(error)}{more}"


def _unchosen_group(group: str) -> str:
    """Return the message for a group of which the configuration has no choice to override."""
    if group == "loss/term":
        return "loss/term: to add a term, write +loss/term@loss.terms.NAME=TERM"
    return (
        f"{group}: a group takes the name of a choice ('nerfloss list {group}' lists them); "
        f"to choose from a group that is not chosen yet, write +{group}=..."
    )


def _failed_part(error: InstantiationException) -> str | None:
    cause, text = error.__cause__, str(error)
    key = text.rpartition("full_key: ")[2].strip() if "full_key: " in text else ""
    named = re.search(r"'([\w.]+)'", text)
    target = named[1] if named else ""
    prefix = f"{key}: " if key else ""
    if "locating target" in text:
        return f"{prefix}_target_={target} cannot be imported{_reason(cause, target)}"
    if cause is None:
        return f"{prefix}{_first_line(error)}"
    if not isinstance(cause, _SETTING_MISTAKES):
        return None
    return f"{prefix}{target}: {type(cause).__name__}: {cause}"


def _reason(error: BaseException | None, target: str) -> str:
    """Return the error inside of the target's module, or a remedy where there is no such module."""
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if isinstance(error, SyntaxError) or (missing and missing.partition(".")[0] not in target):
        return f": {type(error).__name__}: {error}"
    path, _, name = target.rpartition(".")
    if (module := sys.modules.get(path)) is not None:
        where = vars(module).get("__file__") or path
        return f": {where} has no '{name}'{closest(name, vars(module))}"
    return (
        "; write <package>.<module>.<name>, of a package that is installed or lies in the "
        "working directory"
    )


def _first_line(error: Any) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")


def _names() -> Iterator[str]:
    """Return the groups and the settings of the default configuration, by their dotted keys."""
    from nerfloss.assembly.composition import compose_config
    from nerfloss.assembly.renamed_settings import dotted_keys

    groups = config_groups()
    yield from groups
    # The groups that are chosen decide which settings exist; others may be mistyped as well.
    words = sys.argv[1:]
    chosen = [word for word in words if re.fullmatch(r"[\w/]+=[\w/]+", word)]
    folder = ["dataset.path=."] if words[:1] and words[0] in TAKE_SETTINGS else []
    chosen += dataset_overrides([*words, *folder])
    for overrides in (chosen, []):
        try:
            cfg = compose_config("train", overrides)
        except (HydraException, ValueError):
            continue
        yield from (key for key in dotted_keys(cfg) if key not in groups)
        return
