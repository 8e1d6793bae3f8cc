"""Settings that follow from a background model."""

import logging

from omegaconf import DictConfig, OmegaConf

log = logging.getLogger(__name__)

# Distance to a camera, in scene units, from which gradients are whole.
GRADIENT_SCALING = 1.0


def with_background_settings(cfg: DictConfig) -> DictConfig:
    """Return the configuration in which all else fits the background model, if there is one.

    Where these settings are ``auto``, images are used as stored, and the scene need not hold all
    that the images show. All pixels are drawn, also those far from the masks. Cameras may stand
    amid the scene: gradients are scaled near them, unless a distance is chosen. Raises ValueError
    for a random background, which no model can learn.
    """
    if cfg.get("background") is None:
        return cfg
    copy = OmegaConf.create(OmegaConf.to_container(cfg))
    assert isinstance(copy, DictConfig)
    cfg = copy
    if cfg.dataset.get("background") == "random":
        raise ValueError(
            "dataset.background=random draws a colour per ray, which a background model cannot "
            "learn: use dataset.background=auto, or background=none"
        )
    for name, value in (("background", "none"), ("scene_scale", "background")):
        if cfg.dataset.get(name) == "auto":
            cfg.dataset[name] = value
    if cfg.model.renderer.get("gradient_scaling", 0) is None:  # runs of earlier versions have none
        cfg.model.renderer.gradient_scaling = GRADIENT_SCALING
        log.info(
            f"background: gradients of samples within {GRADIENT_SCALING:g} scene unit of their "
            f"camera are reduced, against floaters; model.renderer.gradient_scaling=0: none are"
        )
    if "near_mask" in cfg.batch:
        cfg.batch.near_mask = None
    return cfg
