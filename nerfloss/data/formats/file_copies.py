"""Copy a file of a scene, or give it a second name on the same disk."""

import os
import shutil
from pathlib import Path

from nerfloss.data.errors import DataError


def copy_file(source: Path, target: Path, *, link: bool = False) -> None:
    """Copy a file, or make a hard link to it; the target's folder is made.

    Where the disk allows no hard link, the file is copied. Raises DataError if neither is possible.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(source):
            return
        if link:
            try:
                os.link(source.resolve(), target)
                return
            except OSError:  # another disk, or one without links
                pass
        shutil.copyfile(source, target)
    except OSError as error:
        found = f"cannot be copied to {target} ({error.strerror})"
        raise DataError(source, found, "check the file and the disk") from error
