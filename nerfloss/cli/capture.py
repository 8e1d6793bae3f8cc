"""``nerfloss capture``: from photographs or a video to a scene that can be trained on."""

import argparse
from pathlib import Path

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
    from nerfloss.cli.stage_bars import StageBars
    from nerfloss.data.capture.scene_of_photographs import CaptureSettings, capture
    from nerfloss.data.capture.worker import STAGES
    from nerfloss.data.training_line import WITHOUT_MASKS, training_line

    names = ("camera_model", "camera_per", "matching", "max_size", "frames", "threads", "seed")
    settings = CaptureSettings(**{name: vars(options)[name] for name in names}, masks=options.masks)
    with StageBars() as bars:
        report = capture(
            options.source,
            options.output,
            settings,
            lambda stage, done, total: bars(STAGES.get(stage, stage), done, total),
        )
    print("\n".join(report.lines()))
    print(training_line(options.output, () if options.masks else WITHOUT_MASKS))
    return 0
