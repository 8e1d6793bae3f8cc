"""Nodes of the viewer's scene: cameras with thumbnails, sparse points, the region, the mesh."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation
from torch.nn.functional import interpolate

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.scene import Scene
from nerfloss.data.views import Views

THUMBNAIL = 96  # pixels of the longer side
MOST_CAMERAS, MOST_POINTS = 120, 50_000
FRUSTUM = 0.12  # scene units
LEFT = 0.02  # scene units from a camera, beyond which it is shown again
BLUE, ORANGE, GREY = (60, 110, 200), (230, 140, 40), (120, 120, 120)


@dataclass
class SceneNodes:
    """The nodes that all browsers share, by the name under which they are switched."""

    nodes: dict[str, list[Any]] = field(default_factory=dict)
    _entered: Any = None
    _entered_at: Float[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))

    def show(self, name: str, visible: bool) -> None:
        """Switch the nodes of one name on or off."""
        for node in self.nodes.get(name, ()):
            node.visible = visible

    def enter(self, node: Any, position: Float[np.ndarray, "3"]) -> None:
        """Hide the camera in whose place the view stands: its thumbnail would cover it."""
        self.leave(None)
        node.visible = False
        self._entered, self._entered_at = node, position

    def leave(self, position: Float[np.ndarray, "3"] | None) -> None:
        """Show the entered camera again once the view has moved away from it; None: at once."""
        if self._entered is None:
            return
        if position is None or np.linalg.norm(position - self._entered_at) > LEFT:
            self._entered.visible = True
            self._entered = None


def add_nodes(
    server: Any, scene: Scene, box: Float[np.ndarray, "2 3"], enter: Callable[[Any, int], None]
) -> SceneNodes:
    """Add cameras, points and box; ``enter(browser, view)`` is called for a camera clicked on."""
    found = SceneNodes()
    server.scene.set_up_direction(tuple(scene.up))
    found.nodes["cameras"] = [
        _frustum(server, scene.train, view, found, enter) for view in _some(len(scene.train))
    ]
    points = scene.train.points
    if points is not None and len(points.positions):
        every = -(-len(points.positions) // MOST_POINTS)
        kept = points.positions[::every].cpu().numpy().astype(np.float32)
        node = server.scene.add_point_cloud("/points", kept, ORANGE, point_size=0.006)
        found.nodes["sparse points"] = [node]
    edges = _edges(box)
    found.nodes["region"] = [
        server.scene.add_line_segments("/region", edges, GREY, thickness=0.004)
    ]
    return found


def add_mesh(client: Any, mesh: trimesh.Trimesh) -> Any:
    """Add a mesh in scene units, in its vertex colours, to the scene of one browser; hidden."""
    return client.scene.add_mesh_trimesh("/mesh", mesh, visible=False)


def pose_of(cameras: Cameras, view: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the quaternion (w, x, y, z), the position and the vertical field of view in radians.

    The field of view is that of a pinhole with the camera's focal length.
    """
    pose = cameras.poses[view].double().cpu().numpy()
    x, y, z, w = Rotation.from_matrix(pose[:, :3]).as_quat()
    focal = float(cameras.intrinsics[view, 1, 1])
    fov = 2 * np.arctan(cameras.size(view)[1] / (2 * focal))
    return np.array([w, x, y, z]), pose[:, 3], float(min(fov, np.radians(120)))


def _frustum(
    server: Any,
    views: Views,
    view: int,
    nodes: SceneNodes,
    enter: Callable[[Any, int], None],
) -> Any:
    quaternion, position, fov = pose_of(views.cameras, view)
    width, height = views.cameras.size(view)
    node = server.scene.add_camera_frustum(
        f"/cameras/{view:04d}",
        fov,
        width / height,
        scale=FRUSTUM,
        thickness=0.003,
        color=BLUE,
        image=_thumbnail(views, view),
        format="jpeg",
        wxyz=quaternion,
        position=position,
        cast_shadow=False,
        receive_shadow=False,
    )

    @node.on_click
    def _(event: Any) -> None:
        nodes.enter(node, position)
        enter(event.client, view)

    return node


def _thumbnail(views: Views, view: int) -> UInt8[np.ndarray, "height width 3"]:
    width, height = views.cameras.size(view)
    factor = min(1.0, THUMBNAIL / max(width, height))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    image = views.rgb[view, :height, :width].cpu().permute(2, 0, 1)[None].float()
    small = interpolate(image, size, mode="area")[0].permute(1, 2, 0)
    return small.round().clamp(0, 255).byte().numpy()


def _some(count: int) -> range:
    """Return the views whose cameras are shown: every n-th where there are many."""
    return range(0, count, -(-count // MOST_CAMERAS))


def _edges(box: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "12 2 3"]:
    corners = np.array(list(product(*box.T)), dtype=np.float32)
    pairs = [(a, b) for a, b in combinations(corners, 2) if (a != b).sum() == 1]
    return np.array(pairs, dtype=np.float32)
