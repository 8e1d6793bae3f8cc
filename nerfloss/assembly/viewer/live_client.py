"""One browser at the viewer: its camera, and the picture that is being rendered for it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from nerfloss.assembly.viewer.progressive_rendering import ChunkRows, ViewPoint
from nerfloss.assembly.viewer.view_modes import Picture, ShownModel, pictures

STILL_SECONDS = 0.25  # without a message of the camera: it stands still
MODEL, MESH_BETWEEN, MESH = "model", "model, mesh while moving", "mesh"


@dataclass
class Display:
    """What all browsers show: the mode, the pixels of a sharp picture, model or mesh."""

    mode: str = "rgb"
    sharp: int = 480
    surface: str = MODEL


class LiveClient:
    """Render for one browser, step by step, whatever its camera shows now.

    A change abandons the picture that is being rendered, unless it is the coarse one: while a
    camera keeps moving, coarse pictures follow it. ``handle`` is viser's of the browser; ``mesh``
    is a node in its scene, None where there is no mesh.
    """

    def __init__(self, handle: Any, mesh: Any | None, say: Callable[[str], None]) -> None:
        self.handle, self.mesh, self.say = handle, mesh, say
        self.moved_at = 0.0
        self._changes, self._awaited = 1, True
        self._begun_for = 0
        self._rendering: Iterator[Picture | None] | None = None
        self._has_coarse = self._complete = self._shows_mesh = False

    def moved(self) -> None:
        """Note that the camera has moved; called by viser's threads."""
        self.moved_at = time.monotonic()
        self.changed()

    def changed(self) -> None:
        """Note that something else is to be shown."""
        self._changes, self._awaited = self._changes + 1, True

    def learned(self) -> None:
        """Note that the model has learned: a complete picture is rendered anew."""
        if self._complete and self._begun_for == self._changes:
            self._changes += 1

    @property
    def moves(self) -> bool:
        """True while the camera moves."""
        return time.monotonic() - self.moved_at < STILL_SECONDS

    @property
    def awaits_picture(self) -> bool:
        """True if the sharp picture of what is asked for has not been sent."""
        return self._awaited

    def replace_mesh(self, mesh: Any) -> None:
        """Take another node as the mesh."""
        self.mesh, self._shows_mesh = mesh, False

    def give_up(self) -> None:
        """Abandon the picture; nothing more is rendered until something changes."""
        self._rendering, self._complete, self._begun_for = None, True, self._changes
        self._awaited = False

    def work(self, display: Display, current: Callable[[], ShownModel], chunk: ChunkRows) -> bool:
        """Render for one step, and send a picture that is complete; False if nothing is to do."""
        if display.surface == MESH or (display.surface == MESH_BETWEEN and self.moves):
            self._show_mesh()
            return False
        outdated = self._begun_for != self._changes
        if self._rendering is None or (outdated and self._has_coarse):
            if not outdated:
                return False
            self._begun_for, self._has_coarse, self._complete = self._changes, False, False
            self._rendering = pictures(
                current(), view_point(self.handle.camera), display.mode, display.sharp, chunk
            )
        found = next(self._rendering, None)
        if found is not None:
            self._send(found)
        return True

    def _show_mesh(self) -> None:
        if self._shows_mesh:
            return
        self._shows_mesh, self._awaited = True, False
        # Begun for no change: what comes next is rendered anew.
        self._rendering, self._begun_for, self._complete = None, 0, False
        with self.handle.atomic():
            if self.mesh is not None:
                self.mesh.visible = True
            self.handle.scene.set_background_image(None)

    def _send(self, found: Picture) -> None:
        self._has_coarse, self._shows_mesh = True, False
        with self.handle.atomic():
            self.handle.scene.set_background_image(
                found.pixels, format="jpeg", jpeg_quality=90, depth=found.z
            )
            if self.mesh is not None:
                self.mesh.visible = False
        self.say(found.note)
        if found.is_sharp:
            self._rendering, self._complete = None, True
            self._awaited &= self._begun_for != self._changes


def view_point(camera: Any) -> ViewPoint:
    """Return the view point of viser's camera, whose axes are those of OpenCV, too."""
    w, x, y, z = camera.wxyz
    turn = Rotation.from_quat([x, y, z, w]).as_matrix()
    pose = np.concatenate([turn, np.asarray(camera.position, dtype=float)[:, None]], axis=1)
    return ViewPoint(pose, float(np.degrees(camera.fov)), float(camera.aspect))
