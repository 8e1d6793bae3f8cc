"""For tests of a package of your own: made-up quantities, and the battery that every term passes."""

from nerfloss.testing.quantities import fake
from nerfloss.testing.terms import check_term

__all__ = ["check_term", "fake"]
