"""Scores of several runs as numbers: how sure a mean is, and whether a difference is real."""
