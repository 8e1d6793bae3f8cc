"""Controls of camera paths in the viewer: key frames, saving a path, rendering its video."""

from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from nerfloss.assembly.rendering.render_video import VideoRenderer, VideoSettings
from nerfloss.assembly.viewer.key_frames import KeyFrames, save_path
from nerfloss.assembly.viewer.live_client import view_point
from nerfloss.assembly.viewer.viewer import Viewer
from nerfloss.data.camera_paths.camera_path import CameraPath
from nerfloss.evaluation.frame_pictures import MODES

NONE = "none"
COLOR = (230, 140, 40)
WORK_SECONDS = 0.05  # for the live picture, between two frames of a video


class PathPanel:
    """Key frames at a viewer's panel; paths are saved in ``folder``, the run's.

    ``video`` returns the renderer of videos; None where the run is in training. A video is rendered
    by who calls `work`, not by the server's threads.
    """

    def __init__(
        self, viewer: Viewer, folder: Path, video: Callable[[], VideoRenderer] | None
    ) -> None:
        self._viewer, self._folder, self._video = viewer, folder, video
        self.keys = KeyFrames()
        self._nodes: list[Any] = []
        self._videos: SimpleQueue[str] = SimpleQueue()
        gui = viewer.server.gui
        with gui.add_folder("Camera path", expand_by_default=False):
            gui.add_button("Add key frame").on_click(lambda event: self._add(event.client))
            self._list = gui.add_dropdown("Key frame", (NONE,), initial_value=NONE)
            gui.add_button("Go to key frame").on_click(lambda event: self._go(event.client))
            gui.add_button("Delete key frame").on_click(lambda _: self._delete())
            self._seconds = gui.add_number("Seconds", 4.0, min=0.1, max=600.0, step=0.1)
            self._name = gui.add_text("Name", "path")
            gui.add_button("Save path").on_click(lambda _: self._try(self._save))
            if video is not None:
                gui.add_button("Render video").on_click(lambda _: self._order())
            self._note = gui.add_markdown("")

    def work(self) -> None:
        """Render the videos that have been asked for."""
        while True:
            try:
                mode = self._videos.get_nowait()
            except Empty:
                return
            self._try(lambda mode=mode: self._render(mode))

    def _try(self, action: Callable[[], str]) -> None:
        """Show what an action returns, or why it failed."""
        try:
            self._note.content = action()
        except (ValueError, OSError, ModuleNotFoundError) as error:
            self._note.content = str(error)

    def _add(self, client: Any) -> None:
        self.keys.views.append(view_point(client.camera))
        self._show(f"key {len(self.keys.views)}")

    def _chosen(self) -> int | None:
        value = str(self._list.value)
        index = -1 if value == NONE else int(value.split()[1]) - 1
        return index if 0 <= index < len(self.keys.views) else None

    def _go(self, client: Any) -> None:
        if (index := self._chosen()) is None:
            return
        view = self.keys.views[index]
        x, y, z, w = Rotation.from_matrix(view.pose[:, :3]).as_quat()
        with client.atomic():
            client.camera.position, client.camera.wxyz = tuple(view.pose[:, 3]), (w, x, y, z)
            client.camera.fov = float(np.radians(view.fov))

    def _delete(self) -> None:
        if (index := self._chosen()) is not None:
            del self.keys.views[index]
            self._show(f"key {len(self.keys.views)}" if self.keys.views else NONE)

    def _show(self, chosen: str) -> None:
        """List the key frames, and draw them and the path in the scene."""
        names = [f"key {index + 1}" for index in range(len(self.keys.views))]
        self._list.options = tuple(names) or (NONE,)
        self._list.value = chosen
        for node in self._nodes:
            node.remove()
        scene = self._viewer.server.scene
        self._nodes = [
            scene.add_camera_frustum(
                f"/keys/{index}",
                np.radians(view.fov),
                view.aspect,
                scale=0.08,
                thickness=0.003,
                color=COLOR,
                wxyz=Rotation.from_matrix(view.pose[:, :3]).as_quat()[[3, 0, 1, 2]],
                position=view.pose[:, 3],
            )
            for index, view in enumerate(self.keys.views)
        ]
        if len(self.keys.views) > 1:
            centers = self.keys.path((16, 16), 1.0).poses[:, :, 3]
            lines = np.stack([centers[:-1], centers[1:]], axis=1).astype(np.float32)
            self._nodes.append(scene.add_line_segments("/keys/path", lines, COLOR, thickness=0.004))

    def _path(self) -> CameraPath:
        """Return the path, its pictures as large as the viewer's sharp ones and of even sides."""
        longer = self._viewer.display.sharp
        width, height = self.keys.views[0].size(longer) if self.keys.views else (longer, longer)
        size = (max(2, width // 2 * 2), max(2, height // 2 * 2))
        return self.keys.path(size, float(self._seconds.value))

    def _save(self) -> str:
        to_files = self._viewer.current().scene.to_world
        file = save_path(self._folder, str(self._name.value), self._path(), to_files)
        return f"saved {file}: nerfloss render {self._folder} --path {file}"

    def _order(self) -> None:
        mode = self._viewer.display.mode
        self._videos.put(mode if mode in MODES else "rgb")
        self._note.content = "the video begins"
        self._viewer.wake.set()

    def _render(self, mode: str) -> str:
        """Save the path and render it to renders/NAME in the run's folder."""
        assert self._video is not None
        self._save()
        name, path = str(self._name.value), self._path()

        def progress(done: int, total: int) -> None:
            self._note.content = f"{mode}: {done} of {total} frames"
            self._viewer.work(WORK_SECONDS)

        folder = self._folder / "renders" / name
        done = self._video()(path, folder, VideoSettings((mode,)), progress)
        return "wrote " + ", ".join(str(file) for file in done.files)
