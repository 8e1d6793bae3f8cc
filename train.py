"""Train: ``python train.py ...`` in a clone is ``nerfloss train ...``; --help lists the settings.

On several GPUs: torchrun --nproc_per_node=4 train.py ... (docs/many_gpus.md).
"""

import sys

from nerfloss.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
