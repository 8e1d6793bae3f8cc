"""Settings of sweeps: seeds, objectives and ablations."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from nerfloss.assembly.ablation import ALL, Ablation, active_terms, as_json, read_ablation
from nerfloss.assembly.setting_checks import check_plain_settings, check_settings


def plain(cfg: DictConfig) -> dict[str, Any]:
    """Return a configuration as plain dicts and lists, with interpolations resolved."""
    content = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def weights_of(config: Mapping[str, Any]) -> dict[str, float]:
    """Return the weight of every term of a plain configuration, in the order of the recipe."""
    terms = (config.get("loss") or {}).get("terms") or {}
    weights = {n: t.get("weight", 1.0) for n, t in terms.items() if isinstance(t, Mapping)}
    # Other values are refused by the recipe, with their key.
    return {name: weight for name, weight in weights.items() if isinstance(weight, int | float)}


def base_asked(config: Mapping[str, Any]) -> list[str] | None:
    """Return the terms of ``ablate_base``; None for the default."""
    base = config.get("ablate_base")
    return base if base is None or isinstance(base, list) else [str(base)]


def ablation_of(config: Mapping[str, Any]) -> Ablation | None:
    """Return the ablation of a run, if any. Raises ValueError for a name that does not fit."""
    name = config.get("ablate")
    return None if name is None else read_ablation(name, weights_of(config), base_asked(config))


def ablated(cfg: DictConfig) -> DictConfig:
    """Return the configuration with weight 0 for the terms that ``ablate`` removes.

    They stay in the recipe, where they cost nothing, so that interpolations of their settings keep
    their values.
    """
    if OmegaConf.select(cfg, "ablate") is None:
        return cfg
    config = plain(cfg)
    ablation, weights = ablation_of(config), weights_of(config)
    assert ablation is not None
    cfg = cfg.copy()
    OmegaConf.resolve(cfg.loss)
    for term in weights.keys() - set(active_terms(ablation, weights, base_asked(config))):
        OmegaConf.update(cfg, f"loss.terms.{term}.weight", 0.0, force_add=True)
    return cfg


def several_ablations(cfg: DictConfig) -> Any:
    """Return ``ablate`` if it means several runs ("all" or a list of terms), else None."""
    asked = cfg.get("ablate")
    if OmegaConf.is_list(asked):
        return OmegaConf.to_container(asked)
    return ALL if asked == ALL else None


def write_ablation(config: Mapping[str, Any], folder: Path) -> None:
    """Write ablation.json into a run's folder if the run is an ablation."""
    ablation = ablation_of(config)
    if ablation is not None:
        content = as_json(ablation, weights_of(config), base_asked(config))
        (folder / "ablation.json").write_text(json.dumps(content, indent=2) + "\n")


def check_one_run(config: Mapping[str, Any], *, swept: bool) -> None:
    """Raise ValueError for settings that mean several runs, and for trainer.resume in a sweep."""
    check_plain_settings(config)
    seeds = config.get("seeds")
    if seeds is not None:
        shown = str(seeds).replace(" ", "")
        raise ValueError(
            f"seeds={shown} means several runs: add -m, as in 'nerfloss train -m seeds={shown}' "
            f"(with the sweeper 'grid', the default, or 'optuna'); one run takes seed=0"
        )
    resume = config["trainer"]["resume"]
    if swept and resume is not None:
        raise ValueError(
            f"trainer.resume={resume} resumes one run: remove -m. A sweep is resumed by its "
            f"command with hydra.sweep.dir=<its folder>"
        )


def check_settings_and_terms(config: Mapping[str, Any]) -> None:
    """Raise ValueError for what a run would refuse as it is built, before anything is built."""
    # Imported here: refused settings must not wait for torch.
    from nerfloss.recipe.parsing import check_terms

    check_settings(config)
    check_terms(config["loss"]["terms"])


def objectives_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the scores for a sweeper, each with "maximize" or "minimize"."""
    asked = config.get("objectives") or {}
    return {name: way for way in ("maximize", "minimize") for name in asked.get(way) or ()}
