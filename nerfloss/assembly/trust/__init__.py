"""Trust: which code a stored configuration may name, and whose configuration it is."""
