"""Tests of your own loss terms: random quantities, and the checks that every term passes."""

from nerfloss.testing.quantities import fake
from nerfloss.testing.terms import check_term

__all__ = ["check_term", "fake"]
