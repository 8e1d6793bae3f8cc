"""Heads: small networks that read more from a field's embeddings than its colour."""

from collections.abc import Callable, Mapping

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.mlp import MLP
from nerfloss.quantities.vocabulary import VOCABULARY

# What a head may be called of the names that the vocabulary gives a meaning.
QUANTITIES = ("logits", "features")


class Head(nn.Module):
    """``channels`` numbers per point, seen along a ray as colours are: ``sum_i w_i h(x_i)``.

    They do not depend on where a point is seen from. What is composited is not bounded: semantic
    logits, or an embedding of instances. A loss on it trains the head and, through the embeddings,
    the field; but it moves the surface through the compositing weights only with
    ``moves_surface``: labels blur at borders, and would smear the shape there.

    Reference: Zhi et al., "In-Place Scene Labelling and Understanding with Implicit Scene
    Representation" (Semantic-NeRF), ICCV 2021, where the weights are descended too.
    """

    def __init__(
        self,
        embedding: int,
        *,
        channels: int,
        hidden: int = 1,
        width: int = 64,
        moves_surface: bool = False,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"a head (model.field.heads) needs channels >= 1, got {channels}")
        self.moves_surface = moves_surface
        self.network = MLP(embedding, channels, hidden=hidden, width=width, backend=backend)

    def forward(
        self, embeddings: Float[Tensor, "points embedding"]
    ) -> Float[Tensor, "points channels"]:
        """The head's numbers at points."""
        return self.network(embeddings)


def heads_on(
    embedding: int, heads: Mapping[str, Callable[[int], nn.Module]] | None
) -> nn.ModuleDict:
    """Make the heads of a field, by the name of the quantity that each composites to.

    Raises ValueError for a name that already means something else.
    """
    for name in heads or {}:
        if name in VOCABULARY and name not in QUANTITIES:
            raise ValueError(
                f"model.field.heads.{name}: '{name}' is {VOCABULARY[name].meaning}; call a head "
                f"{' or '.join(QUANTITIES)}, or by a name of its own"
            )
    return nn.ModuleDict({name: make(embedding) for name, make in (heads or {}).items()})


def head_parameters(heads: nn.ModuleDict) -> dict[str, list[nn.Parameter]]:
    """The group of parameters of all heads; none where there is no head."""
    return {"heads": list(heads.parameters())} if heads else {}
