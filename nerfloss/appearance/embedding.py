"""A learned vector per image, which the colour network takes as an additional input."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.appearance.image_values import ImageValues


class ImageEmbedding(ImageValues):
    """A vector of ``channels`` numbers per training image, 0 at first.

    The colour network of the field takes it (`model.field.appearance.image_embedding`); the one of
    a background model does not.

    Reference: Martin-Brualla et al., "NeRF in the Wild", CVPR 2021, section 4.1; Bojanowski et al.,
    "Optimizing the Latent Space of Generative Networks" (GLO), ICML 2018.
    """

    quantity = "image_embeddings"

    def __init__(self, *, channels: int = 16, learning_rate: float = 3e-3) -> None:
        if channels < 1:
            raise ValueError(f"appearance.channels must be at least 1, got {channels}")
        zeros = torch.zeros(channels)
        super().__init__(zeros, zeros + 1, zeros.clone(), learning_rate=learning_rate)

    def rules(self, *, background_model: bool) -> Mapping[str, Callable]:  # noqa: ARG002
        return {"image_embeddings": self.values, "image_embedding": embedding_of_image}


def embedding_of_image(
    image_embeddings: Float[Tensor, "images code"], view: Int[Tensor, "rays"]
) -> Float[Tensor, "rays code"]:
    """Return the vector of each ray's image."""
    return image_embeddings.index_select(0, view)
