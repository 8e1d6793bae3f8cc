"""How large a batch a term takes: patches with room for its window, rays enough to compare."""

from collections.abc import Callable, Iterator

from nerfloss.recipe.settings_checks import companion, key_of


def smallest_patch(fn: Callable) -> int:
    """Pixels a side below which a term has nothing to compute; 1 where it says nothing.

    A module says it by its attribute ``smallest_patch``, a plain function by a function
    ``_smallest_patch_<name>`` beside it, whose parameters are the settings that decide it.
    """
    return _said("smallest_patch", fn)


def fewest_rays(fn: Callable) -> int:
    """Rays below which a term has nothing to compute, said as ``smallest_patch`` is."""
    return _said("fewest_rays", fn)


def faults_of_sizes(
    term: str, fn: Callable, patch: tuple[int, int] | None, rays: int
) -> Iterator[str]:
    """Say for what a run's patches (height and width; None without any) or rays are too few."""
    side, count = smallest_patch(fn), fewest_rays(fn)
    if patch is not None and min(patch) < side:
        yield (
            f"needs patches of at least {side} pixels a side{_because(term, 'smallest_patch', fn)},"
            f" got batch.height={patch[0]} and batch.width={patch[1]}: make them larger"
        )
    if rays < count:
        yield (
            f"needs at least {count} rays{_because(term, 'fewest_rays', fn)}, "
            f"got trainer.batch_size.rays={rays}: raise it"
        )


def _said(what: str, fn: Callable) -> int:
    beside = companion(what, fn)
    return getattr(fn, what, 1) if beside is None else beside()


def _because(term: str, what: str, fn: Callable) -> str:
    """The settings that decide a size, by their keys."""
    beside = companion(what, fn)
    settings = {} if beside is None else beside.keywords
    keys = [f"{key_of(term, name)}={value}" for name, value in settings.items()]
    return f" for {', '.join(keys)}" if keys else ""
