"""Settings that a run is resumed with and that it did not have before: said, and recorded."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from nerfloss.assembly.result_settings import affects_scores, flat

log = logging.getLogger(__name__)

# Settings that a run is resumed with to train it for longer.
_LENGTH = frozenset({"trainer.max_steps", "trainer.max_seconds"})
_ABSENT = "none"


def changes_of(
    begun: Mapping[str, Any], earlier: Sequence[Any], now: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Return the settings that change at a resumption, as ``{key: [before, after]}``.

    ``begun`` is the configuration that the run began with, ``earlier`` what `record_of` returned at
    its earlier resumptions, and ``now`` the configuration that it goes on with. Settings that do
    not affect scores are left out, and so is what a damaged file has instead of a record.
    """
    before = dict(flat(begun))
    for resumption in earlier:
        settings = resumption.get("settings") if isinstance(resumption, Mapping) else None
        pairs = settings.items() if isinstance(settings, Mapping) else ()
        before |= {key: pair[1] for key, pair in pairs if isinstance(pair, list) and len(pair) == 2}
    after = dict(flat(now))
    keys = [key for key in dict.fromkeys((*before, *after)) if affects_scores(key)]
    return {
        key: [before.get(key, _ABSENT), after.get(key, _ABSENT)]
        for key in keys
        if before.get(key, _ABSENT) != after.get(key, _ABSENT)
    }


def record_of(step: int, changes: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return what provenance.json keeps of a resumption with other settings."""
    return {"step": step, "settings": dict(changes)}


def described(changes: Mapping[str, Any]) -> str:
    """Return the changes in words: ``loss.terms.eikonal.weight from 0.1 to 0.3, ...``."""
    return ", ".join(f"{key} from {old} to {new}" for key, (old, new) in changes.items())


def log_changes(step: int, changes: Mapping[str, list[Any]]) -> None:
    """Log the changes in one line; a warning if they are more than a longer run."""
    log.log(
        logging.INFO if set(changes) <= _LENGTH else logging.WARNING,
        "from step %d on the run has other settings than before: %s (recorded in "
        "provenance.json; .hydra/config.yaml keeps those that it began with)",
        step,
        described(changes),
    )
