"""Inputs of a loss term as a map needs them: which are per ray, per sample, or of no ray at all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from nerfloss.quantities import patches
from nerfloss.quantities.resolve import primitives, rules_in
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe.requirements import requirements_of, setting_values
from nerfloss.recipe.term import Term

PATCH_RULES = rules_in(patches)
# Axes of a quantity that a ray has several entries of.
ALONG_RAY = frozenset({"samples", "proposals", "behind"})
# Why a term without any quantity of rays has no map.
PLACES: Mapping[str, str] = {
    "points": "random points of space",
    "observed": "observed points",
    "hits": "the points where rays hit the surface, as a set",
    "views": "whole training views",
    "images": "whole training images",
}


def axes_of(quantity: str) -> list[str]:
    """Return the names of the axes; none for a scalar, an object, or a quantity of a user."""
    return VOCABULARY[quantity].shape.split() if quantity in VOCABULARY else []


@dataclass(frozen=True)
class TermInputs:
    """The quantities of a term, sorted."""

    term: Term

    @cached_property
    def from_rays(self) -> frozenset[str]:
        """The quantities that it takes, with those on patches replaced by what they show."""
        return primitives(self.term.needs, PATCH_RULES)

    @property
    def on_patches(self) -> bool:
        """True for a term that takes whole patches."""
        return "patch_shape" in self.from_rays

    @property
    def of_samples(self) -> bool:
        """True for a term that takes a quantity of samples."""
        return any(ALONG_RAY & set(axes_of(name)) for name in self.from_rays)

    @property
    def rendered_once(self) -> bool:
        """True where images of the view's rays are all that the term takes.

        It can then be evaluated on the whole view at once, as a term that compares rays must be.
        """
        known = self.from_rays - {"patch_shape", "generator", "step", "progress"}
        return all(axes_of(name)[:1] == ["rays"] for name in known) and not self.of_samples

    @property
    def most_rays(self) -> int:
        """The most rays of which the term takes all, not a sample; 0: any number."""
        declared = requirements_of(self.term.fn)
        return 0 if declared is None else declared.most_rays(setting_values(self.term.fn))

    @property
    def value_axes(self) -> str:
        """The name of the axes of its values, where these are no rays, samples or pixels."""
        declared = requirements_of(self.term.fn)
        return "" if declared is None else declared.value_axes

    def reason_against(self, offered: Collection[str]) -> str | None:
        """Return why the term has no map on a view that offers these quantities; None if it may.

        A term on quantities that the vocabulary does not know may have one.
        """
        axes = [axes_of(name)[:1] for name in self.from_rays]
        unknown = any(name not in VOCABULARY for name in self.from_rays)
        if ["rays"] not in axes and not unknown:
            places = [PLACES[axis[0]] for axis in sorted(axes) if axis and axis[0] in PLACES]
            return f"it is on {places[0] if places else 'the field itself'}, not on rays"
        if missing := sorted(self.term.needs - set(offered)):
            listed = ", ".join(f"'{name}'" for name in missing)
            return f"it needs {listed}, which this view does not have"
        return None
