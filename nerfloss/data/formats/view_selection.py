"""Split the views of a scene into those for training and those for testing."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from nerfloss.data.common_view import estimate_up
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.formats.scene_region import in_scene_units, poses_of
from nerfloss.data.region import Region
from nerfloss.data.splits import Rule, split_views
from nerfloss.data.views import Views

log = logging.getLogger(__name__)
DEFAULT_RULE = {"every": 8}


def split(
    parsed: ParsedScene,
    views: Views,
    rows: Sequence[int],
    masked: Sequence[bool],
    hold_out: Rule | None,
    up: Float[np.ndarray, "3"],
) -> tuple[Views, Views, str]:
    """Return the training views, the test views and a description of the rule.

    By ``hold_out``, else as the files say, else every 8th. The view of frame i is ``rows[i]``.
    ``up`` is the direction that points up in scene units.
    ``masked`` says which frames have a mask; views of a split without any have none. Raises
    DataError as `split_views` does.
    """
    centers = views.cameras.poses[list(rows), :, 3].double().numpy()
    train, test, rule = _indices(parsed, centers, hold_out, up)
    if hold_out is None and parsed.test is None:
        names = [parsed.frames[view].name for view in test]
        listed = ", ".join(names[:5]) + (f" ... ({len(names)})" if len(names) > 5 else "")
        text = "the files name no test views: %s is held out, %s (dataset.hold_out)"
        log.info(text, rule, listed)
    one, two = (
        _unmasked(select(views, [rows[view] for view in which]), which, masked)
        for which in (train, test)
    )
    return one, two, rule


def storage_order(parsed: ParsedScene, hold_out: Rule | None) -> list[int]:
    """Return the order of frames in which training views and test views follow one another.

    Stored in this order, they are split without copies. A sector depends on the region, which the
    masks may decide: where another one is found than the cameras suggest, `split` copies images.
    """
    train, test = expected_split(parsed, hold_out)
    return list(dict.fromkeys([*train, *test]))


def expected_split(parsed: ParsedScene, hold_out: Rule | None) -> tuple[list[int], list[int]]:
    """Return the frames for training and for testing, before the region is known.

    Only those of a sector may still change.
    """
    poses = np.stack([frame.pose for frame in parsed.frames])
    centers = poses[:, :, 3]
    middle = centers.mean(0) if parsed.region is None else parsed.region[:3, 3]
    up = parsed.up if parsed.up is not None else estimate_up(poses)
    train, test, _ = _indices(parsed, centers - middle, hold_out, up)
    return train, test


def with_split(parsed: ParsedScene, region: Region, hold_out: Rule | None) -> ParsedScene:
    """Return the scene with the views that training holds out as its ``test``, and their rule."""
    centers = in_scene_units(poses_of(parsed), region)[:, :, 3]
    up = region.to_world[:3, :3].T @ region.up / region.radius
    _, test, rule = _indices(parsed, centers, hold_out, up)
    return replace(parsed, test=tuple(test), hold_out=rule)


def _unmasked(views: Views, which: Sequence[int], masked: Sequence[bool]) -> Views:
    return views if all(masked[view] for view in which) else replace(views, mask=None)


def _indices(
    parsed: ParsedScene,
    centers: Float[np.ndarray, "views 3"],
    hold_out: Rule | None,
    up: Float[np.ndarray, "3"],
) -> tuple[list[int], list[int], str]:
    if hold_out is None and parsed.test is not None:
        held = set(parsed.test)
        train = [view for view in range(len(parsed.frames)) if view not in held]
        rule = parsed.hold_out or "as the files say"
        return train, list(parsed.test), rule
    rule = hold_out if hold_out is not None else DEFAULT_RULE
    names = [frame.name for frame in parsed.frames]
    return split_views(names, rule, parsed.folder, centers=centers, up=up)


def select(views: Views, index: Sequence[int]) -> Views:
    """Return some of the views; they share memory with these if they follow one another."""
    first, last = index[0], index[-1] + 1
    if list(index) == list(range(first, last)):
        return views[first:last]
    return views.some(index)
