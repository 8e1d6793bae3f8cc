"""A run that has ended, opened to export what it learned; its model is loaded when asked for."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from omegaconf import DictConfig
from torch import Tensor

from nerfloss.assembly.build import assemble, device_of
from nerfloss.assembly.checkpoint_portability import loadable
from nerfloss.assembly.hardware_presets import with_chunks_for_here
from nerfloss.assembly.instantiation import build
from nerfloss.assembly.refined_evaluation import refined_scene
from nerfloss.assembly.run import Run
from nerfloss.assembly.saved_config import saved_config, settings_of_evaluation
from nerfloss.data.scene import Scene
from nerfloss.evaluation.inputs import EvaluatedModel
from nerfloss.evaluation.stage_progress import Progress, one_step, silent
from nerfloss.training import checkpoint


class OpenedRun:
    """A run's folder. Data and checkpoint are read by the first use of `run`.

    ``overrides`` are settings as for ``nerfloss eval``, such as ``dataset.path=FOLDER``.
    ``progress`` is told how far each long stage is, of reading the run and of what is done with it.
    """

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        overrides: Sequence[str] = (),
        progress: Progress = silent,
    ) -> None:
        """Open a folder that training wrote; raises FileNotFoundError for another folder."""
        self.folder, self.device = Path(folder), device_of(device)
        self._overrides, self.progress = overrides, progress
        if not (self.folder / ".hydra" / "config.yaml").is_file():
            raise FileNotFoundError(
                f"{folder} is no run: it has no .hydra/config.yaml. Give a folder that training "
                "wrote, e.g. outputs/<dataset>/<loss>/<time>"
            )

    @cached_property
    def checkpoint(self) -> Path:
        """The newest checkpoint."""
        return checkpoint.latest(self.folder)

    @cached_property
    def run(self) -> Run:
        """The run with its model as trained."""
        path = self.checkpoint
        with one_step(self.progress, "scene and checkpoint"):
            run = assemble(self.config, self.folder)
            run.load(path)
        return run

    @cached_property
    def config(self) -> DictConfig:
        """The configuration of the training, for this device."""
        changed = settings_of_evaluation([f"+{word}" for word in self._overrides])
        saved = saved_config(self.folder, [*changed, f"device={self.device}"])
        return loadable(with_chunks_for_here(saved), self.device)

    @cached_property
    def is_distance(self) -> bool:
        """True if the field is a signed distance; found without data and checkpoint."""
        return "sdf" in build(self.config.model.field).offers

    @property
    def box_size(self) -> float:
        """The longest side of the model's box, in scene units."""
        low, high = self.model.box
        return float((high - low).max())

    @cached_property
    def model(self) -> EvaluatedModel:
        """The model as callables."""
        return self.run.subject()

    @cached_property
    def scene(self) -> Scene:
        """The scene, its training cameras as the run refined them."""
        return refined_scene(self.run.scene, self.run.model)

    @property
    def to_files(self) -> Float[np.ndarray, "4 4"]:
        """The similarity from scene units to the coordinates of the files."""
        return self.run.scene.to_world

    @property
    def scale(self) -> float:
        """The length of a scene unit in the files."""
        return float(np.cbrt(abs(np.linalg.det(self.to_files[:3, :3]))))

    def in_scene(self, points: Float[np.ndarray, "points 3"]) -> Float[Tensor, "points 3"]:
        """Return points of the files in scene units, on the model's device."""
        back = np.linalg.inv(self.to_files)
        moved = np.asarray(points, dtype=np.float64) @ back[:3, :3].T + back[:3, 3]
        return torch.from_numpy(moved.astype(np.float32)).to(self.device)
