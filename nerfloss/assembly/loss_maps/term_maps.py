"""Maps of the terms of a recipe on one view, for a model at any moment of its training."""

from collections.abc import Collection, Mapping
from typing import Any

from nerfloss.assembly.loss_maps.chosen_terms import chosen_terms, reason_against
from nerfloss.assembly.loss_maps.map_drawing import draw_map
from nerfloss.assembly.loss_maps.pixel_values import NotDrawable
from nerfloss.assembly.loss_maps.term_inputs import TermInputs
from nerfloss.assembly.loss_maps.term_map import TermMap, TermMaps
from nerfloss.assembly.loss_maps.view_quantities import ViewQuantities
from nerfloss.evaluation.image_rendering import View
from nerfloss.models import Model
from nerfloss.recipe import LossRecipe

# Rays whose samples are held at once.
CHUNK = 512


def term_maps(
    model: Model,
    recipe: LossRecipe,
    at: Mapping[str, Any],
    view: View,
    names: Collection[str] | None = None,
    *,
    given: Mapping[str, Any] | None = None,
    gradients: bool = False,
    chunk: int = CHUNK,
) -> TermMaps:
    """Return maps of terms on a view, for a model at a moment ``at`` (``step``, ``progress``).

    ``view`` is a whole image with its targets, or any camera without (then terms that compare with
    a photograph are among ``not_drawn``). ``names`` are terms of the recipe; None: those that are
    active at the step. ``given`` holds what a batch has beside its rays: ``patch_shape`` for terms
    on patches, ``view_images`` and the like for terms that compare views (`batch_constants`).
    ``gradients`` adds the gradient by the rendered colour. ``chunk`` bounds the number of rays
    whose samples are in memory.

    Nothing changes in model or recipe: samples are placed regularly, random numbers are the same in
    every call, and a term that learns by itself is evaluated on a copy. May be called between the
    steps of a training. A term that compares rays (a ranking, a scale and shift) compares those of
    the view, in training those of a batch.

    Raises ValueError for a name that is no term of the recipe.
    """
    step = int(at["step"])
    known = ViewQuantities(model, view, {**at, **(given or {})}, chunk)
    inputs = {name: TermInputs(term) for name, term in chosen_terms(recipe, step, names).items()}
    reasons = {name: reason_against(each, known) for name, each in inputs.items()}
    drawable = {name: each for name, each in inputs.items() if reasons[name] is None}
    known.render_images(
        set().union(*(each.from_rays for each in drawable.values() if each.rendered_once))
    )
    maps: dict[str, TermMap] = {}
    for name, each in drawable.items():
        try:
            maps[name] = draw_map(name, each, known, step=step, gradients=gradients)
        except NotDrawable as reason:
            reasons[name] = str(reason)
        except Exception as error:
            error.add_note(f"in the map of the loss term '{name}'")
            raise
    return TermMaps(maps, {name: reason for name, reason in reasons.items() if reason})
