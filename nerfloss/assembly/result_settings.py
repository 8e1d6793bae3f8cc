"""Settings that do not affect the scores of a run: the only list of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from nerfloss.assembly.renamed_settings import RENAMED_CHOICES, RENAMED_SETTINGS

# A key stands for everything below it.
NO_EFFECT = (
    "seeds",
    "objectives",
    "diagnostics",
    "hardware",
    "viewer",
    "viewer_host",
    "viewer_port",
    "dataset.image_storage",
    "kernels.torch_threads",
    "trainer.resume",
    "trainer.checkpoint_every",
    "trainer.preview_every",
    "eval.images",
    "eval.chunk",
    "eval.mesh.chunk",
)


def affects_scores(key: str) -> bool:
    """Return False for the dotted key of a setting that leaves every score as it is."""
    return not any(key == other or key.startswith(f"{other}.") for other in NO_EFFECT)


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys and values of a nested mapping; lists and empty mappings are values."""
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def with_current_names(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration of an old run under the present names of its settings."""
    keys = [key for key, _ in flat(config)]
    if all(current_name(key) == key for key in keys):
        return config
    renamed: dict[str, Any] = {}
    for key, value in flat(config):
        *groups, last = current_name(key).split(".")
        inner = renamed
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[last] = value
    return renamed


def current_name(key: str) -> str:
    """Return the present name of a setting: the longest renamed prefix is replaced."""
    prefix = key
    while prefix not in RENAMED_SETTINGS and "." in prefix:
        prefix = prefix.rpartition(".")[0]
    return RENAMED_SETTINGS.get(prefix, prefix) + key[len(prefix) :]


def current_override(key: str, value: str) -> tuple[str, str]:
    """Return an override of an old run under its present name."""
    name, mark, choice = RENAMED_CHOICES.get((key, value), "").partition("=")
    return (name, choice) if mark else (current_name(key), value)
