"""``nerfloss convert``: write a scene in the layout of another program."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nerfloss.cli.scene_options import (
    SETTING,
    SHORT,
    add_scene_options,
    scene_dataset,
    scene_settings,
)

SUMMARY = "write a scene in the layout of nerfstudio, COLMAP or NeuS"
EPILOG = """\
examples:
  nerfloss convert data/lego --to nerfstudio -o data/lego_nerfstudio
  nerfloss convert data/dtu_scan65 --to colmap -o data/scan65_colmap --link
  nerfloss convert data/fox --to colmap -o data/fox_colmap dataset.hold_out=8
  nerfloss convert outputs/colmap/nerf/RUN --to colmap -o data/scene_refined

Images, masks and points come with the cameras. What the layout cannot hold is said. Settings of the
dataset that a scene's files can state are those of nerfloss train: hold_out, region, masks ..."""
# Settings of the dataset that change what is written; the others are training's.
WRITTEN = (*SHORT, "masks", "mask_meaning", "hold_out", "region", "scene_radius")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "convert",
        help=SUMMARY,
        description=SUMMARY[0].upper() + SUMMARY[1:] + ".",
        usage="nerfloss convert scene --to LAYOUT -o FOLDER [options] [dataset.SETTING=VALUE ...]",
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
    add_scene_options(command, "refuse")
    command.add_argument(
        "--link", action="store_true", help="hard links to images and masks, where the disk has any"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read the scene, write it, and print what was assumed and the line that trains on it."""
    from nerfloss.assembly.refined_scene_files import is_run, refined_scene_files
    from nerfloss.data.errors import existing
    from nerfloss.data.formats.build_settings import DEFAULTS
    from nerfloss.data.formats.convert_scene import convert_scene
    from nerfloss.data.training_line import WITHOUT_MASKS, training_line

    scene = existing(options.scene, "a scene")
    words = scene_settings(options)
    if is_run(scene):
        if words:
            raise ValueError(f"{words[0]}: a run is converted with the settings of its training")
        parsed, settings = refined_scene_files(scene), DEFAULTS
    else:
        dataset = scene_dataset(scene, words)
        check_settings(words)
        parsed, settings = dataset.parsed, dataset.build_settings
    output = options.output.expanduser()
    done = convert_scene(parsed, options.to, output, link=options.link, settings=settings)
    for note in (*parsed.notes, *done.notes):
        print(f"note: {note}")
    source = f"{len(parsed.frames)} views of {scene} ({parsed.layout})"
    print(f"wrote {source} to {done.folder} ({options.to})")
    background = () if done.masked else WITHOUT_MASKS
    print(training_line(done.folder, [*done.settings, *background]))
    return 0


def check_settings(words: Sequence[str]) -> None:
    """Raise ValueError for a setting of the dataset that no file of a scene states."""
    for word in words:
        match = SETTING.match(word)
        if match and match["name"] not in (None, *WRITTEN):
            raise ValueError(
                f"{word}: files do not hold this setting; state it in nerfloss train "
                f"(nerfloss convert takes dataset.{', dataset.'.join(WRITTEN)})"
            )
