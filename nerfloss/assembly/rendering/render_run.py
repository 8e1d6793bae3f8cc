"""Render a camera path with the model of a run's checkpoint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nerfloss.assembly.build import assemble, device_of
from nerfloss.assembly.checkpoint_portability import loadable
from nerfloss.assembly.hardware_presets import with_chunks_for_here
from nerfloss.assembly.rendering.render_video import Progress, RenderedVideo, VideoSettings
from nerfloss.assembly.rendering.run_video import video_renderer
from nerfloss.assembly.rendering.video_files import ffmpeg_program
from nerfloss.assembly.saved_config import saved_config, settings_of_evaluation
from nerfloss.data.camera_paths.choose_path import NAMES, PathSettings, choose_path
from nerfloss.data.camera_paths.path_file import read_path
from nerfloss.evaluation.frame_pictures import MODES, check_modes
from nerfloss.training import checkpoint


@dataclass(frozen=True)
class RenderRequest:
    """What ``nerfloss render`` was asked for.

    ``run`` is the folder of a run or a checkpoint, ``path`` a name or a file, ``output`` the folder
    (None: renders/NAME in the run's), ``overrides`` are settings as for ``nerfloss eval``.
    """

    run: Path
    path: str
    path_settings: PathSettings
    video_settings: VideoSettings
    output: Path | None = None
    device: str = "auto"
    overrides: Sequence[str] = ()


def render_run(
    request: RenderRequest, say: Callable[[str], None], progress: Progress
) -> RenderedVideo:
    """Render and write the frames and files; ``say`` gets what was assumed, a line each.

    Raises FileNotFoundError for a missing run or checkpoint, and DataError or ValueError for a path
    or settings that cannot be used; before the scene is loaded where that can be known.
    """
    check_modes(request.video_settings.show, frozenset().union(*MODES.values()))
    file = checkpoint.latest(request.run.expanduser())
    if request.path not in NAMES:
        read_path(Path(request.path).expanduser())
    if request.video_settings.mp4:
        ffmpeg_program()
    folder = file.parent.parent if file.parent.name == "checkpoints" else file.parent
    changed = settings_of_evaluation([f"+{word}" for word in request.overrides])
    saved = with_chunks_for_here(saved_config(folder, [*changed, f"device={request.device}"]))
    run = assemble(loadable(saved, device_of(request.device)), folder)
    run.load(file)
    renderer = video_renderer(run.model, vars(run.trainer.schedule), run.scene, run.evaluator)
    path = choose_path(request.path, renderer.scene, request.path_settings)
    for note in path.notes:
        say(note)
    name = request.path if request.path in NAMES else Path(request.path).stem
    output = request.output or folder / "renders" / name
    return renderer(path, output.expanduser(), request.video_settings, progress)
