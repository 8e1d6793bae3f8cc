"""The dataset of a command line that names a folder and no layout."""

import re
from collections.abc import Sequence

# Whatever of these is typed chooses the dataset, or keeps that of a run.
CHOOSES = re.compile(r"\+{0,2}(dataset|experiment|dataset@[\w.]+)=|\+{0,2}trainer\.resume=")
PATH = re.compile(r"\+{0,2}dataset\.path=")


def dataset_overrides(words: Sequence[str]) -> list[str]:
    """Return ``dataset=auto`` for a line with ``dataset.path=FOLDER`` that chooses no dataset."""
    names_folder = any(PATH.match(word) for word in words)
    return ["dataset=auto"] if names_folder and not any(map(CHOOSES.match, words)) else []
