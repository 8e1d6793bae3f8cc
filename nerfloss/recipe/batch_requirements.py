"""Check of a run's batches and images against the sizes that its terms need."""

from collections.abc import Callable, Iterator, Mapping

from nerfloss.recipe.parsing import RecipeError
from nerfloss.recipe.requirements import Size, requirements_of, setting_key, setting_values
from nerfloss.recipe.term import Term


def smallest_patch(fn: Callable) -> int:
    """Return the pixels per side of the smallest patch on which a loss is defined."""
    requirements = requirements_of(fn)
    return 1 if requirements is None else requirements.smallest_patch(setting_values(fn))


def fewest_rays(fn: Callable) -> int:
    """Return the fewest rays per batch for which a loss is defined."""
    requirements = requirements_of(fn)
    return 1 if requirements is None else requirements.fewest_rays(setting_values(fn))


def faults_of_sizes(
    term: str, fn: Callable, patch: tuple[int, int] | None, rays: int
) -> Iterator[str]:
    """Yield a message for each size of a run's batches that is too small for a term.

    ``patch`` is the height and width of the run's patches, None where it has none.
    """
    requirements = requirements_of(fn)
    if requirements is None:
        return
    if patch is not None and min(patch) < smallest_patch(fn):
        yield (
            f"needs patches of at least {smallest_patch(fn)} pixels a side"
            f"{_for_settings(term, requirements.smallest_patch, fn)}, "
            f"got batch.height={patch[0]} and batch.width={patch[1]}: make them larger"
        )
    if rays < fewest_rays(fn):
        yield (
            f"needs at least {fewest_rays(fn)} rays"
            f"{_for_settings(term, requirements.fewest_rays, fn)}, "
            f"got trainer.batch_size.rays={rays}: raise it"
        )


def faults_of_images(term: str, fn: Callable, size: tuple[int, int]) -> Iterator[str]:
    """Yield a message where images of this height and width are too small for a term."""
    requirements = requirements_of(fn)
    if requirements is None:
        return
    smallest = requirements.smallest_image(setting_values(fn))
    if min(size) < smallest:
        yield (
            f"needs images of at least {smallest} pixels a side"
            f"{_for_settings(term, requirements.smallest_image, fn)}, "
            f"but all training views have {size[1]} x {size[0]} in common: take larger ones, lower "
            "the setting, or drop the term"
        )


def refuse_small(
    what: str, terms: Mapping[str, Term], faults_of: Callable[[str, Callable], Iterator[str]]
) -> None:
    """Raise a RecipeError that lists every term for which the batches or images are too small."""
    faults = [
        f"  {name}: {fault}" for name, term in terms.items() for fault in faults_of(name, term.fn)
    ]
    if faults:
        raise RecipeError(f"this run's {what} are too small:\n" + "\n".join(faults))


def _for_settings(term: str, size: Size, fn: Callable) -> str:
    """Return the settings that decide a size, by their keys; empty for a constant."""
    values = setting_values(fn)
    keys = [f"{setting_key(term, name)}={values[name]}" for name in size.settings]
    return f" for {', '.join(keys)}" if keys else ""
