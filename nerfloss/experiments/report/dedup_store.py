"""Facts about runs as text and back, with the parts that runs have in common kept once.

Of thousands of runs nearly all have the same dataset, model and conventions: written out for each,
or held as objects for each, these would be most of what there is.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

# Facts that are common as a whole, and those whose parts are.
WHOLE, BY_KEY = ("choices", "conventions"), ("config", "provenance")
_SHORTEST = 40  # what is shorter than its name is written out
_MARK = "\x00"


class DedupStore:
    """Parts by a hash of their text; ``new`` are those that were not there when it was made."""

    def __init__(self, texts: Iterable[tuple[str, str]] = ()) -> None:
        self.parts = {name: json.loads(text) for name, text in texts}
        self.new: dict[str, str] = {}

    def written(self, facts: Mapping[str, Any]) -> str:
        """Facts as text, common parts replaced by their names."""
        short = dict(facts)
        for key in WHOLE:
            short[key] = self._name(facts[key])
        for key in BY_KEY:
            short[key] = {name: self._name(value) for name, value in facts[key].items()}
        return json.dumps(short, separators=(",", ":"), default=str)

    def read(self, text: str) -> dict[str, Any]:
        """What `written` wrote. Raises ValueError or KeyError where it is damaged."""
        return self._whole(json.loads(text))

    def read_all(self, texts: Sequence[str]) -> list[dict[str, Any] | None]:
        """What `written` wrote, of many; None for what is damaged.

        Read as one text, which makes one object of each name that they have in common.
        """
        try:
            return [self._whole(facts) for facts in json.loads(f"[{','.join(texts)}]")]
        except (ValueError, KeyError, TypeError, AttributeError):
            return [self._if_whole(text) for text in texts]

    def _if_whole(self, text: str) -> dict[str, Any] | None:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            return self.read(text)
        return None

    def _whole(self, facts: dict[str, Any]) -> dict[str, Any]:
        for key in WHOLE:
            facts[key] = self._part(facts[key])
        for key in BY_KEY:
            facts[key] = {name: self._part(value) for name, value in facts[key].items()}
        return facts

    def _name(self, value: Any) -> Any:
        if not isinstance(value, Mapping | list):
            return value
        text = json.dumps(value, separators=(",", ":"), default=str)
        if len(text) < _SHORTEST:
            return value
        name = sha256(text.encode()).hexdigest()[:24]
        if name not in self.parts:
            self.parts[name] = json.loads(text)
            self.new[name] = text
        return _MARK + name

    def _part(self, value: Any) -> Any:
        return self.parts[value[1:]] if _is_name(value) else value


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_MARK)
