"""Neural surface reconstruction in which the loss is a recipe."""

__version__ = "0.1.0"
