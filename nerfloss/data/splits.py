"""Split views into training and test views, by rule or by list."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from nerfloss.data.errors import DataError


def split_views(
    names: Sequence[str], rule: Mapping[str, Any] | str | Path, folder: Path
) -> tuple[list[int], list[int]]:
    """Return the indices of the training views and of the test views.

    ``rule`` is ``{every: 8}`` (test views 0, 8, 16 ...), or a text file (absolute, or in
    ``folder``) with one name per line; folders and file extensions of names are ignored. Raises
    DataError for an unknown name, a missing file, or an empty split.
    """
    held = (
        _every(names, rule, folder) if isinstance(rule, Mapping) else _listed(names, rule, folder)
    )
    kept = [index for index in range(len(names)) if index not in held]
    if not kept or not held:
        found = f"hold_out={rule} leaves {len(kept)} views to train on and {len(held)} to test on"
        raise DataError(folder, found, f"change dataset.hold_out; there are {len(names)} views")
    return kept, sorted(held)


def describe_rule(rule: Mapping[str, Any] | str | Path) -> str:
    """Return a description of the rule."""
    return f"every {rule['every']}th view" if isinstance(rule, Mapping) else f"listed in {rule}"


def _every(names: Sequence[str], rule: Mapping[str, Any], folder: Path) -> set[int]:
    every = rule.get("every")
    if set(rule) != {"every"} or not isinstance(every, int) or every < 2:
        remedy = "write {every: n} with an integer n of at least 2, or the name of a text file"
        raise DataError(folder, f"hold_out={dict(rule)} is not a rule", remedy)
    return set(range(0, len(names), every))


def _listed(names: Sequence[str], rule: str | Path, folder: Path) -> set[int]:
    path = folder / Path(rule).expanduser()
    if not path.is_file():
        raise DataError(
            path, "no such hold-out list", "dataset.hold_out names a text file of views"
        )
    wanted = {_stem(line) for line in path.read_text().splitlines() if line.strip()}
    known = {_stem(name): index for index, name in enumerate(names)}
    unknown = sorted(wanted - set(known))
    if unknown:
        some = ", ".join(names[:3])
        raise DataError(path, f"no view has the name {unknown[0]!r}", f"the names are {some} ...")
    return {known[name] for name in wanted}


def _stem(name: str) -> str:
    return PurePosixPath(name.strip()).stem
