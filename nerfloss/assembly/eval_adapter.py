"""What the evaluator sees: a model as callables, a scene's views one at a time, and the truth."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from nerfloss.data.pixel_samplers.uniform import image_batch
from nerfloss.data.scene import Scene
from nerfloss.data.views import Views
from nerfloss.data.visual_hull import hull_mesh, visual_hull
from nerfloss.evaluation.evaluator import EvaluatedModel, GroundTruth
from nerfloss.evaluation.image_rendering import View
from nerfloss.geometry import Rays
from nerfloss.models import Model
from nerfloss.quantities.signature import inputs_of

HULL_RESOLUTION = 128


def subject_of(model: Model, at: Mapping[str, Any]) -> EvaluatedModel:
    """A model at a moment ``at`` of its training (``step``, ``progress``), ready to be judged."""
    field = model.field

    def render(rays: Rays, needs: Collection[str]) -> Mapping[str, Tensor]:
        return model(rays.to(field.box.device), needs, given=at)

    def colors(
        points: Float[Tensor, "points 3"], normals: Float[Tensor, "points 3"]
    ) -> Float[Tensor, "points 3"]:
        """Colours of surface points as seen from straight above them."""
        seen = {"positions": points, "normals": normals, "directions": -normals}
        looks_at = inputs_of(field.appearance)
        seen |= field(points, set(looks_at) & field.offers)
        return field.appearance(*(seen[name] for name in looks_at))

    is_distance = "sdf" in field.offers
    return EvaluatedModel(render, model.offers(), field.box, field.implicit, colors, is_distance)


def views_of(scene: Scene, split: str, *, first: int = 0, every: int = 1) -> Iterator[View]:
    """The views of a split as images to be judged, made one at a time; every so manyth of them."""
    indices = range(first, len(_split(scene, split)), every)
    return (view_at(scene, split, index) for index in indices)


def view_at(scene: Scene, split: str, index: int) -> View:
    """One view of a split as an image to be judged."""
    views = _split(scene, split)
    batch = image_batch(views, index, scene.background)
    return View(views.names[index], batch, views.cameras.height, views.cameras.width)


def beside(scene: Scene, index: int) -> int:
    """The training view whose camera looks at the origin from nearest by a test view's."""
    place = scene.test.cameras.poses[index, :, 3]
    cosines = cosine_similarity(scene.train.cameras.poses[:, :, 3], place[None])
    return int(cosines.argmax())


def _split(scene: Scene, split: str) -> Views:
    if split not in ("train", "test"):
        raise ValueError(f"eval.split={split!r} is no split: use train or test")
    return scene.train if split == "train" else scene.test


def truth_of(scene: Scene, box: Float[Tensor, "2 3"]) -> GroundTruth:
    """What is known of a scene; with masks, their visual hull is the baseline ``hull``."""
    baselines, box = {}, box.cpu()
    if scene.has_mesh and scene.train.mask is not None:
        baselines["hull"] = hull_mesh(visual_hull(scene.train, box, HULL_RESOLUTION), box)
    return GroundTruth(scene.mesh, scene.to_world, baselines, scene.conventions)
