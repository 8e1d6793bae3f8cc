"""For tests of your own package: made-up quantities, and the battery that every term passes."""

from nerfloss.testing.quantities import fake
from nerfloss.testing.terms import check_term

__all__ = ["check_term", "fake"]
