"""Settings and groups that were renamed, and what they are called now: the only list of them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

# The former name of the density warm-up, in two parts: a search for it finds no other trace.
_WARMUP = "sc" + "out"

# Old dotted key -> new dotted key. A key stands for everything below it; the longest match wins.
RENAMED_SETTINGS: dict[str, str] = {
    "trainer.pace.checkpoint_every": "trainer.checkpoint_every",
    "trainer.pace.preview_every": "trainer.preview_every",
    "trainer.pace": "trainer.batch_size",
    "trainer.watchdog.after": "trainer.watchdog.grace_steps",
    "trainer.watchdog.patience": "trainer.watchdog.window",
    "trainer.watchdog.long": "trainer.watchdog.stall_window",
    "trainer.optimizer.warmup": "trainer.optimizer.warmup_steps",
    "trainer.optimizer.final": "trainer.optimizer.end_factor",
    "trainer.optimizer.cooldown": "trainer.optimizer.cooldown_fraction",
    "trainer.optimizer.clip": "trainer.optimizer.max_grad_norm",
    "model.optimizer.rates": "model.optimizer.learning_rates",
    "model.optimizer.waits": "model.optimizer.freeze_steps",
    "model.field.grid.log2_table": "model.field.grid.log2_hashmap_size",
    "model.field.grid.base": "model.field.grid.base_resolution",
    "model.field.grid.finest": "model.field.grid.max_resolution",
    "model.field.network.grid.log2_table": "model.field.network.grid.log2_hashmap_size",
    "model.field.network.grid.base": "model.field.network.grid.base_resolution",
    "model.field.network.grid.finest": "model.field.network.grid.max_resolution",
    "sampler.density.grid.log2_table": "sampler.density.grid.log2_hashmap_size",
    "sampler.density.grid.base": "sampler.density.grid.base_resolution",
    "sampler.density.grid.finest": "sampler.density.grid.max_resolution",
    "initialization.warmup.finest": "initialization.warmup.max_resolution",
    "start": "initialization",
    "start.trust": "initialization.min_explained_variance",
    "start.doubt": "initialization.region_opacity_threshold",
    "start.reach": "initialization.region_margin",
    f"start.{_WARMUP}": "initialization.warmup",
    f"start.{_WARMUP}.finest": "initialization.warmup.max_resolution",
    f"start.{_WARMUP}.network_rate": "initialization.warmup.network_learning_rate",
    f"start.{_WARMUP}.final": "initialization.warmup.end_factor",
    f"start.{_WARMUP}.warmup": "initialization.warmup.warmup_steps",
    f"start.{_WARMUP}.resolution": "initialization.warmup.occupancy_resolution",
    "start.solidity": "initialization.free_space_carving",
    "start.solidity.most_votes": "initialization.free_space_carving.max_votes",
    "start.solidity.share": "initialization.free_space_carving.min_view_fraction",
    "start.solidity.spent": "initialization.free_space_carving.opacity_threshold",
    "start.solidity.views": "initialization.free_space_carving.max_views",
    "dataset.residence": "dataset.image_storage",
    "dataset.half_seen": "dataset.one_sided_views",
    "eval.mesh.largest_component": "eval.mesh.components",
    "sampler.mix": "sampler.uniform_fraction",
    "sampler.density_mix": "sampler.density_uniform_fraction",
    "sampler.explore": "sampler.exploration_samples",
    "sampler.sharpest": "sampler.max_sharpness",
    "sampler.threshold": "sampler.density_threshold",
    "sampler.decay": "sampler.density_decay",
    "sampler.slope": "sampler.anneal_slope",
}

# (group, old choice) -> new "group=choice".
RENAMED_CHOICES: dict[tuple[str, str], str] = {
    ("start", "hull"): "initialization=visual_hull",
    ("start", _WARMUP): "initialization=density_warmup",
    ("experiment", "toy_sphere_start"): "experiment=toy_sphere_initialization",
}


def refuse_renamed(overrides: Sequence[str]) -> None:
    """Raise ValueError where an override uses the old name of a setting, a group or a choice."""
    for word in overrides:
        typed = word.lstrip("+~")
        key, _, value = typed.partition("=")
        group = key.partition("@")[0]
        new = RENAMED_CHOICES.get((group, value))
        if new is not None:
            raise ValueError(f"{typed} was renamed to {new}")
        if (renamed := renamed_key(group.replace("/", "."))) is not None:
            raise ValueError(f"{key} was renamed to {renamed}: write {renamed}={value or '...'}")


def refuse_renamed_keys(config: Mapping[Any, Any], origin: object) -> None:
    """Raise ValueError where a configuration has settings by old names, or parts that moved.

    ``origin`` names the configuration in the message, e.g. the file that it was read from.
    """
    old = [(key, new) for key in dotted_keys(config) if (new := RENAMED_SETTINGS.get(key))]
    listed = [f"  {key} was renamed to {new}" for key, new in old]
    listed += [f"  {target}: there is no such module now" for target in _moved(config)]
    if listed:
        raise ValueError(
            f"{origin} was written by an earlier version of nerfloss:\n"
            + "\n".join(dict.fromkeys(listed))
            + "\nUse that version (provenance.json in the run's folder names its commit), or train "
            "the run again"
        )


def renamed_key(key: str) -> str | None:
    """Return the present name of a dotted key, by the longest old name it begins with."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        new = RENAMED_SETTINGS.get(".".join(parts[:length]))
        if new is not None:
            return ".".join([new, *parts[length:]])
    return None


def dotted_keys(node: Any, prefix: str = "") -> list[str]:
    """Return every key of nested mappings, with dots; values are not resolved."""
    if not isinstance(node, Mapping):
        return []
    found = []
    for key, inner in _items(node):
        found += [f"{prefix}{key}", *dotted_keys(inner, f"{prefix}{key}.")]
    return found


def _moved(node: Any) -> Iterator[str]:
    """Yield the targets in this package whose module does not exist."""
    if isinstance(node, Mapping):
        for key, inner in _items(node):
            if key == "_target_" and str(inner).startswith("nerfloss.") and not _exists(str(inner)):
                yield str(inner)
            yield from _moved(inner)


def _exists(target: str) -> bool:
    root = Path(__file__).resolve().parents[1]
    parts = target.split(".")[1:-1]
    # The last part names an object of a module, or a method of a class in it.
    places = [root.joinpath(*parts[:length]) for length in (len(parts), len(parts) - 1) if length]
    return any(
        place.with_suffix(".py").is_file() or (place / "__init__.py").is_file() for place in places
    )


def _items(node: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the pairs of a mapping; of a configuration without resolving interpolations."""
    if OmegaConf.is_config(node):
        node = cast(Mapping[Any, Any], OmegaConf.to_container(cast(Any, node), resolve=False))
    yield from node.items()
