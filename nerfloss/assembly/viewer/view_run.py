"""Show a finished run in the viewer."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.loss_maps import batch_constants
from nerfloss.assembly.rendering.run_video import video_renderer
from nerfloss.assembly.viewer.mesh_panel import MeshPanel
from nerfloss.assembly.viewer.path_panel import PathPanel
from nerfloss.assembly.viewer.server import check_port, require_viser, start_server
from nerfloss.assembly.viewer.shown_model import ShownParts
from nerfloss.assembly.viewer.viewer import Viewer
from nerfloss.assembly.viewer.viewer_address import ViewerAddress, address_line
from nerfloss.evaluation.mesh_extraction import transformed

IDLE_SECONDS = 0.1


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
    # Before the run is read.
    require_viser()
    check_port(rule.host, address.port)
    run = opened.run
    at = vars(run.trainer.schedule)
    least = run.batches.least_rays
    given = batch_constants(run.batches.draw(at["step"], max(least, 1)).targets)
    shown = ShownParts(run.model, run.recipe, run.scene, run.evaluator, given).at(at)
    server = start_server(rule, address.port, f"nerfloss: {opened.folder.name}")
    mesh = _mesh_of(opened)
    viewer = Viewer(server, lambda: shown, chunk=run.evaluator.chunk, mesh=mesh)
    colors = None if mesh is None else MeshPanel(viewer, opened, mesh)
    paths = PathPanel(
        viewer, opened.folder, lambda: video_renderer(run.model, at, run.scene, run.evaluator)
    )
    say(f"{opened.folder} at {address_line(rule, server.get_port())}, Ctrl-C ends")
    stop = stop or threading.Event()
    try:
        while not stop.is_set():
            paths.work()
            if colors is not None:
                colors.work()
            if not viewer.work(1.0):
                viewer.wake.wait(IDLE_SECONDS)
                viewer.wake.clear()
    finally:
        viewer.close()


def _mesh_of(opened: OpenedRun) -> trimesh.Trimesh | None:
    """Return the mesh that the run wrote, in scene units; None where it has none."""
    file: Path = opened.folder / "mesh.ply"
    if not file.is_file():
        return None
    mesh = trimesh.load_mesh(file, process=False)
    if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
        return None
    return transformed(mesh, np.linalg.inv(opened.to_files))
