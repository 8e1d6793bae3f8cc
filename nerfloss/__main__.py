"""``python -m nerfloss`` is the ``nerfloss`` command."""

import sys

from nerfloss.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
