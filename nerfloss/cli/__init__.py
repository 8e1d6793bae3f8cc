"""The ``nerfloss`` command: one file per command."""
