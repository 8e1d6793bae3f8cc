"""Random numbers per ray that do not depend on the number of processes sharing a batch."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor


class PartGenerator(Generator):
    """Generator for rays ``begin`` to ``end`` of the ``whole`` number of rays of a step.

    Numbers that are not per ray are the same in every process.
    """

    begin: int
    end: int
    whole: int

    @classmethod
    def of(cls, generator: Generator, begin: int, end: int, whole: int) -> "PartGenerator":
        """Return a copy of a generator for a range of rays."""
        copy = cls(generator.device)
        copy.manual_seed(generator.initial_seed())
        copy.set_state(generator.get_state())
        copy.begin, copy.end, copy.whole = begin, end, whole
        return copy


def per_ray(
    shape: tuple[int, ...], generator: Generator, device: torch.device, *, axis: int = 0
) -> Float[Tensor, "*shape"]:
    """Return uniform random numbers in [0, 1), where ``axis`` of ``shape`` counts rays.

    For a part of a step's rays, the numbers of all rays are drawn and those of the part are
    returned: the processes together draw the numbers of a single process, and their generators stay
    in the same state.
    """
    if not isinstance(generator, PartGenerator):
        return torch.rand(shape, generator=generator, device=device)
    own = generator.end - generator.begin
    if shape[axis] != own:
        raise ValueError(f"numbers for {shape[axis]} rays were asked for, and {own} are here")
    whole = (*shape[:axis], generator.whole, *shape[axis + 1 :])
    drawn = torch.rand(whole, generator=generator, device=device)
    return drawn.narrow(axis, generator.begin, own).contiguous()
