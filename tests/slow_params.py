"""Mark the parameters of a test slow, all but a few that stand for the rest."""

from collections.abc import Collection, Iterable

import pytest


def slow_but(fast: Collection[str], names: Iterable[str]) -> list:
    """Return ``names`` as parameters; those that are not in ``fast`` are marked slow."""
    return [pytest.param(n, marks=() if n in fast else pytest.mark.slow) for n in names]
