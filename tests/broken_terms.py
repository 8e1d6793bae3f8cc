"""Terms that break in known ways, for tests of the guards."""


def not_a_number(opacity):
    """NaN as a value. Reference: none, this is a trap."""
    return opacity.sum() * float("nan")


def vertical(opacity):
    """Finite, with an infinite slope at 0: as the square root of something that can be 0."""
    return (opacity * 0).sqrt()
