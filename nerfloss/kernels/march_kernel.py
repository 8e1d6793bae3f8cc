"""The interface of the kernels that march through a cached grid."""

from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor


class MarchParameters(NamedTuple):
    """Settings of a march, in the order in which kernels take them.

    ``step`` and ``band`` are lengths in scene units. ``sharpness`` turns a cached signed distance
    into opacity; ``threshold`` is the density from which a step is a candidate. ``uniform_share``
    of the samples is spread evenly over the candidates. Below ``min_transmittance`` a ray counts as
    dark: ``dark_steps`` more candidates of a density are taken there. An exploring interval is at
    most ``exploring_steps`` long.
    """

    step: float
    band: float
    sharpness: float
    threshold: float
    uniform_share: float
    min_transmittance: float
    exploring_steps: float
    dark_steps: float


@runtime_checkable
class MarchKernel(Protocol):
    """A module of a backend; `nerfloss.samplers.march` defines what is computed."""

    def place(
        self,
        origins: Tensor,
        directions: Tensor,
        shifts: Tensor,
        values: Tensor,
        region: Tensor,
        box: Tensor,
        is_sdf: bool,
        parameters: MarchParameters,
        count: int,
        explore: int,
    ) -> tuple[Tensor, Tensor]:
        """Return start and end of ``count`` intervals per ray, each ``rays count``.

        ``values`` and ``region`` are the cached grid (z, y, x). ``shifts`` (2 rays) in [0, 1) move
        a ray's steps and its quantiles. A ray without candidates gets ``explore`` intervals.
        """
        ...
