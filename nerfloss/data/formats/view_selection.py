"""Split the views of a scene into those for training and those for testing."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.splits import Rule, split_views
from nerfloss.data.views import Views

log = logging.getLogger(__name__)
DEFAULT_RULE = {"every": 8}


def split(
    parsed: ParsedScene,
    views: Views,
    masked: Sequence[bool],
    hold_out: Rule | None,
    up: Float[np.ndarray, "3"],
) -> tuple[Views, Views, str]:
    """Return the training views, the test views and a description of the rule.

    By ``hold_out``, else as the files say, else every 8th. ``masked`` says which views have a mask,
    ``up`` is the direction that points up in scene units;
    views of a split without any have none. Raises DataError as `split_views` does.
    """
    train, test, rule = _indices(parsed, views, hold_out, up)
    one, two = (_unmasked(select(views, which), which, masked) for which in (train, test))
    return one, two, rule


def _unmasked(views: Views, which: Sequence[int], masked: Sequence[bool]) -> Views:
    return views if any(masked[view] for view in which) else replace(views, mask=None)


def _indices(
    parsed: ParsedScene, views: Views, hold_out: Rule | None, up: Float[np.ndarray, "3"]
) -> tuple[list[int], list[int], str]:
    if hold_out is None and parsed.test is not None:
        held = set(parsed.test)
        train = [view for view in range(len(views)) if view not in held]
        rule = parsed.hold_out or "as the files say"
        return train, list(parsed.test), rule
    centers = views.cameras.poses[:, :, 3].double().numpy()
    rule = hold_out if hold_out is not None else DEFAULT_RULE
    train, test, said = split_views(views.names, rule, parsed.folder, centers=centers, up=up)
    if hold_out is None:
        names = [views.names[view] for view in test]
        listed = ", ".join(names[:5]) + (f" ... ({len(names)})" if len(names) > 5 else "")
        text = "the files name no test views: %s is held out, %s (dataset.hold_out)"
        log.info(text, said, listed)
    return train, test, said


def select(views: Views, index: Sequence[int]) -> Views:
    """Return some of the views; they share memory with these if they follow one another."""
    first, last = index[0], index[-1] + 1
    if list(index) == list(range(first, last)):
        return views[first:last]
    which = torch.tensor(index)
    images = {name: image[which] for name, image in views.images.items()}
    return replace(
        views,
        cameras=views.cameras[which],
        names=tuple(views.names[view] for view in index),
        points=None if views.points is None else views.points[which],
        ignore=None if views.ignore is None else views.ignore[which],
        **images,
    )
