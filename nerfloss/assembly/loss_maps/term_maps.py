"""Maps of the terms of a recipe on one view, for a model at any moment of its training."""

import copy
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import torch

from nerfloss.assembly.loss_maps.map_drawing import draw_map
from nerfloss.assembly.loss_maps.pixel_values import NotDrawable
from nerfloss.assembly.loss_maps.term_inputs import TermInputs
from nerfloss.assembly.loss_maps.term_map import TermMap, TermMaps
from nerfloss.assembly.loss_maps.view_quantities import ViewQuantities
from nerfloss.evaluation.image_rendering import View
from nerfloss.models import Model
from nerfloss.recipe import LossRecipe, Term
from nerfloss.recipe.stateful_terms import StatefulTerm

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

    Raises KeyError for a name that is no term of the recipe.
    """
    step = int(at["step"])
    chosen = list(recipe.active(step)) if names is None else list(names)
    if unknown := [name for name in chosen if name not in recipe.terms]:
        raise KeyError(f"'{unknown[0]}' is no term of the recipe, which has {list(recipe.terms)}")
    known = ViewQuantities(model, view, {**at, **(given or {})}, chunk)
    terms = {name: _undisturbed(recipe.terms[name]) for name in chosen}
    reasons = {name: _reason(term, known) for name, term in terms.items()}
    drawable = {name: TermInputs(term) for name, term in terms.items() if reasons[name] is None}
    known.render_images(
        set().union(*(each.from_rays for each in drawable.values() if each.rendered_once))
    )
    maps: dict[str, TermMap] = {}
    for name, inputs in drawable.items():
        try:
            maps[name] = draw_map(name, inputs, known, step=step, gradients=gradients)
        except NotDrawable as reason:
            reasons[name] = str(reason)
        except Exception as error:
            error.add_note(f"in the map of the loss term '{name}'")
            raise
    return TermMaps(maps, {name: reason for name, reason in reasons.items() if reason})


def _reason(term: Term, known: ViewQuantities) -> str | None:
    inputs = TermInputs(term)
    if reason := inputs.reason_against(known.offers):
        return reason
    patch = known.given.get("patch_shape")
    view = known.view
    if inputs.on_patches and patch and (patch[0] > view.height or patch[1] > view.width):
        return (
            f"patches of {patch[0]} x {patch[1]} pixels do not fit into a view of "
            f"{view.height} x {view.width}"
        )
    return None


def _undisturbed(term: Term) -> Term:
    """Return the term, with a copy of a module that keeps what it is shown for its own training."""
    if isinstance(term.fn, torch.nn.Module) and isinstance(term.fn, StatefulTerm):
        return replace(term, fn=copy.deepcopy(term.fn))
    return term
