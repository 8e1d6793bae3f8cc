"""Overrides from the environment variable ``NERFLOSS_TEST_OVERRIDES``."""

import os
import shlex
from collections.abc import Mapping

VARIABLE = "NERFLOSS_TEST_OVERRIDES"


def environment_overrides(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the overrides that are appended to every command line of train and eval.

    The tests of the documented commands make runs small with them; the commands themselves are
    typed as documented. The tests of the benchmarks do the same with their runs.
    """
    return shlex.split(environment.get(VARIABLE, ""))
