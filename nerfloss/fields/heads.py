"""Heads: small networks on a field's embeddings, e.g. for semantic logits."""

from collections.abc import Callable, Mapping

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.mlp import MLP
from nerfloss.quantities.vocabulary import VOCABULARY

# Quantities of the vocabulary that a head may compute.
QUANTITIES = ("logits", "features")


class Head(nn.Module):
    """View-independent ``channels`` per point, composited along rays: ``sum_i w_i h(x_i)``.

    Outputs are unbounded, e.g. semantic logits or an instance embedding. A loss on them trains the
    head and, through the embeddings, the field. Gradients reach the compositing weights only with
    ``moves_surface``: labels are inaccurate at borders, where they would blur the surface.

    Reference: Zhi et al., "In-Place Scene Labelling and Understanding with Implicit Scene
    Representation" (Semantic-NeRF), ICCV 2021, where gradients do reach the weights.
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
        """Return the head's outputs at points."""
        return self.network(embeddings)


def build_heads(
    embedding: int, heads: Mapping[str, Callable[[int], nn.Module]] | None
) -> nn.ModuleDict:
    """Build the heads of a field, by the name of the composited quantity.

    Raises ValueError for the name of another quantity of the vocabulary.
    """
    for name in heads or {}:
        if name in VOCABULARY and name not in QUANTITIES:
            raise ValueError(
                f"model.field.heads.{name}: '{name}' is {VOCABULARY[name].meaning}; call a head "
                f"{' or '.join(QUANTITIES)}, or by a name of its own"
            )
    return nn.ModuleDict({name: make(embedding) for name, make in (heads or {}).items()})


def head_parameters(heads: nn.ModuleDict) -> dict[str, list[nn.Parameter]]:
    """Return the parameter group of all heads; empty without heads."""
    return {"heads": list(heads.parameters())} if heads else {}
