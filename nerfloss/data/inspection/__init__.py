"""Inspection of a scene before training: what its files say, and what is suspicious."""
