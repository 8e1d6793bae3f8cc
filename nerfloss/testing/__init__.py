"""Tests of your own terms and metrics: random quantities, and the checks that all pass."""

from nerfloss.testing.metrics import check_metric
from nerfloss.testing.quantities import fake
from nerfloss.testing.terms import check_term

__all__ = ["check_metric", "check_term", "fake"]
