"""Remarks of a reader about many frames, collected into one line each."""

from dataclasses import dataclass, field


@dataclass
class Remarks:
    """The assumptions of a reader: one line for each kind, with the number of frames.

    ``total`` is the number of frames that a remark may be about.
    """

    total: int
    _about: dict[str, list[str]] = field(default_factory=dict)

    def add(self, text: str, frame: str = "") -> None:
        """Add a remark, about one frame or about the scene (``frame`` is empty)."""
        self._about.setdefault(text, []).append(frame)

    @property
    def lines(self) -> tuple[str, ...]:
        """The remarks, in the order in which they were first made."""
        return tuple(
            text if not names[0] or len(names) >= self.total else self._some(text, names)
            for text, names in self._about.items()
        )

    def _some(self, text: str, names: list[str]) -> str:
        return f"{text} ({len(names)} of {self.total} frames, first {names[0]})"
