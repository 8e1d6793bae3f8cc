"""Evaluate: ``python eval.py ...`` in a clone is ``nerfloss eval ...``; --help explains it."""

import sys

from nerfloss.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["eval", *sys.argv[1:]]))
