"""The battery that every loss term passes: public, so that a user's own terms can take it too."""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from nerfloss.quantities.signature import underlying
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe.batch_requirements import fewest_rays, smallest_patch
from nerfloss.recipe.parsing import read_terms
from nerfloss.recipe.term import Term
from nerfloss.testing.quantities import SIZES, fake

DEGENERATE = (0.0, 1.0, 1e6)
# Numbers that a term is fed beyond which the gradient is not tried one by one.
MANY = 500


def check_term(
    fn: Callable[..., Tensor],
    *,
    where: str | None = None,
    inputs: Mapping[str, str] | None = None,
    smooth: bool = True,
) -> None:
    """Raise AssertionError, with the reason, unless ``fn`` keeps the contract of a loss term.

    It asks for known quantities in the vocabulary's shapes; cites a reference; its gradient agrees
    with finite differences in float64 (``smooth=False`` skips that, for terms that stop gradients
    or draw at random); value and gradient are finite where all quantities are 0, 1 or 1e6; and a
    mean under ``where`` is one over what it keeps. A module is tried as a copy. A term that needs
    larger patches than the made-up ones says so (`nerfloss.recipe.batch_requirements`). Raises RecipeError where
    no recipe takes it.
    """
    term = read_terms({"term": {"fn": fn, "where": where, "inputs": inputs}})["term"]
    _check_quantities(term)
    _check_reference(term)
    _check_finite(term)
    _check_selection(term)
    if smooth:
        _check_gradient(term)


def _check_quantities(term: Term) -> None:
    signature = inspect.signature(underlying(term.fn))
    for parameter, quantity in term.arguments.items():
        assert quantity in VOCABULARY, (
            f"asks for '{quantity}', which is not in the vocabulary: rename it, or bind it with "
            f"'inputs'"
        )
        stated = getattr(signature.parameters[parameter].annotation, "dim_str", None)
        meant = VOCABULARY[quantity].shape
        assert stated is None or fits(stated, meant), (
            f"takes '{parameter}' as \"{stated}\", but '{quantity}' is \"{meant}\""
        )
        assert stated is not None or VOCABULARY[quantity].kind in ("object", "int"), (
            f"does not say the shape of '{parameter}': annotate it as Float[Tensor, \"{meant}\"]"
        )
    assert term.where is None or term.where in VOCABULARY, f"selects by unknown '{term.where}'"


def fits(stated: str, meant: str) -> bool:
    """Whether an annotation holds for a shape: equal, or alike around one ``...`` or ``*name``."""
    axes, shape = stated.split(), meant.split()
    open_ended = [i for i, axis in enumerate(axes) if axis == "..." or axis.startswith("*")]
    if not open_ended:
        return axes == shape
    before, after = axes[: open_ended[0]], axes[open_ended[0] + 1 :]
    long_enough = len(before) + len(after) <= len(shape)
    return long_enough and shape[: len(before)] + shape[len(shape) - len(after) :] == before + after


def _check_reference(term: Term) -> None:
    documented = [getattr(term.fn, "func", term.fn), underlying(term.fn)]
    texts = [inspect.getdoc(item) or "" for item in documented]
    assert any("Reference:" in text for text in texts), "its docstring cites no 'Reference:'"


def _check_gradient(term: Term) -> None:
    term = in_dtype(term, torch.float64)
    quantities = fakes_for(term, torch.float64)
    names = [name for name in sorted(quantities) if is_predicted(term, name, quantities[name])]
    leaves = tuple(quantities[name].requires_grad_() for name in names)

    def value(*tensors: Tensor) -> Tensor:
        return term(quantities | dict(zip(names, tensors, strict=True)))

    # Through a network, or from whole patches, a direction at random stands for the Jacobian's
    # many columns.
    fast = isinstance(term.fn, nn.Module) or sum(leaf.numel() for leaf in leaves) > MANY
    right = not leaves or torch.autograd.gradcheck(value, leaves, fast_mode=fast)
    assert right, "its gradient is wrong"


def _check_finite(term: Term) -> None:
    term = in_dtype(term, torch.float32)
    for degenerate in DEGENERATE:
        for observed_too in (True, False):
            quantities = fakes_for(term, torch.float32)
            for name, value in quantities.items():
                if not isinstance(value, Tensor) or not value.is_floating_point():
                    continue
                if observed_too or not name.startswith("target_"):
                    value.fill_(degenerate)
                value.requires_grad_()
            _check_finite_at(term, quantities, f"all its quantities are {degenerate:g}")


def _check_finite_at(term: Term, quantities: Mapping[str, Any], situation: str) -> None:
    value = term(quantities)
    assert value.isfinite(), f"its value is {value.item()} where {situation}"
    if not value.requires_grad:
        return
    value.backward()
    for name, quantity in quantities.items():
        gradient = getattr(quantity, "grad", None)
        assert gradient is None or gradient.isfinite().all(), (
            f"its gradient with respect to '{name}' is not finite where {situation}"
        )


def _check_selection(term: Term) -> None:
    """Half of what the term returns is kept, and the mean is over that half alone."""
    term = in_dtype(term, torch.float64)
    quantities = fakes_for(term, torch.float64)
    errors = term.unreduced(quantities)
    assert errors.is_floating_point(), f"returns {errors.dtype}, not floating point"
    if errors.ndim == 0:
        return
    keep = torch.arange(errors.shape[0]) % 2 == 0
    selective = Term(fn=term.fn, where="keep", inputs=term.inputs)
    quantities["keep"] = keep
    mean = selective(quantities)
    expected = selective.unreduced(quantities)[keep].mean()
    # A term that draws at random differs from itself: it returns other values when asked again.
    if torch.equal(errors, selective.unreduced(quantities)):
        assert torch.allclose(mean, expected), f"a mean under 'where' is {mean}, not {expected}"


def fakes_for(term: Term, dtype: torch.dtype) -> dict[str, Any]:
    """Made-up values of all that a term looks at, of sizes that it can do with."""
    side = smallest_patch(term.fn)
    sizes = {**SIZES, **{axis: max(side, SIZES[axis]) for axis in ("height", "width")}}
    sizes["rays"] = max(fewest_rays(term.fn), SIZES["rays"])
    if {"rays", "patches"} <= {VOCABULARY[name].shape.partition(" ")[0] for name in term.needs}:
        # Rays that are a patch's, and few: each of them is one more column of the Jacobian.
        sizes |= {"height": max(side, 3), "width": max(side, 4)}
        sizes["rays"] = sizes["patches"] * sizes["height"] * sizes["width"]
    return {name: fake(name, dtype=dtype, sizes=sizes) for name in sorted(term.needs)}


def in_dtype(term: Term, dtype: torch.dtype) -> Term:
    """The term; if it is a module as a copy with its numbers in ``dtype``."""
    if not isinstance(term.fn, nn.Module):
        return term
    return replace(term, fn=copy.deepcopy(term.fn).to(dtype))


def is_predicted(term: Term, name: str, value: Any) -> bool:
    """Whether a gradient may flow into a quantity: not into what is observed or selects."""
    differentiable = isinstance(value, Tensor) and value.is_floating_point()
    return differentiable and not name.startswith("target_") and name != term.where
