"""Compose configurations by Hydra's loader, without its global state."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode
from hydra.version import VersionBase, setbase
from omegaconf import DictConfig, open_dict

from nerfloss.assembly.config_files import conf_dir
from nerfloss.assembly.renamed_settings import refuse_renamed


def compose_config(
    config_name: str, overrides: Sequence[str], *, searchpath: Sequence[str] = ()
) -> DictConfig:
    """Return the configuration that ``overrides`` make of a file in conf/.

    ``searchpath`` lists further folders of configurations, as ``pkg://mylab.conf``. A caller who
    has initialised Hydra keeps that state.

    Raises Hydra's errors for overrides that fit no configuration, and ValueError for old names.
    """
    refuse_renamed(overrides)
    words = [f"hydra.searchpath=[{','.join(searchpath)}]"] if searchpath else []
    with _version_base("1.3"):
        loader = ConfigLoaderImpl(create_config_search_path(str(conf_dir())))
        cfg = loader.load_configuration(
            config_name, [*words, *overrides], run_mode=RunMode.RUN, from_shell=False
        )
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


@contextmanager
def _version_base(version: str) -> Iterator[None]:
    """Let Hydra behave as this version does, for as long as the block lasts."""
    state = VersionBase.instance()
    before = state.version_base
    setbase(version)
    try:
        yield
    finally:
        state.version_base = before
