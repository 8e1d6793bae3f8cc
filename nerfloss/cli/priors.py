"""``nerfloss priors``: estimate depth and normals of a scene's images by a network."""

import argparse
import sys
from pathlib import Path

from nerfloss.cli.scene_options import add_scene_options, scene_dataset, scene_settings

SUMMARY = "estimate depth and normals of a scene's images by a network of yours"
KINDS = ("depth", "disparity", "normal")
EPILOG = """\
examples:
  nerfloss priors scenes/shoe --model transformers:CHECKPOINT --kind disparity
  nerfloss priors scenes/shoe --model mylab.networks:estimate --kind depth normal

The model is a function of one image (an array of rows, columns and RGB, 0 to 255) that returns an
array, or a dictionary of arrays by kind; or transformers:CHECKPOINT, a network for depth estimation
(pip install 'nerfloss[priors]'). --kind says what it returns: depth (larger is farther, as Omnidata
and ZoeDepth), disparity (larger is nearer, as MiDaS), normal (unit vectors; x
right, y down, z forward). Depth and disparity count up to a scale and a shift per image. The same
line again goes on with an interrupted call."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "priors",
        help=SUMMARY,
        description=SUMMARY.capitalize() + ".",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("folder", type=Path, help="the scene: photographs with their cameras")
    command.add_argument(
        "--model", required=True, metavar="NAME", help="module:function or transformers:CHECKPOINT"
    )
    command.add_argument(
        "--kind", required=True, nargs="+", choices=KINDS, help="what the model returns"
    )
    add_scene_options(command, "refuse")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Estimate and write the maps, and print where they are and the terms that use them."""
    from nerfloss.data.priors.estimator import check_estimator, load_estimator
    from nerfloss.data.priors.write_priors import folders_of, used_terms, write_priors

    check_estimator(options.model)
    kinds = tuple(dict.fromkeys(options.kind))
    parsed = scene_dataset(options.folder, scene_settings(options)).parsed
    estimator = load_estimator(options.model)
    done = write_priors(parsed, estimator, kinds, name=options.model, progress=_say)
    folders = ", ".join(map(str, folders_of(parsed, kinds)))
    print(f"estimated {done.written} views, {done.there} were there: {folders}")
    print("terms that use them, each in a line of nerfloss train:")
    print("\n".join(f"  {term}" for term in used_terms(kinds)))
    return 0


def _say(done: int, total: int) -> None:
    """Show the progress in one line of a terminal."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{done} of {total} views", end=end, file=sys.stderr, flush=True)
