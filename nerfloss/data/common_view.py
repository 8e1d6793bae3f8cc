"""The part of space that cameras look at together: meeting point of the axes, up, capture kind."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nerfloss.data.posed_cameras import Ball, PosedCameras

# The mean squared sine between the axes and their common direction: 1.5 degrees.
PARALLEL = 7e-4


@dataclass(frozen=True)
class CommonView:
    """Where cameras look.

    ``kind`` is ``inward`` (around one place), ``outward`` (away from one place), ``forward`` (about
    parallel axes), ``mixed`` (no common direction), or ``panorama`` (all cameras at one place).
    ``point`` is where the optical axes meet best, ``distances`` are those of the cameras from it,
    ``front`` is the fraction of the cameras that have it before them.
    """

    kind: str
    point: Float[np.ndarray, "3"]
    distances: Float[np.ndarray, "views"]
    front: float

    @property
    def near(self) -> float:
        """The distance of the closer cameras: the 20 % quantile."""
        return float(np.quantile(self.distances, 0.2))


def common_view(cameras: PosedCameras) -> CommonView:
    """Return where cameras look; the frame must be that of `PosedCameras.without_units`."""
    point, spread = meeting_point(cameras.centers, cameras.axes)
    to_point = point - cameras.centers
    distances = np.linalg.norm(to_point, axis=1)
    depth = (to_point * cameras.axes).sum(1)
    front = float((depth > 0).mean())
    residual = float(np.median(np.linalg.norm(to_point - depth[:, None] * cameras.axes, axis=1)))
    common = float(np.linalg.norm(cameras.axes.mean(0)))
    # Of axes that meet, most pass the point much closer than the cameras are apart (1).
    meet = spread > PARALLEL and residual < 0.5
    if np.abs(cameras.centers).max() == 0:
        kind = "panorama"
    elif meet and front >= 0.75 and cameras.visible_fraction(point[None])[0] >= 0.6:
        kind = "inward"
    elif meet and front <= 0.25:
        kind = "outward"
    else:
        kind = "forward" if common > 0.6 else "mixed"
    return CommonView(kind, point, distances, front)


def meeting_point(
    centers: Float[np.ndarray, "views 3"], axes: Float[np.ndarray, "views 3"]
) -> tuple[Float[np.ndarray, "3"], float]:
    """Return the point closest to lines, and how much their directions differ.

    The sum of the distances (not of their squares) is least, so that a few lines that pass
    far from it count little. The second value is the mean squared sine between the directions
    and the one closest to all: 0 for parallel lines, 2/3 for random ones.
    """
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    spread = float(np.linalg.eigvalsh(across.mean(0))[0])
    weights, point = np.ones(len(centers)), centers.mean(0)
    for _ in range(30):
        system = (weights[:, None, None] * across).sum(0)
        target = (weights[:, None] * np.einsum("nij,nj->ni", across, centers)).sum(0)
        # The least-norm solution stays near the cameras (the origin) along parallel lines.
        point = np.linalg.lstsq(system, target, rcond=1e-9)[0]
        distance = np.linalg.norm(np.einsum("nij,nj->ni", across, point - centers), axis=1)
        weights = 1 / np.maximum(distance, 1e-2 * (distance.mean() + 1e-12) + 1e-12)
        weights /= weights.sum()
    return point, spread


def estimate_up(poses: Float[np.ndarray, "views 3 4"]) -> Float[np.ndarray, "3"]:
    """Return the unit direction that is up, from cameras that are held level.

    It is the direction most at right angles to the cameras' x axes, with the sign of the mean of
    their -y. Where the x axes leave a plane (all cameras face one way), it is the direction in that
    plane closest to the mean of -y. Cameras that are all turned by 90 degrees have x axes along up:
    then it is that direction, with the sign by which the cameras look down.
    Reference: nerfstudio, camera_utils.auto_orient_and_center_poses, method "vertical".
    """
    x, minus_y, axes = poses[:, :, 0], -poses[:, :, 1], poses[:, :, 2]
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    mean = minus_y.mean(0)
    turned, across = np.linalg.eigh(minus_y.T @ minus_y / len(x))
    # Cameras on their side: x points up if they look level; y is level however they look.
    on_side = turned[0] < 0.02 and values[0] > 0.05
    if on_side or (values[2] > 0.9 and turned[2] < 0.8):
        up = across[:, 0] if on_side else vectors[:, 2]
        return up if up @ axes.mean(0) <= 0 else -up
    flat = vectors[:, values - values[0] < 0.02]
    up = flat @ (flat.T @ mean)
    length = float(np.linalg.norm(up))
    return up / length if length > 1e-6 else vectors[:, 0]


def ball_of_cameras(cameras: PosedCameras, view: CommonView) -> tuple[Ball, str]:
    """Return the ball that cameras alone suggest, and how it was found.

    Cameras around one place: the ball about it that fits into the typical image, with the cameras
    outside. Otherwise their positions give no distance, and the ball is a guess that is said.
    """
    axis = cameras.axes.mean(0)
    length = max(float(np.linalg.norm(axis)), 1e-12)
    if view.kind == "inward":
        return Ball(view.point, fitting_radius(cameras, view)), "the cameras look around one place"
    if view.kind == "panorama":
        return Ball(np.zeros(3), 1.0), "all cameras are at one place: the scale is a guess"
    if view.kind == "forward":
        # Four times the cameras' spread before them: parallax of about 15 degrees.
        ball = Ball(4 * axis / length, 2.0)
        return ball, "the cameras face one way: the distance of the object is a guess"
    # The cameras are in the middle of what they see.
    found = "the cameras look outward" if view.kind == "outward" else "the axes meet nowhere"
    return Ball(np.zeros(3), 4.0), f"{found}: the extent of the scene is a guess"


def fitting_radius(cameras: PosedCameras, view: CommonView) -> float:
    """Return the radius of the ball about the meeting point that fits into the typical image.

    The angle is the geometric mean of those to the sides and to the top: in tall images, objects
    are wider than the image, too.
    """
    half = [np.sqrt(np.prod(half_fields(cameras, i))) for i in range(len(cameras))]
    radius = 0.85 * float(np.median(view.distances * np.sin(np.minimum(half, np.pi / 2))))
    return min(radius, 0.7 * view.near)


def half_fields(cameras: PosedCameras, view: int) -> Float[np.ndarray, "2"]:
    """Return half of the field of view of one camera across and down, in radians."""
    camera = cameras.cameras[view]
    width, height = camera.width, camera.height
    ends = [[0, height / 2], [width, height / 2], [width / 2, 0], [width / 2, height]]
    directions = cameras.directions(np.array(ends, dtype=np.float64), view)
    angles = np.arccos(np.clip(directions @ cameras.axes[view], -1, 1))
    return angles.reshape(2, 2).mean(1)
