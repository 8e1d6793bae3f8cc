"""Numbers of bytes in words."""


def as_text(bytes_: float | int) -> str:
    """So many bytes, with a unit that keeps the number short: ``3.2 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if bytes_ < 1000:
            return f"{bytes_:.3g} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.3g} TB"
