"""Split views into training and test views: every n-th, a list of names, or a sector."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nerfloss.data.azimuth_sector import azimuth_range, azimuth_sector
from nerfloss.data.errors import DataError
from nerfloss.data.view_names import find_views

REMEDY = (
    "write an integer n of at least 2 for every n-th view, {sector: 0.25}, {sector: [30, 90]} "
    "in degrees, a list of names, or the name of a text file"
)

Rule = Mapping[str, Any] | Sequence[Any] | str | Path | int | float


def split_views(
    names: Sequence[str],
    rule: Rule,
    folder: Path,
    *,
    centers: Float[np.ndarray, "views 3"] | None = None,
    up: Float[np.ndarray, "3"] | None = None,
) -> tuple[list[int], list[int], str]:
    """Return the indices of the training views, those of the test views, and a description.

    ``rule`` is one of these, the names as in `find_views`:

    - ``8`` or ``{every: 8}``: test views 0, 8, 16 ...
    - a text file (absolute, or in ``folder``) with one name per line; ``#`` begins a comment
    - a list of names
    - ``{sector: 0.25}`` or ``{sector: 0.25, at: name}``: this fraction of the views, those nearest
      in direction, as seen from the origin, to the view ``at``, or else to the view farthest from
      the mean direction. They are a connected range of viewpoints: a test of extrapolation.
    - ``{sector: [30, 90]}``: the views with an azimuth from 30 to 90 degrees, counted around ``up``
      from the x axis, by the right hand; ``[300, 60]`` and ``[-60, 60]`` go through 0

    ``centers`` are the camera centres in scene units, which a sector needs, ``up`` is a unit
    vector. Raises DataError for an unknown or ambiguous name, a missing file, a rule that is none
    of these, or an empty split.
    """
    if type(rule) is int:
        held, description = _every(rule, rule, names, folder)
    elif isinstance(rule, Mapping) and (between := azimuth_range(rule, folder)) is not None:
        held, description = azimuth_sector(between, folder, centers, up)
    elif isinstance(rule, Mapping):
        held, description = _ruled(names, rule, folder, centers)
    elif isinstance(rule, str | Path):
        held = _listed(names, rule, folder)
        description = f"{len(held)} views listed in {rule}"
    elif isinstance(rule, Sequence):
        if unquoted := [name for name in rule if not isinstance(name, str)]:
            found = f"hold_out lists {unquoted[0]!r}, which is no name"
            raise DataError(folder, found, "put names of digits in quotes: ['003', '007']")
        held = set(find_views(names, rule, "dataset.hold_out"))
        description = f"{len(held)} views by name"
    else:
        raise DataError(folder, f"hold_out={rule!r} is not a rule", REMEDY)
    kept = [index for index in range(len(names)) if index not in held]
    if not kept or not held:
        found = f"hold_out={rule} leaves {len(kept)} views to train on and {len(held)} to test on"
        raise DataError(folder, found, f"change dataset.hold_out; there are {len(names)} views")
    return kept, sorted(held), description


def _ruled(
    names: Sequence[str],
    rule: Mapping[str, Any],
    folder: Path,
    centers: Float[np.ndarray, "views 3"] | None,
) -> tuple[set[int], str]:
    every, fraction = rule.get("every"), rule.get("sector")
    if set(rule) == {"every"} and type(every) is int:
        return _every(every, dict(rule), names, folder)
    if set(rule) in ({"sector"}, {"sector", "at"}) and isinstance(fraction, float):
        if not 0 < fraction < 1:
            found = f"hold_out={dict(rule)}: the sector is a fraction of the views"
            raise DataError(folder, found, "choose one above 0 and below 1")
        return _sector(names, fraction, rule.get("at"), folder, centers)
    raise DataError(folder, f"hold_out={dict(rule)} is not a rule", REMEDY)


def _every(number: int, rule: Any, names: Sequence[str], folder: Path) -> tuple[set[int], str]:
    if number < 2:
        found = f"hold_out={rule} is not a rule: every n-th view is held out, with n of at least 2"
        raise DataError(folder, found, REMEDY)
    return set(range(0, len(names), number)), f"every {_ordinal(number)} view"


def _sector(
    names: Sequence[str],
    fraction: float,
    at: Any,
    folder: Path,
    centers: Float[np.ndarray, "views 3"] | None,
) -> tuple[set[int], str]:
    if centers is None:
        remedy = "choose {every: n} or a list of names"
        raise DataError(folder, "a sector needs the camera centres, which are unknown", remedy)
    distance = np.linalg.norm(centers, axis=1, keepdims=True)
    # A camera at the origin is seen in no direction: its dot product with every other is 0.
    directions = centers / np.maximum(distance, 1e-12)
    if at is None:
        # Rounded, so that equal directions are ties, which the order of the views decides.
        first = int(np.argmin(np.round(directions @ directions.mean(0), 9)))
    else:
        first = find_views(names, [str(at)], "dataset.hold_out.at")[0]
    cosine = np.clip(directions @ directions[first], -1, 1)
    count = max(1, round(fraction * len(names)))
    nearest = np.argsort(-np.round(cosine, 9), kind="stable")[:count]
    degrees = float(np.degrees(np.arccos(cosine[nearest].min())))
    views = f"{count} view{'s' if count > 1 else ''}"
    text = f"a sector of {views} within {degrees:.0f} degrees of {names[first]} (extrapolation)"
    return {int(index) for index in nearest}, text


def _listed(names: Sequence[str], rule: str | Path, folder: Path) -> set[int]:
    path = folder / Path(rule).expanduser()
    if not path.is_file():
        raise DataError(
            path, "no such hold-out list", "dataset.hold_out names a text file of views"
        )
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, f"not a text file ({error})", "write one name per line") from error
    wanted = [line for line in map(str.strip, lines) if line and not line.startswith("#")]
    return set(find_views(names, wanted, path))


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    teens = 10 < number % 100 < 14
    return f"{number}{'th' if teens else endings.get(number % 10, 'th')}"
