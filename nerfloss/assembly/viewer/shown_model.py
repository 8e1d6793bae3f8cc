"""A model of a run at a moment of its training, with all that the viewer can show of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from nerfloss.assembly.loss_maps import map_view, term_maps
from nerfloss.assembly.rendering.run_video import video_renderer
from nerfloss.assembly.viewer.photograph_maps import (
    MapSource,
    NoMap,
    PhotographMap,
    downscale_of,
    error_map,
    small_cameras,
)
from nerfloss.assembly.viewer.progressive_rendering import ChunkRows, rendered
from nerfloss.assembly.viewer.view_modes import ShownModel
from nerfloss.data.scene import Scene
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.models import Model
from nerfloss.recipe import LossRecipe

LOSS = "loss: "  # and the name of a term: a mode
BRIGHT = 0.99  # the quantile of a loss at the bright end of the colours


@dataclass(frozen=True)
class ShownParts:
    """The parts of a run that the viewer shows.

    ``given`` is what a batch has beside its rays, as terms on patches or on all views need it
    (`nerfloss.assembly.loss_maps.batch_constants`).
    """

    model: Model
    recipe: LossRecipe
    scene: Scene
    evaluator: Evaluator
    given: Mapping[str, Any]

    def at(self, at: Mapping[str, Any]) -> ShownModel:
        """Return the model at a moment ``at`` of its training (``step``, ``progress``)."""
        video = video_renderer(self.model, at, self.scene, self.evaluator)
        chunk = ChunkRows(self.evaluator.chunk)

        def errors(_: str, index: int) -> Iterator[PhotographMap | None]:
            return error_map(shown.subject, shown.scene, index, shown.background, chunk)

        def losses(mode: str, index: int) -> Iterator[PhotographMap | None]:
            return self._loss_map(shown, at, mode.removeprefix(LOSS), index, chunk)

        modes = dict.fromkeys((f"{LOSS}{name}" for name in self.recipe.terms), _kept(losses))
        maps = {"error": _kept(errors), **modes}
        shown = ShownModel(video.subject, video.scene, at["step"], maps)
        return shown

    def _loss_map(
        self, shown: ShownModel, at: Mapping[str, Any], name: str, index: int, chunk: ChunkRows
    ) -> Iterator[PhotographMap | None]:
        """Yield None after every step, and at last the map of a term on a photograph."""
        downscale = downscale_of(shown.scene, index)
        cameras, images = small_cameras(shown.scene, index, downscale), None
        for images in rendered(shown.subject, cameras, 0, {"depth"}, shown.background, chunk):
            if images is None:
                yield None
        assert images is not None
        view = map_view(shown.scene, "train", index, downscale)
        found = term_maps(self.model, self.recipe, at, view, [name], given=self.given)
        if name not in found:
            raise NoMap(found.not_drawn[name])
        values = found[name].values
        finite = values[values.isfinite()]
        if not len(finite):
            raise NoMap("it has no value there")
        high = max(float(torch.quantile(finite, BRIGHT)), 1e-12)
        yield PhotographMap(values, images.quantities["depth"], cameras, high)


def _kept(source: MapSource) -> MapSource:
    """Return a source that makes each map once."""
    made: dict[tuple[str, int], PhotographMap] = {}

    def kept(mode: str, index: int) -> Iterator[PhotographMap | None]:
        if (mode, index) not in made:
            for found in source(mode, index):
                if found is None:
                    yield None
                else:
                    made[mode, index] = found
        yield made[mode, index]

    return kept
