"""The verbs of the ``nerfloss`` command. Each imports what it needs in ``run``."""
