"""The viewer: a web server, its panel, and the pictures that are rendered for its browsers."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from nerfloss.assembly.viewer.live_client import (
    MESH,
    MESH_BETWEEN,
    MODEL,
    Display,
    LiveClient,
)
from nerfloss.assembly.viewer.progressive_rendering import ChunkRows
from nerfloss.assembly.viewer.scene_nodes import SceneNodes, add_mesh, add_nodes, pose_of
from nerfloss.assembly.viewer.server import stop_server
from nerfloss.assembly.viewer.view_modes import ShownModel

log = logging.getLogger(__name__)

# Degrees beside the first camera, and times as far: in its place its thumbnail is in the way.
BESIDE, BEHIND = 20.0, 1.2
SIZES = ("160", "320", "480", "640", "960")  # pixels of the longer side of a sharp picture


class Viewer:
    """Show what ``current`` returns in every browser at ``server``, and ``mesh`` in scene units.

    ``sharp`` is the longer side of a sharp picture at first, one of `SIZES`. Nothing is rendered by
    threads of its own: who owns the model calls `work`. A failure of a picture is shown in the
    panel, and costs nothing else.
    """

    def __init__(
        self,
        server: Any,
        current: Callable[[], ShownModel],
        *,
        chunk: int,
        mesh: trimesh.Trimesh | None = None,
        sharp: int = 480,
    ) -> None:
        self.server, self.current, self.mesh = server, current, mesh
        self.display = Display(sharp=sharp, surface=MODEL if mesh is None else MESH_BETWEEN)
        self.wake = threading.Event()
        self._chunk = ChunkRows(chunk)
        self._clients: dict[int, LiveClient] = {}
        shown = current()
        box = shown.subject.box.detach().cpu().numpy()
        self.nodes: SceneNodes = add_nodes(server, shown.scene, box, self._enter)
        self._set_initial_camera(shown)
        self._add_panel(shown)
        server.on_client_connect(self._connect)
        server.on_client_disconnect(self._disconnect)

    @property
    def is_watched(self) -> bool:
        """True if a browser is open."""
        return bool(self._clients)

    @property
    def moves(self) -> bool:
        """True if a camera moves, or a browser waits for a sharp picture of what it asked for."""
        return any(each.moves or each.awaits_picture for each in [*self._clients.values()])

    def work(self, seconds: float) -> bool:
        """Render for about so many seconds; False if nothing is left to do."""
        end = time.monotonic() + seconds
        while True:
            worked = [self._work(client) for client in [*self._clients.values()]]
            if not any(worked):
                return False
            if time.monotonic() >= end:
                return True

    def changed(self) -> None:
        """Render everything anew: the model or what is shown of it has changed."""
        for client in [*self._clients.values()]:
            client.changed()
        self.wake.set()

    def learned(self) -> None:
        """Render anew what has been rendered completely: the model has learned since."""
        for client in [*self._clients.values()]:
            client.learned()

    def say(self, note: str) -> None:
        """Show a line in the panel."""
        self._note.content = note

    def show_mesh(self, mesh: trimesh.Trimesh) -> None:
        """Show another mesh, in scene units, in place of the model."""
        self.mesh = mesh
        for client in [*self._clients.values()]:
            client.replace_mesh(add_mesh(client.handle, mesh))
        self.display.surface = self._surface.value = MESH
        self.changed()

    def close(self) -> None:
        """Stop the server."""
        stop_server(self.server)

    def _work(self, client: LiveClient) -> bool:
        try:
            return client.work(self.display, self.current, self._chunk)
        except Exception as error:
            log.warning("the viewer could not render: %s: %s", type(error).__name__, error)
            self.say(f"not rendered: {error}")
            client.give_up()
            return False

    def _set_initial_camera(self, shown: ShownModel) -> None:
        camera = self.server.initial_camera
        camera.position, camera.fov = first_view(shown)
        camera.look_at, camera.up = (0.0, 0.0, 0.0), tuple(shown.scene.up)

    def _add_panel(self, shown: ShownModel) -> None:
        gui, display = self.server.gui, self.display
        gui.configure_theme(show_share_button=False, show_logo=False)
        gui.main_panel.dock_right()
        self._note = gui.add_markdown("")
        mode = gui.add_dropdown("Mode", shown.modes, initial_value=shown.modes[0])
        sharp = gui.add_dropdown("Pixels", SIZES, initial_value=str(display.sharp))
        choices = [MODEL] if self.mesh is None else [MODEL, MESH_BETWEEN, MESH]
        surface = gui.add_dropdown("Show", choices, initial_value=display.surface)
        self._surface = surface

        def read(_: Any) -> None:
            display.mode, display.sharp = str(mode.value), int(sharp.value)
            display.surface = str(surface.value)
            self.changed()

        for control in (mode, sharp, surface):
            control.on_update(read)
        for name in self.nodes.nodes:
            self._add_switch(name)
        gui.add_button("Reset view").on_click(lambda event: self._reset(event.client, shown))

    def _add_switch(self, name: str) -> None:
        visible = name != "sparse points"  # they hide the model
        self.nodes.show(name, visible)
        switch = self.server.gui.add_checkbox(name.capitalize(), initial_value=visible)
        switch.on_update(lambda _: self.nodes.show(name, bool(switch.value)))

    def _connect(self, handle: Any) -> None:
        mesh = None if self.mesh is None else add_mesh(handle, self.mesh)
        client = LiveClient(handle, mesh, self.say)

        def follow(camera: Any) -> None:
            client.moved()
            self.nodes.leave(np.asarray(camera.position))
            self.wake.set()

        handle.camera.on_update(follow)
        self._clients[handle.client_id] = client
        self.wake.set()

    def _disconnect(self, handle: Any) -> None:
        self._clients.pop(handle.client_id, None)

    def _enter(self, handle: Any, view: int) -> None:
        """Move a browser's camera into that of a training view."""
        cameras = self.current().scene.train.cameras
        quaternion, position, fov = pose_of(cameras, view)
        pose = cameras.poses[view].double().cpu().numpy()
        with handle.atomic():
            handle.camera.up_direction = tuple(-pose[:, 1])
            handle.camera.position, handle.camera.wxyz = tuple(position), tuple(quaternion)
            ahead = float(np.linalg.norm(position)) * pose[:, 2]
            handle.camera.look_at, handle.camera.fov = tuple(position + ahead), fov

    def _reset(self, handle: Any, shown: ShownModel) -> None:
        with handle.atomic():
            handle.camera.up_direction = tuple(shown.scene.up)
            handle.camera.position, handle.camera.fov = first_view(shown)
            handle.camera.look_at = (0.0, 0.0, 0.0)


def first_view(shown: ShownModel) -> tuple[tuple[float, ...], float]:
    """Return where the view begins, beside the first training camera, and its field of view."""
    _, position, fov = pose_of(shown.scene.train.cameras, 0)
    turn = Rotation.from_rotvec(np.radians(BESIDE) * np.asarray(shown.scene.up))
    return tuple((BEHIND * turn.apply(position)).tolist()), fov
