"""The scene of a run with the cameras that the run has refined, in the coordinates of its files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.assembly.build import assemble
from nerfloss.assembly.instantiation import build
from nerfloss.assembly.saved_config import saved_config
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene
from nerfloss.pose_refinement.radial_corrections import radially_corrected_camera
from nerfloss.pose_refinement.refined_lenses import refocused_camera
from nerfloss.training import checkpoint

# Poses of the files and of the run are the same up to the precision of float32.
TOLERANCE = 1e-4


def is_run(folder: Path) -> bool:
    """Return True for a folder that training wrote."""
    return (folder / ".hydra" / "config.yaml").is_file()


def refined_scene_files(folder: Path) -> ParsedScene:
    """Return the scene that a run was trained on, its training views with refined cameras.

    Test views keep the cameras of the files. Raises ValueError for a run without refined cameras or
    without files, and where its views are not those of the files.
    """
    cfg = saved_config(folder, ["device=cpu"])
    if cfg.get("cameras") is None:
        raise ValueError(
            f"{folder} is a run with cameras=fixed, whose cameras are those of its scene: convert "
            "the scene itself"
        )
    dataset = build(cfg.dataset)
    if not isinstance(dataset, FolderDataset):
        raise ValueError(f"{folder} was trained on a synthetic scene, which has no files")
    run = assemble(cfg, folder)
    run.load(checkpoint.latest(folder))
    cameras, views = run.model.cameras, run.scene.train
    assert cameras is not None
    given = views.cameras.poses.double().numpy()
    with torch.no_grad():
        corrections = cameras.quantities()
        factors = corrections["camera_log_focal"].double().exp().tolist()
        radial = corrections["camera_radial"].double()
    moved = cameras.refined(replace(views.cameras, poses=views.cameras.poses.double()))
    numbers = {name: index for index, name in enumerate(views.names)}

    def refined(frame: Frame) -> Frame:
        index = numbers.get(frame.name)
        if index is None:
            return frame
        pose = _in_files(moved.poses[index].numpy(), run.scene.to_world)
        if not np.allclose(_in_files(given[index], run.scene.to_world), frame.pose, atol=TOLERANCE):
            raise ValueError(
                f"{frame.name}: the run has another pose than the file (its cameras were put in "
                "another order): convert the scene to colmap and train on that"
            )
        camera = refocused_camera(frame.camera, factors[index])
        return replace(frame, pose=pose, camera=radially_corrected_camera(camera, radial[index]))

    parsed = dataset.parsed
    note = f"cameras of {len(numbers)} training views as {folder} refined them; others as they were"
    frames = tuple(refined(frame) for frame in parsed.frames)
    return replace(parsed, frames=frames, notes=(*parsed.notes, note))


def _in_files(
    pose: Float[np.ndarray, "3 4"], to_world: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "3 4"]:
    """Return a camera-to-world pose in the coordinates of the files."""
    scale = float(np.cbrt(np.linalg.det(to_world[:3, :3])))
    rotation = to_world[:3, :3] @ pose[:, :3] / scale
    center = to_world[:3, :3] @ pose[:, 3] + to_world[:3, 3]
    return np.column_stack([rotation, center])
