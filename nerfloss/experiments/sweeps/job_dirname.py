"""What a job's folder is called: what distinguishes it from the other jobs of its sweep."""

import hashlib
import re
from collections.abc import Collection, Sequence

# File systems end at 255 bytes.
LONGEST = 200


def folder_name(overrides: Sequence[str], swept: Collection[str], number: int) -> str:
    """Name a job by its overrides whose key was ``swept``; by its number where none was.

    What a file system or a shell could stumble over becomes ``_``. A name that lost something by
    it, or that is cut short, ends in a few digits of what it should have been.
    """
    words = [word for word in overrides if word.partition("=")[0] in swept]
    whole = ",".join(words).replace("/", "_")
    if not whole:
        return str(number)
    name = re.sub(r"[^\w.,=+@~-]", "_", whole)
    if name == whole and len(name.encode()) <= LONGEST:
        return name
    digits = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{name.encode()[: LONGEST - 9].decode(errors='ignore')}-{digits}"
