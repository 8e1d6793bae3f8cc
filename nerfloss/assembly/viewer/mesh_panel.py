"""Control of the mesh's colours in the viewer: its own, a quantity of the surface, or a term."""

from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import trimesh

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.loss_maps.surface_export import painted_mesh
from nerfloss.assembly.loss_maps.surface_quantities import QUANTITIES
from nerfloss.assembly.viewer.viewer import Viewer
from nerfloss.evaluation.mesh_extraction import transformed

OWN = "colours"


class MeshPanel:
    """Colours of a run's ``mesh``, in scene units, at a viewer's panel.

    They are computed by who calls `work`, not by the server's threads.
    """

    def __init__(self, viewer: Viewer, opened: OpenedRun, mesh: trimesh.Trimesh) -> None:
        self._viewer, self._opened, self._mesh = viewer, opened, mesh
        self._asked: SimpleQueue[str] = SimpleQueue()
        terms = [name for name in opened.run.recipe.terms if name not in QUANTITIES]
        choices = (OWN, *QUANTITIES, *terms)
        self._list = viewer.server.gui.add_dropdown("Mesh colours", choices, initial_value=OWN)
        self._list.on_update(self._ask)

    def work(self) -> None:
        """Colour the mesh as was asked for last."""
        name = None
        while True:
            try:
                name = self._asked.get_nowait()
            except Empty:
                break
        if name is None:
            return
        if name == OWN:
            self._viewer.show_mesh(self._mesh)
            self._viewer.say("mesh: its colours")
            return
        self._viewer.say(f"mesh: {name} is being computed")
        in_files = transformed(self._mesh, self._opened.to_files)
        try:
            painted, note = painted_mesh(self._opened, in_files, name)
        except ValueError as reason:
            self._viewer.say(str(reason))
            return
        self._viewer.show_mesh(transformed(painted, np.linalg.inv(self._opened.to_files)))
        self._viewer.say(note)

    def _ask(self, _: Any) -> None:
        self._asked.put(str(self._list.value))
        self._viewer.wake.set()
