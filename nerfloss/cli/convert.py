"""``nerfloss convert``: write a scene in the layout of another program."""

import argparse
from pathlib import Path

SUMMARY = "write a scene in the layout of nerfstudio, COLMAP or NeuS"
EPILOG = """\
examples:
  nerfloss convert data/lego --to nerfstudio -o data/lego_nerfstudio
  nerfloss convert data/dtu_scan65 --to colmap -o data/scan65_colmap --link
  nerfloss convert outputs/colmap/nerf/RUN --to colmap -o data/scene_refined

Images, masks and points come with the cameras. What the layout cannot hold is said."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "convert",
        help=SUMMARY,
        description=SUMMARY[0].upper() + SUMMARY[1:] + ".",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "scene",
        type=Path,
        help="the scene: photographs with their cameras; or a run with cameras=refine",
    )
    command.add_argument(
        "--to", required=True, choices=["nerfstudio", "colmap", "neus"], help="the layout to write"
    )
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="a new or empty folder",
    )
    command.add_argument("--layout", default="auto", help="layout of the scene (default: auto)")
    command.add_argument(
        "--images", metavar="NAME", help="folder of the images (default: as the layout says)"
    )
    command.add_argument(
        "--missing",
        choices=["refuse", "skip"],
        default="refuse",
        help="what to do where images or poses are missing (default: refuse)",
    )
    command.add_argument(
        "--link", action="store_true", help="hard links to images and masks, where the disk has any"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read the scene, write it, and print what was assumed and the line that trains on it."""
    from nerfloss.assembly.refined_scene_files import is_run, refined_scene_files
    from nerfloss.data.capture.report import training_command
    from nerfloss.data.errors import existing
    from nerfloss.data.formats.convert_scene import convert_scene
    from nerfloss.data.formats.detection import detect_layout, layout_module
    from nerfloss.data.formats.parsed_scene import ParseSettings

    scene = existing(options.scene, "a scene")
    if is_run(scene):
        parsed = refined_scene_files(scene)
        name = parsed.layout
    else:
        name = detect_layout(scene) if options.layout == "auto" else options.layout
        settings = ParseSettings(images=options.images, missing=options.missing)
        parsed = layout_module(name).parse(scene, settings)
    done = convert_scene(parsed, options.to, options.output.expanduser(), link=options.link)
    for note in (*parsed.notes, *done.notes):
        print(f"note: {note}")
    print(f"wrote {len(parsed.frames)} views of {scene} ({name}) to {done.folder} ({options.to})")
    print(training_command(done.folder, done.settings))
    return 0
