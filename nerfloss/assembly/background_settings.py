"""Settings of the dataset that follow from a background model."""

from omegaconf import DictConfig, OmegaConf


def with_background_settings(cfg: DictConfig) -> DictConfig:
    """Return the configuration in which the dataset fits the background model, if there is one.

    Where these settings are ``auto``, images are used as stored, and the scene need not hold all
    that the images show. All pixels are drawn, also those far from the masks. Raises ValueError for
    a random background, which no model can learn.
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
    if "near_mask" in cfg.batch:
        cfg.batch.near_mask = None
    return cfg
