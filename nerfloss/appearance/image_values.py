"""Learned numbers per training image, whose count is known once the scene is loaded."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class ImageValues(nn.Module):
    """One row of numbers per training image, all equal to ``start`` at first.

    Learned are the offsets from ``start``, to which weight decay therefore leads back. There are no
    rows before `set_images`, or before a state with rows is loaded. ``learning_rate`` is that of
    the offsets, which are multiplied by ``rates``. ``correction`` holds the numbers that are fitted
    to an image that was not trained on: zeros, added to a row. ``quantity`` names the rows of all
    images.

    Subclasses state ``quantity``, and in ``rules`` how colours depend on it. ``constants`` are the
    quantities behind ``rgb`` that do not depend on the rows.
    """

    quantity = ""
    constants: frozenset[str] = frozenset()
    start: Tensor
    rates: Tensor
    sizes: Tensor

    def __init__(
        self, start: Tensor, rates: Tensor, correction: Tensor, *, learning_rate: float
    ) -> None:
        super().__init__()
        if not learning_rate > 0:
            raise ValueError(f"appearance.learning_rate must be positive, got {learning_rate}")
        self.learning_rate = learning_rate
        self.register_buffer("start", start, persistent=False)
        self.register_buffer("rates", rates, persistent=False)
        self.register_buffer("correction", correction, persistent=False)
        self.register_buffer("sizes", torch.zeros(0, 2, dtype=torch.int64))
        self.offsets = nn.Parameter(start.new_zeros(0, *start.shape))

    def set_images(self, sizes: Int[Tensor, "images 2"]) -> None:
        """Make one row per training image of these sizes (width, height)."""
        self.sizes = sizes.to(self.start.device, copy=True)
        self.offsets = nn.Parameter(self.start.new_zeros(len(sizes), *self.start.shape))

    def values(self) -> Float[Tensor, "images *row"]:
        """Return the row of every training image."""
        return self.start + self.rates * self.offsets

    def image_sizes(self) -> Float[Tensor, "images 2"]:
        """Return width and height of every training image, in pixels."""
        return self.sizes.to(self.start.dtype)

    def mean(self) -> Float[Tensor, "*row"]:
        """Return the mean row of the training images."""
        return self.start + self.rates * self.offsets.mean(0)

    def given(self, row: Float[Tensor, "*row"], width: int, height: int) -> dict[str, Tensor]:
        """Return the quantities by which an image of its own, with index 0, has this row."""
        size = row.new_tensor([[width, height]])
        return {self.quantity: row[None], "image_sizes": size}

    def rules(self, *, background_model: bool) -> Mapping[str, Callable]:
        """Return rules for quantities by name; a background model's colours are photographed."""
        raise NotImplementedError

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters by the name for which the optimizer has settings."""
        return {"image_appearance": [self.offsets]}

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Load rows, for as many images as the state has where `set_images` was not called.

        Raises ValueError for rows of another number of training images.
        """
        sizes = state_dict["sizes"]
        if not len(self.offsets):
            self.set_images(sizes)
        elif len(sizes) != len(self.sizes):
            raise ValueError(
                f"the checkpoint has an appearance for {len(sizes)} training images, the scene has "
                f"{len(self.sizes)}: use the data and the hold-out rule that the run began with"
            )
        return super().load_state_dict(state_dict, *args, **kwargs)
