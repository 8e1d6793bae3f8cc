"""Random numbers for each ray, the same whether one process sees a step's rays or several share."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor


class PartGenerator(Generator):
    """A generator for rays ``begin`` to ``end`` out of the ``whole`` step's.

    It is one for everything else too: it then draws the same in every process.
    """

    begin: int
    end: int
    whole: int

    @classmethod
    def of(cls, generator: Generator, begin: int, end: int, whole: int) -> "PartGenerator":
        """A copy of a generator that knows which rays it is for."""
        copy = cls(generator.device)
        copy.manual_seed(generator.initial_seed())
        copy.set_state(generator.get_state())
        copy.begin, copy.end, copy.whole = begin, end, whole
        return copy


def per_ray(
    shape: tuple[int, ...], generator: Generator, device: torch.device, *, axis: int = 0
) -> Float[Tensor, "*shape"]:
    """Numbers spread evenly over [0, 1), where ``axis`` of ``shape`` counts rays.

    For a part of a step's rays the numbers of all are drawn, and the part's are kept: together the
    processes draw what one would, and leave their generators alike.
    """
    if not isinstance(generator, PartGenerator):
        return torch.rand(shape, generator=generator, device=device)
    own = generator.end - generator.begin
    if shape[axis] != own:
        raise ValueError(f"numbers for {shape[axis]} rays were asked for, and {own} are here")
    whole = (*shape[:axis], generator.whole, *shape[axis + 1 :])
    drawn = torch.rand(whole, generator=generator, device=device)
    return drawn.narrow(axis, generator.begin, own).contiguous()
