"""The configuration of a stored run, checked before anything that it names is imported.

A configuration is code: ``_target_`` is imported and called, and resolvers of interpolations read
the environment. What the user types is theirs; what a file holds is checked, unless it bears the
user's own signature.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from nerfloss.assembly.config_files import parse_yaml
from nerfloss.assembly.renamed_settings import refuse_renamed_keys
from nerfloss.assembly.trust.packages import PHOTOGRAPHS, refusal_of, trusted_packages
from nerfloss.assembly.trust.signature import is_signed, with_signature
from nerfloss.assembly.trust.targets import fault_of_target
from nerfloss.files import atomic_write

Key = tuple[str, ...]
# A reference to another setting, and oc.select of a setting with a plain default.
_REFERENCE = re.compile(
    r"\$\{\s*(?:\.*[\w.\[\]]+|oc\.select:\s*\.*[\w.\[\]]+\s*(?:,\s*[\w.+-]+\s*)?)\}"
)


def read_stored(text: str, where: Path | str, typed: Mapping[Key, Any]) -> DictConfig:
    """Return the configuration in ``text``, of the file ``where``, without anything untrusted.

    ``typed`` are the settings that the user states themselves, by the parts of their key: what they
    replace is not checked. Raises ValueError with each key at fault, what it names, and the remedy,
    and for the configuration of an earlier version.
    """
    content = parse_yaml(text, where)
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{where} holds no settings: it is no configuration of a run")
    refuse_renamed_keys(content, where)
    if not is_signed(text, content):
        faults = list(_faults(content, (), typed, trusted_packages()))
        if faults:
            raise ValueError(_message(where, faults))
    found = OmegaConf.create(content)
    assert isinstance(found, DictConfig)
    return found


def signed_text(cfg: DictConfig) -> str:
    """Return a configuration of this user as YAML text, signed where it names code of their own.

    Without such code there is no need for a signature, and none is made.
    """
    text = OmegaConf.to_yaml(cfg)
    content = parse_yaml(text, "the configuration")
    foreign = next(_faults(content, (), {}, ()), None)
    return text if foreign is None else with_signature(text, content)


def keep_signed(cfg: DictConfig, folder: Path) -> None:
    """Write a configuration of this user to a run's folder again, signed.

    ``cfg`` is what the user's command has composed, never what a folder holds. Nothing is written
    where it names no code of their own, and where the run keeps no configuration.
    """
    saved, text = folder / ".hydra" / "config.yaml", signed_text(cfg)
    if saved.is_file() and text != OmegaConf.to_yaml(cfg):
        atomic_write(saved, text.encode())


def _faults(
    node: Any, key: Key, typed: Mapping[Key, Any], trusted: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the key, the value and the reason of everything that a stored file may not hold."""
    if key in typed and not isinstance(typed[key], Mapping):
        return
    if isinstance(node, dict):
        for name, inner in node.items():
            yield from _faults(inner, (*key, str(name)), typed, trusted)
        return
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _faults(inner, (*key, str(index)), typed, trusted)
        return
    shown = ".".join(key)
    if key and key[-1] == "_target_":
        if (reason := fault_of_target(node, trusted)) is not None:
            yield shown, str(node), reason
    elif isinstance(node, str) and "${" in _REFERENCE.sub("", node):
        yield shown, node, "reads the environment, or runs a resolver"


def _message(where: Path | str, faults: Sequence[tuple[str, str, str]]) -> str:
    """Return what is refused, and what the user can do about it."""
    names = [value for _, value, _ in faults if re.fullmatch(r"[A-Za-z_][\w.]*\.\w+", value)]
    packages = sorted({_to_trust(name) for name in names} - {""})
    lines = [f"{where} names what nerfloss does not run from a stored configuration:"]
    lines += [f"  {key}: {value} ({reason})" for key, value, reason in faults]
    lines.append(
        "You did not compose it on this machine, an earlier version wrote it, or it was edited. "
        "Code that it names would run with your rights."
    )
    if packages:
        listed = ",".join(packages)
        lines.append(
            f"If you know this code and trust whoever wrote the file, add trust=[{listed}] to the "
            "command (it is remembered)"
        )
    if any("${" in value for _, value, _ in faults):
        lines.append("State settings with ${...} yourself, as in dataset.path=FOLDER")
    if any(_to_trust(name) == "" for name in names):
        lines.append("No package of yours has the others: remove them from the file")
    return "\n".join(lines)


def _to_trust(name: str) -> str:
    """Return the package to trust for a target to be built; "" if none would do."""
    package = PHOTOGRAPHS if name.startswith(f"{PHOTOGRAPHS}.") else name.partition(".")[0]
    return package if refusal_of(package) is None else ""
