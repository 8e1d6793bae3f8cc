"""Checks of settings that many terms share; each says what was asked and what was found."""


def require_positive(term: str, **settings: float) -> None:
    """Raise ValueError unless every setting is above 0."""
    for name, value in settings.items():
        if not value > 0:
            raise ValueError(f"{term} needs {name} > 0, got {name}={value}")


def require_not_negative(term: str, **settings: float) -> None:
    """Raise ValueError unless every setting is 0 or more."""
    for name, value in settings.items():
        if not value >= 0:
            raise ValueError(f"{term} needs {name} >= 0, got {name}={value}")


def require_count(term: str, **settings: object) -> None:
    """Raise ValueError unless every setting is a whole number from 1."""
    for name, value in settings.items():
        if not (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
            raise ValueError(f"{term} needs a whole number from 1 for {name}, got {name}={value}")


def require_clamp(term: str, eps: float) -> None:
    """Raise ValueError unless ``[eps, 1 - eps]`` is an interval inside (0, 1)."""
    if not 0 < eps < 0.5:
        raise ValueError(f"{term} clamps to [eps, 1 - eps]: it needs 0 < eps < 0.5, got eps={eps}")
