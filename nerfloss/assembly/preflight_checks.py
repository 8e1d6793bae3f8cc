"""Checks of this machine before a run: packages of the extras that its configuration needs."""

from omegaconf import DictConfig, OmegaConf

from nerfloss.assembly.viewer.viewer_address import HOST, PORT


def preflight_checks(cfg: DictConfig) -> None:
    """Refuse a configuration of a training that this machine cannot carry out to its end.

    Raises ModuleNotFoundError for a missing package (``viewer=on``, ``eval.video=true``), and
    OSError for a port of the viewer that is taken.
    """
    if cfg.get("viewer", "off") == "on":
        from nerfloss.assembly.viewer.server import check_port, require_viser

        require_viser()
        check_port(cfg.get("viewer_host", HOST), cfg.get("viewer_port", PORT))
    check_video(cfg)


def check_video(cfg: DictConfig) -> None:
    """Raise ModuleNotFoundError where ``eval.video`` is set and the extra ``video`` is missing."""
    if OmegaConf.select(cfg, "eval.video"):
        from nerfloss.assembly.rendering.video_files import ffmpeg_program

        ffmpeg_program()
