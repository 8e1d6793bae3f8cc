"""Show a finished run in the viewer."""

import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.rendering.run_video import video_renderer
from nerfloss.assembly.viewer.access_rule import LOCAL, AccessRule
from nerfloss.assembly.viewer.photograph_maps import PhotographMap, error_map
from nerfloss.assembly.viewer.progressive_rendering import ChunkRows
from nerfloss.assembly.viewer.server import start_server
from nerfloss.assembly.viewer.view_modes import ShownModel
from nerfloss.assembly.viewer.viewer import Viewer
from nerfloss.evaluation.mesh_extraction import transformed

HOST, PORT = "127.0.0.1", 7007
IDLE_SECONDS = 0.1


@dataclass(frozen=True)
class ViewerAddress:
    """Where a viewer listens; ``token`` None: one is made where other machines can reach it."""

    host: str = HOST
    port: int = PORT
    token: str | None = None

    def rule(self) -> AccessRule:
        """Return the rule of access."""
        token = self.token
        if token is None and self.host not in LOCAL:
            token = secrets.token_urlsafe(16)
        return AccessRule(self.host, token)


def address_line(rule: AccessRule, port: int) -> str:
    """Return the address to open, with what protects it."""
    host = f"[{rule.host}]" if ":" in rule.host else rule.host
    if rule.token is None:
        return f"http://{host}:{port} (this machine only)"
    note = "whoever has it can use the viewer, and the connection is not encrypted"
    return f"http://{host}:{port}/?token={rule.token} ({note})"


def view_run(
    opened: OpenedRun,
    address: ViewerAddress,
    say: Callable[[str], None],
    stop: threading.Event | None = None,
) -> None:
    """Serve a run until ``stop`` is set, or until it is interrupted; ``say`` gets the address.

    Raises ModuleNotFoundError without the extra ``viewer``, OSError for a port that cannot be used,
    and the errors of opening a run.
    """
    rule = address.rule()
    shown = shown_run(opened)
    server = start_server(rule, address.port, f"nerfloss: {opened.folder.name}")
    viewer = Viewer(
        server, lambda: shown, chunk=opened.run.evaluator.chunk, mesh=_mesh_of(opened)
    )
    say(f"{opened.folder} at {address_line(rule, server.get_port())}, Ctrl-C ends")
    stop = stop or threading.Event()
    try:
        while not stop.is_set():
            if not viewer.work(1.0):
                viewer.wake.wait(IDLE_SECONDS)
                viewer.wake.clear()
    finally:
        viewer.close()


def shown_run(opened: OpenedRun) -> ShownModel:
    """Return the model of a run's checkpoint, and what can be shown of it."""
    run = opened.run
    at = vars(run.trainer.schedule)
    video = video_renderer(run.model, at, run.scene, run.evaluator)
    chunk = ChunkRows(run.evaluator.chunk)

    def errors(_: str, index: int) -> Iterator[PhotographMap | None]:
        return error_map(shown.subject, shown.scene, index, shown.background, chunk)

    shown = ShownModel(video.subject, video.scene, at["step"], {"error": errors})
    return shown


def _mesh_of(opened: OpenedRun) -> trimesh.Trimesh | None:
    """Return the mesh that the run wrote, in scene units; None where it has none."""
    file: Path = opened.folder / "mesh.ply"
    if not file.is_file():
        return None
    mesh = trimesh.load_mesh(file, process=False)
    if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
        return None
    return transformed(mesh, np.linalg.inv(opened.to_files))
