"""``nerfloss render``: videos and pictures of a trained model along a camera path."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nerfloss.assembly.rendering.render_video import RenderedVideo

SUMMARY = "render a video of a trained model along a camera path"
EPILOG = """\
examples:
  nerfloss render outputs/analytic/neus_eikonal/RUN
  nerfloss render outputs/analytic/neus_eikonal/RUN --show rgb,normal --wipe --gif --size 200x200
  nerfloss render outputs/analytic/neus_eikonal/RUN --path camera_path.json

Paths: orbit around the object at the mean elevation and distance of the training cameras; spiral,
as forward-facing scenes are shown; interpolate, through the training cameras; or a JSON file of
nerfstudio's viewer. The frames (PNG), the video and camera_path.json, in nerfstudio's format and
the coordinates of the data, go to renders/PATH in the run's folder. The same line again goes on
with an interrupted call. If the data has moved: dataset.path=FOLDER, as for nerfloss eval."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "render",
        help=SUMMARY,
        usage="nerfloss render RUN [options] [dataset.SETTING=VALUE ...]",
        description=SUMMARY[0].upper() + SUMMARY[1:] + ".",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("path_of_run", metavar="RUN", type=Path, help="a run, or a checkpoint")
    command.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="default: RUN/renders/PATH"
    )
    command.add_argument("--device", default="auto", help="default: auto")
    _add_path_options(command.add_argument_group("path"))
    _add_video_options(command.add_argument_group("video"))
    command.set_defaults(run=run)


def _add_path_options(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--path", default="orbit", metavar="PATH", help="orbit, spiral, interpolate or a file"
    )
    group.add_argument(
        "--size",
        type=_size,
        metavar="WxH",
        help="of a frame, or its longer side (default: that of the training images, at most 800)",
    )
    group.add_argument("--fps", type=float, metavar="N", help="frames per second (default: 30)")
    group.add_argument("--seconds", type=float, metavar="N", help="duration (default: 4)")
    group.add_argument("--frames", type=int, metavar="N", help="number of frames, in its place")
    group.add_argument(
        "--dataparser",
        type=Path,
        metavar="FILE",
        help="dataparser_transforms.json of the run of nerfstudio that a path file belongs to",
    )


def _add_video_options(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--show",
        default="rgb",
        type=lambda text: tuple(text.split(",")),
        metavar="MODES",
        help="rgb, depth, normal, opacity, shaded; several, as rgb,normal, are side by side",
    )
    group.add_argument(
        "--wipe", action="store_true", help="a bar uncovers the second of two modes instead"
    )
    group.add_argument("--gif", action="store_true", help="also write an endless GIF")
    group.add_argument("--no-video", action="store_true", help="write no MP4, only the frames")
    group.add_argument(
        "--depth-range",
        nargs=2,
        type=float,
        metavar=("NEAR", "FAR"),
        help="of the colours of depth, in scene units (default: 1 and 99 %% quantiles of the path)",
    )


def run(options: argparse.Namespace) -> int:
    """Render and write. Raises FileNotFoundError, DataError and ValueError as `render_run`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from nerfloss.assembly.rendering.render_run import RenderRequest, render_run
    from nerfloss.assembly.rendering.render_video import VideoSettings
    from nerfloss.data.camera_paths.choose_path import PathSettings

    span = options.depth_range
    request = RenderRequest(
        options.path_of_run,
        options.path,
        PathSettings(
            options.size, options.fps, options.seconds, options.frames, options.dataparser
        ),
        VideoSettings(
            options.show,
            wipe=options.wipe,
            mp4=not options.no_video,
            gif=options.gif,
            depth_range=None if span is None else (span[0], span[1]),
        ),
        output=options.output,
        device=options.device,
        overrides=options.settings,
    )
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("frames", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        done = render_run(request, lambda note: print(f"note: {note}"), show)
    _print(done)
    return 0


def _print(done: "RenderedVideo") -> None:
    from nerfloss.files import format_bytes

    if done.depth_range is not None:
        near, far = done.depth_range
        print(f"depth: from {near:.4g} to {far:.4g} scene units in all frames")
    kept = f", {done.kept} of them were there" if done.kept else ""
    print(f"{done.frames} frames{kept}")
    for file in done.files:
        print(f"wrote {file} ({format_bytes(file.stat().st_size)})")
    print(f"wrote {done.folder / 'frames'} and {done.folder / 'camera_path.json'}")


def _size(text: str) -> tuple[int, int] | int:
    """Return WIDTHxHEIGHT as numbers, or the longer side."""
    try:
        sides = [int(side) for side in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise argparse.ArgumentTypeError(f"'{text}' is no size: give 640x480, or the longer side")
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])
