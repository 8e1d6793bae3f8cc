"""Parsed overrides of a sweep, and expansion of ``seeds``."""

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf


def read_overrides(words: Sequence[str], loader: Any = None) -> list[Override]:
    """Parse overrides; the ``loader`` resolves globs."""
    return OverridesParser.create(config_loader=loader).parse_overrides(list(words))


def seeds_of(config: DictConfig, typed: Sequence[Override]) -> list[int] | None:
    """Return ``seeds``; None if it is not set. Raises ValueError for anything but integers."""
    seeds = config.get("seeds")
    keys = {each.get_key_element(): each.is_sweep_override() for each in typed}
    if keys.get("seeds"):
        raise ValueError("seeds takes a list: seeds=[0,1,2]; or sweep the seed: seed=0,1,2")
    if seeds is None:
        return None
    found: Any = OmegaConf.to_container(seeds) if OmegaConf.is_list(seeds) else seeds
    whole = isinstance(found, list) and all(type(seed) is int for seed in found)
    if not whole or not found:
        raise ValueError(f"seeds={found} is no list of whole numbers: seeds=[0,1,2]")
    if "seed" in keys:
        raise ValueError("seed and seeds were both given: leave one of them away")
    return found


def with_seeds(words: Sequence[Sequence[str]], seeds: Sequence[int]) -> Iterator[list[str]]:
    """Yield every combination once for each seed, at the place of ``seeds`` or at the end."""
    for each in words:
        is_seeds = [word.partition("=")[0] == "seeds" for word in each]
        if any(is_seeds):
            before, after = each[: is_seeds.index(True)], each[is_seeds.index(True) :]
            after = [word for word in after if word.partition("=")[0] != "seeds"]
        else:
            # An experiment's file sets them; each job has to be a single run.
            before, after = each, ["seeds=null"]
        for seed in seeds:
            yield [*before, f"seed={seed}", *after]
