"""The result of an inspection: rows of a table, findings, and what the overview draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.inspection.view_pictures import ViewPicture
from nerfloss.data.posed_cameras import PosedCameras
from nerfloss.data.region import Region

# Names that a line lists before it gives only their number.
LISTED = 4


@dataclass(frozen=True)
class Row:
    """One row of the table: what, and the value found."""

    name: str
    value: str


@dataclass(frozen=True)
class Finding:
    """Something suspicious, in one line; ``views`` are the indices of the frames concerned.

    ``kind`` is a short identifier, e.g. ``masks_white``.
    """

    kind: str
    text: str
    views: tuple[int, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """Everything that ``nerfloss inspect`` prints and draws.

    ``parsed`` has the test views of a training. ``region`` is the region of interest, ``scene`` the
    ball that is 1 in scene units, which may be larger. ``hull`` are points on the visual hull of
    the masks in the units of the files, None if unknown.
    """

    parsed: ParsedScene
    posed: PosedCameras
    pictures: tuple[ViewPicture, ...]
    region: Region
    scene: Region
    up: Float[np.ndarray, "3"]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    command: str
    hull: Float[np.ndarray, "hull 3"] | None = None

    @property
    def name(self) -> str:
        """Return the name of the scene's folder."""
        return self.parsed.folder.resolve().name or "scene"

    @property
    def suspicious_views(self) -> frozenset[int]:
        """Return the views that a finding names, unless it names most of them."""
        most = len(self.parsed.frames) / 2
        named = (finding.views for finding in self.findings if len(finding.views) <= most)
        return frozenset(view for views in named for view in views)


def listed(parsed: ParsedScene, views: Sequence[int]) -> str:
    """Return the names of some frames, of many the first ones and their number."""
    names = [parsed.frames[view].name for view in views[:LISTED]]
    more = len(views) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def of_all(count: int, total: int, noun: str = "views") -> str:
    """Return "all 12 views" or "3 of 12 views"."""
    return f"all {total} {noun}" if count == total else f"{count} of {total} {noun}"
