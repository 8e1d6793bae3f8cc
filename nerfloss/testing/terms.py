"""Checks that every loss term passes, for your own terms too."""

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import AbstractArray
from torch import Tensor, nn

from nerfloss.quantities.signature import underlying
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe.batch_requirements import fewest_rays, smallest_patch
from nerfloss.recipe.parsing import read_terms
from nerfloss.recipe.term import Term
from nerfloss.testing.quantities import SIZES, fake

DEGENERATE = (0.0, 1.0, 1e6)
# With more inputs than this, the gradient is checked along a random direction.
MANY = 500


def check_term(
    fn: Callable[..., Tensor],
    *,
    where: str | None = None,
    inputs: Mapping[str, str] | None = None,
    smooth: bool = True,
) -> None:
    """Raise AssertionError, with the reason, unless ``fn`` keeps the contract of a loss term.

    - It takes quantities of the vocabulary, in their shapes, and its docstring cites a reference.
    - Its value and gradient are finite where all quantities are 0, 1 or 1e6.
    - A mean under ``where`` is taken over the selected entries alone.
    - Its gradient agrees with finite differences in float64; ``smooth=False`` skips that, for terms
      that stop gradients or are random.

    A module is checked as a copy. A term that needs larger patches than the random ones declares it
    (`nerfloss.losses.requirements`). Raises RecipeError for a term that no recipe accepts.
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
            f"takes '{quantity}', which is not in the vocabulary: rename it, or bind it with "
            f"'inputs'"
        )
        stated = _stated_shape(signature.parameters[parameter].annotation)
        meant = VOCABULARY[quantity].shape
        assert stated is None or fits(stated, meant), (
            f"takes '{parameter}' as \"{stated}\", but '{quantity}' is \"{meant}\""
        )
        assert stated is not None or VOCABULARY[quantity].kind in ("object", "int"), (
            f"does not say the shape of '{parameter}': annotate it as Float[Tensor, \"{meant}\"]"
        )
    assert term.where is None or term.where in VOCABULARY, f"selects by unknown '{term.where}'"


def _stated_shape(annotation: Any) -> str | None:
    """Return the axes of a jaxtyping annotation; None for anything else."""
    if not inspect.isclass(annotation) or not issubclass(annotation, AbstractArray):
        return None
    return str(annotation.dim_str)  # pyright: ignore[reportAttributeAccessIssue] (jaxtyping)


def fits(stated: str, meant: str) -> bool:
    """Return True where a stated shape matches, also with one ``...`` or ``*name``."""
    axes, shape = stated.split(), meant.split()
    open_ended = [i for i, axis in enumerate(axes) if axis == "..." or axis.startswith("*")]
    if not open_ended:
        return axes == shape
    before, after = axes[: open_ended[0]], axes[open_ended[0] + 1 :]
    long_enough = len(before) + len(after) <= len(shape)
    return long_enough and shape[: len(before)] + shape[len(shape) - len(after) :] == before + after


def _check_reference(term: Term) -> None:
    loss = term.fn.func if isinstance(term.fn, functools.partial) else term.fn
    documented = [loss, underlying(loss)]
    texts = [inspect.getdoc(item) or "" for item in documented]
    assert any("Reference:" in text for text in texts), "its docstring cites no 'Reference:'"


def _check_gradient(term: Term) -> None:
    term = in_dtype(term, torch.float64)
    quantities = fake_quantities(term, torch.float64)
    names = [name for name in sorted(quantities) if is_predicted(term, name, quantities[name])]
    leaves = tuple(quantities[name].requires_grad_() for name in names)

    def value(*tensors: Tensor) -> Tensor:
        return term(quantities | dict(zip(names, tensors, strict=True)))

    # For networks and patches, a random direction replaces the many columns of the Jacobian.
    fast = isinstance(term.fn, nn.Module) or sum(leaf.numel() for leaf in leaves) > MANY
    right = not leaves or torch.autograd.gradcheck(value, leaves, fast_mode=fast)
    assert right, "its gradient is wrong"


def _check_finite(term: Term) -> None:
    term = in_dtype(term, torch.float32)
    for degenerate in DEGENERATE:
        for observed_too in (True, False):
            quantities = fake_quantities(term, torch.float32)
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
        gradient = quantity.grad if isinstance(quantity, Tensor) else None
        assert gradient is None or gradient.isfinite().all(), (
            f"its gradient with respect to '{name}' is not finite where {situation}"
        )


def _check_selection(term: Term) -> None:
    """Check that a mean over half of the term's values is that of this half."""
    term = in_dtype(term, torch.float64)
    quantities = fake_quantities(term, torch.float64)
    errors = term.unreduced(quantities)
    assert errors.is_floating_point(), f"returns {errors.dtype}, not floating point"
    if errors.ndim == 0:
        return
    keep = torch.arange(errors.shape[0]) % 2 == 0
    selective = Term(fn=term.fn, where="keep", inputs=term.inputs)
    quantities["keep"] = keep
    mean = selective(quantities)
    expected = selective.unreduced(quantities)[keep].mean()
    # A random term returns other values at every call.
    if torch.equal(errors, selective.unreduced(quantities)):
        assert torch.allclose(mean, expected), f"a mean under 'where' is {mean}, not {expected}"


def fake_quantities(term: Term, dtype: torch.dtype) -> dict[str, Any]:
    """Return random values of all quantities of a term, large enough for it."""
    side = smallest_patch(term.fn)
    sizes = {**SIZES, **{axis: max(side, SIZES[axis]) for axis in ("height", "width")}}
    sizes["rays"] = max(fewest_rays(term.fn), SIZES["rays"])
    if {"rays", "patches"} <= {VOCABULARY[name].shape.partition(" ")[0] for name in term.needs}:
        # The rays are the pixels of the patches; few of them, as each is a column of the Jacobian.
        sizes |= {"height": max(side, 3), "width": max(side, 4)}
        sizes["rays"] = sizes["patches"] * sizes["height"] * sizes["width"]
    return {name: fake(name, dtype=dtype, sizes=sizes) for name in sorted(term.needs)}


def in_dtype(term: Term, dtype: torch.dtype) -> Term:
    """Return the term; for a module, one with a copy in ``dtype``."""
    if not isinstance(term.fn, nn.Module):
        return term
    return replace(term, fn=copy.deepcopy(term.fn).to(dtype))


def is_predicted(term: Term, name: str, value: Any) -> bool:
    """Return True for a quantity with a gradient: neither observed nor the selection."""
    differentiable = isinstance(value, Tensor) and value.is_floating_point()
    return differentiable and not name.startswith("target_") and name != term.where
