"""Run a Hydra application as a command: its flags, its search path, and the end of a failed job."""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from omegaconf import DictConfig

from nerfloss.training.distributed import torchrun_env

Task = Callable[[DictConfig], Any]


def run_hydra(job: Task, config_name: str, arguments: Sequence[str]) -> None:
    """Run ``job`` with the configuration that ``arguments`` compose, by the shipped conf/ folder.

    ``job`` must be a function of a module, so that launchers can send it to other processes.
    Exceptions reach the caller, SystemExit as well: 0 after flags that only print.
    """
    import hydra

    from nerfloss.assembly.config_files import conf_dir
    from nerfloss.assembly.environment_overrides import environment_overrides
    from nerfloss.assembly.hydra_resolvers import register_resolvers

    register_resolvers()
    typed, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    # Hydra reads sys.argv. With this variable it raises errors instead of printing them itself.
    words = [*arguments, *environment_overrides(), *torchrun_env.rank_overrides()]
    sys.argv = [typed[0], *words]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        program = hydra.main(
            version_base="1.3", config_path=str(conf_dir()), config_name=config_name
        )
        with warnings.catch_warnings():
            # A search path that does not exist is a mistake, not a remark.
            warnings.filterwarnings("error", message="provider=hydra.searchpath")
            program(job)()
    finally:
        sys.argv = typed
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]


def carry_out(task: Task, cfg: DictConfig) -> Any:
    """Return what ``task`` returns; write the traceback of its failure to the run's log file.

    A single run ends the program with the message and the exit status of its error. A job of a
    sweep logs the message and raises, so that the sweeper counts it and goes on with the next.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from nerfloss.cli.errors import print_error, short_message

    try:
        return task(cfg)
    except Exception as error:
        if torchrun_env.is_main_process():
            logging.getLogger("nerfloss.failure").error("the run failed", exc_info=error)
        if HydraConfig.get().mode != RunMode.MULTIRUN:
            raise SystemExit(print_error(error)) from None
        logging.getLogger("nerfloss").error("%s", short_message(error))
        raise
