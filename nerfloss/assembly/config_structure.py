"""Check that a configuration has parts where parts belong, and only settings that are read."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from nerfloss.assembly.config_files import conf_dir, read_yaml
from nerfloss.assembly.config_groups import closest

# Parts of a configuration, by the mapping that they stand in, and those that null leaves away.
_PARTS = {
    "": ("dataset", "batch", "sampler", "loss", "eval"),
    "model.": ("field", "renderer"),
    "trainer.": ("batch_size", "optimizer"),
}
PARTS = tuple(f"{place}{name}" for place, names in _PARTS.items() for name in names)
_OPTIONAL = ("initialization", "background", "appearance", "cameras")
OPTIONAL_PARTS = (*_OPTIONAL, "trainer.watchdog", "eval.mesh")
# Mappings that are no parts, with names of any kind.
_MAPPINGS = ("model.optimizer", "model.renderer.rules", "quantities", "loss.terms")
_OF_MODEL = ("field", "renderer", "cache", "optimizer")
MISSING = object()


def faults_of_structure(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a fault for each part or mapping that is none, and each setting that nothing reads."""
    for key in ("trainer", "model", *_MAPPINGS):
        mapping = select(config, key)
        if mapping is not MISSING and not isinstance(mapping, Mapping):
            yield f"{key}={mapping}: has settings of its own: {key}.<name>=..."
    yield from _unread("trainer", config, read_yaml(conf_dir() / "trainer" / "default.yaml"))
    yield from _unread("model", config, _OF_MODEL)
    for key in (*PARTS, *OPTIONAL_PARTS):
        part = select(config, key)
        if part is MISSING or (part is None and key in OPTIONAL_PARTS):
            continue
        if not isinstance(part, Mapping):
            yield f"{key}={part}: is a part with settings of its own: {key}.<name>=..."
        elif "_target_" not in part:
            yield f"{key}: has no _target_: an override or a file has removed or nulled the part"


def select(config: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted key; MISSING where there is none."""
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return MISSING
        node = node[part]
    return node


def _unread(key: str, config: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    mapping = config.get(key)
    for name in mapping if isinstance(mapping, Mapping) else ():
        if name not in names:
            hint = closest(str(name), names)
            yield f"{key} has no setting '{name}'{hint} (to remove it: ~{key}.{name})"
