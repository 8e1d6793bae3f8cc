"""Settings and groups that were renamed, and what they are called now: the only list of them."""

# Old dotted key -> new dotted key. A key stands for everything below it.
RENAMED_SETTINGS: dict[str, str] = {}

# (group, old choice) -> new "group=choice".
RENAMED_CHOICES: dict[tuple[str, str], str] = {}
