"""Settings that a run is resumed with and that it did not have before: said, and recorded."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nerfloss.assembly.config_files import parse_yaml, read_text
from nerfloss.assembly.result_settings import affects_scores, flat

log = logging.getLogger(__name__)

# Settings that a run is resumed with to train it for longer.
_LENGTH = frozenset({"trainer.max_steps", "trainer.max_seconds"})
_ABSENT = "none"


def changes_of(
    run: Path, earlier: Sequence[Any], typed: Sequence[str], now: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Return the settings that change as a run is resumed, as ``{key: [before, after]}``.

    ``run`` is its folder, ``earlier`` what `recorded_changes` has returned at earlier resumptions,
    ``typed`` are the overrides that it is resumed with, ``now`` is the configuration with them.
    Settings that do not affect scores are left out.
    """
    # As text: a stored configuration may read the environment where a typed setting replaces it.
    begun = parse_yaml(read_text(run / ".hydra" / "config.yaml"), run)
    return _changes(dict(flat(begun)), dict(_resumed_with(earlier)), typed, dict(flat(now)))


def recorded_changes(
    earlier: Sequence[Any], changes: Mapping[str, list[Any]], step: int
) -> list[Any]:
    """Log the changes from ``step`` on; return the record with them, an entry for each time."""
    log.log(
        logging.INFO if set(changes) <= _LENGTH else logging.WARNING,
        "from step %d on the run has other settings than before: %s (recorded in "
        "provenance.json; .hydra/config.yaml keeps those that it began with)",
        step,
        ", ".join(f"{key} from {old} to {new}" for key, (old, new) in changes.items()),
    )
    return [*earlier, {"step": step, "settings": dict(changes)}]


def _changes(
    begun: Mapping[str, Any],
    resumed: Mapping[str, Any],
    typed: Sequence[str],
    now: Mapping[str, Any],
) -> dict[str, list[Any]]:
    """Return the changes among what is typed, and what was at an earlier resumption."""
    named = {word.lstrip("+").partition("=")[0].replace("/", ".") for word in typed}
    before = {**begun, **resumed}
    changes = {}
    for key in dict.fromkeys((*before, *now)):
        touched = key in resumed or any(key == name or key.startswith(f"{name}.") for name in named)
        old, new = before.get(key, _ABSENT), now.get(key, _ABSENT)
        if touched and old != new and affects_scores(key):
            changes[key] = [old, new]
    return changes


def _resumed_with(earlier: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the settings of earlier resumptions; nothing of what a damaged file has instead."""
    for resumption in earlier:
        settings = resumption.get("settings") if isinstance(resumption, Mapping) else None
        for key, pair in settings.items() if isinstance(settings, Mapping) else ():
            if isinstance(pair, list) and len(pair) == 2:
                yield key, pair[1]
