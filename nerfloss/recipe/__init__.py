"""Compose, weigh and schedule loss terms: the recipe and the errors that it raises."""

from nerfloss.recipe.balancer import Balancer
from nerfloss.recipe.nonfinite import Fault, NonFiniteLoss
from nerfloss.recipe.parsing import RecipeError
from nerfloss.recipe.recipe import LossRecipe
from nerfloss.recipe.report import LossReport
from nerfloss.recipe.term import Term

__all__ = ["Balancer", "Fault", "LossRecipe", "LossReport", "NonFiniteLoss", "RecipeError", "Term"]
