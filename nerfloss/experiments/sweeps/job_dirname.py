"""Names of job folders: the swept overrides."""

import hashlib
import re
from collections.abc import Collection, Sequence

# File systems allow 255 bytes.
MAX_BYTES = 200


def job_dirname(overrides: Sequence[str], swept: Collection[str], number: int) -> str:
    """Return the overrides of the ``swept`` keys as a name; the job's number if there are none.

    Special characters become ``_``. A name that was changed or truncated ends in a hash of the
    full name.
    """
    words = [word for word in overrides if word.partition("=")[0] in swept]
    whole = ",".join(words).replace("/", "_")
    if not whole:
        return str(number)
    name = re.sub(r"[^\w.,=+@~-]", "_", whole)
    if name == whole and len(name.encode()) <= MAX_BYTES:
        return name
    digits = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{name.encode()[: MAX_BYTES - 9].decode(errors='ignore')}-{digits}"
