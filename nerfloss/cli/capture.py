"""``nerfloss capture``: from photographs or a video to a scene that can be trained on."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SUMMARY = "make a scene of photographs or a video: structure from motion by pycolmap"
EPILOG = """\
examples:
  nerfloss capture photos -o scenes/shoe
  nerfloss capture walk.mp4 -o scenes/walk --frames 200
  nerfloss capture photos -o scenes/shoe --camera-model OPENCV --matching exhaustive

The scene is written in COLMAP's layout: images/ and sparse/0/. The same line again goes on with a
capture that was stopped. Needs pycolmap: pip install 'nerfloss[capture]'"""
NUMBERS = {
    "--max-size": (1600, "longer side of the scene's images in pixels; 0: as they are"),
    "--frames": (150, "frames to take from a video"),
    "--threads": (-1, "threads; -1: all cores"),
    "--seed": (0, "seed of structure from motion"),
}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "capture",
        help=SUMMARY,
        description=SUMMARY.capitalize() + ".",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("source", type=Path, help="a folder of photographs, or a video")
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="SCENE", help="folder of the scene"
    )
    command.add_argument(
        "--camera-model",
        default="SIMPLE_RADIAL",
        metavar="MODEL",
        help="COLMAP's name: SIMPLE_RADIAL (default), OPENCV, OPENCV_FISHEYE, PINHOLE ...",
    )
    command.add_argument(
        "--camera-per",
        choices=["auto", "image", "folder", "all"],
        default="auto",
        help="what shares one camera (auto: photographs of one folder, size and EXIF)",
    )
    command.add_argument(
        "--matching",
        choices=["auto", "exhaustive", "sequential", "retrieval"],
        default="auto",
        help="pairs to compare (auto: all of up to 150 photographs, else the similar ones; of a "
        "video the neighbours)",
    )
    for name, (default, text) in NUMBERS.items():
        shown = f"{text} (default: {default})"
        command.add_argument(name, type=int, default=default, metavar="N", help=shown)
    command.add_argument("--masks", action="store_true", help="object masks by rembg, if installed")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the scene, and print the report and the line that trains on it."""
    from nerfloss.data.capture.scene_of_photographs import CaptureSettings, capture
    from nerfloss.data.training_line import training_line

    names = ("camera_model", "camera_per", "matching", "max_size", "frames", "threads", "seed")
    settings = CaptureSettings(**{name: vars(options)[name] for name in names}, masks=options.masks)
    with _bar() as bar:
        report = capture(options.source, options.output, settings, _Stages(bar))
    print("\n".join(report.lines()))
    print(training_line(options.output))
    return 0


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr)
    columns = TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn()
    return Progress(*columns, TimeElapsedColumn(), console=console)


class _Stages:
    """One line of the progress bar per stage."""

    def __init__(self, bar: "Progress") -> None:
        self.bar = bar
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        from nerfloss.data.capture.worker import STAGES

        if stage not in self.tasks:
            self.tasks[stage] = self.bar.add_task(STAGES.get(stage, stage))
        self.bar.update(self.tasks[stage], completed=done, total=total)
