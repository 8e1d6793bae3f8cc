"""The terms that maps were asked for, and the reasons why some cannot be drawn."""

import copy
from collections.abc import Collection
from dataclasses import replace

import torch

from nerfloss.assembly.loss_maps.term_inputs import TermInputs
from nerfloss.assembly.loss_maps.view_quantities import ViewQuantities
from nerfloss.recipe import LossRecipe, Term
from nerfloss.recipe.stateful_terms import StatefulTerm


def chosen_terms(recipe: LossRecipe, step: int, names: Collection[str] | None) -> dict[str, Term]:
    """Return terms by name, those that are active around the step by default.

    Evaluating them changes nothing in the recipe. Raises ValueError for a name that is no term.
    """
    active = [name for name, term in recipe.terms.items() if term.weight_around(step) > 0]
    chosen = active if names is None else names
    for name in chosen:
        if name not in recipe.terms:
            listed = ", ".join(recipe.terms)
            raise ValueError(f"'{name}' is no term of this recipe: choose from {listed}")
    return {name: _undisturbed(recipe.terms[name]) for name in chosen}


def reason_against(inputs: TermInputs, known: ViewQuantities) -> str | None:
    """Return why a term has no map on this view, as far as its inputs tell; None if it may."""
    if reason := inputs.reason_against(known.offers):
        return reason
    view, patch = known.view, known.given.get("patch_shape")
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
