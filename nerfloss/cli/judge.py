"""``nerfloss judge``: score renders or a mesh that any program has made."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nerfloss.experiments.judging.judge_images import Judgement

SUMMARY = "score renders or a mesh of any other trainer, for the same tables and reports"
EPILOG = """\
examples:
  nerfloss judge --renders renders/nerfacto --truth data/lego/test
  nerfloss judge --mesh meshes/scan65.ply --truth meshes/truth.ply
  nerfloss judge --mesh meshes/scan65.ply --truth dtu/Points/stl/stl065_total.ply --protocol dtu

Renders are paired with true images by their names (endings such as _rgb do not count), else by the
numbers in them; views without a render, of another size, and what had to be assumed are named.
Pictures side by side, as gsplat, nerfstudio and instant-nsr-pl write them, are cut. The result is a
folder like that of a run, which the command report reads beside runs."""


POINTS = 200_000


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "judge",
        help=SUMMARY,
        description=SUMMARY.capitalize() + ".",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--renders", type=Path, metavar="FOLDER", help="rendered images")
    what.add_argument("--mesh", type=Path, metavar="FILE", help="a mesh, in the truth's units")
    command.add_argument(
        "--truth",
        type=Path,
        required=True,
        metavar="PATH",
        help="the folder of true images, or the file of the true surface",
    )
    command.add_argument(
        "--protocol",
        metavar="NAME",
        help="of a benchmark: dtu, tanks_and_temples (of a mesh; the truth is the file of the "
        "scanned points), blender, blender_black, mipnerf360 (of renders)",
    )
    command.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default: judged/NAME")
    command.add_argument("--name", help="of the method (default: that of the renders or the mesh)")
    command.add_argument("--scene", help="name of the scene (default: that of the truth)")
    command.add_argument(
        "--strict", action="store_true", help="refuse if a view is not scored, or is suspicious"
    )
    _add_mesh_options(command.add_argument_group("meshes"))
    _add_image_options(command.add_argument_group("renders"))
    command.set_defaults(run=run)


def _add_mesh_options(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--scale", type=float, default=1.0, metavar="FACTOR", help="multiply the mesh (default: 1)"
    )
    group.add_argument(
        "--views",
        type=Path,
        metavar="SCENE",
        help="a scene whose masks cull the mesh, for --protocol dtu (default: not culled)",
    )
    group.add_argument(
        "--points",
        type=int,
        default=POINTS,
        metavar="COUNT",
        help="samples on each surface (default: 200000)",
    )


def _add_image_options(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--pair",
        choices=["auto", "name", "number", "order"],
        default="auto",
        help="how files are paired (default: by name, else by number)",
    )
    group.add_argument(
        "--background",
        choices=["white", "black"],
        help="below alpha (default: that of the renders, else white)",
    )
    group.add_argument(
        "--tile",
        type=int,
        metavar="NUMBER",
        help="of the render, from 1, where several pictures are side by side (default: the one "
        "next to the true image)",
    )
    group.add_argument(
        "--downscale",
        type=int,
        default=1,
        metavar="FACTOR",
        help="average blocks of pixels of the true images (default: 1)",
    )


def run(options: argparse.Namespace) -> int:
    """Score, print the table and write the folder. Raises DataError for unusable input."""
    from nerfloss.experiments.judging.judged_folder import (
        check_free,
        default_folder,
        telling_name,
        write_judged,
    )

    _check_options(options)
    judged = options.renders or options.mesh
    kind = "renders" if options.renders else "mesh"
    inputs = {kind: str(judged), "truth": str(options.truth)}
    name = options.name or telling_name(judged)
    scene = options.scene or telling_name(options.truth)
    folder = options.output or default_folder(name)
    check_free(folder, inputs)
    found = _judge_renders(options) if options.renders else _judge_mesh(options)
    if options.strict and found.problems:
        raise ValueError("; ".join(found.problems))
    _print(found, f"{name}, {scene}")
    words = sys.argv[1:]
    write_judged(
        folder,
        found,
        name=name,
        scene=scene,
        inputs=inputs,
        command=f"nerfloss {shlex.join(words)}",
        words=words,
    )
    print(f"wrote {folder}")
    return 0


def _check_options(options: argparse.Namespace) -> None:
    """Raise ValueError for an option that would have no effect."""
    others = argparse.ArgumentParser()
    group = _add_mesh_options if options.renders else _add_image_options
    group(others.add_argument_group())
    unused = vars(others.parse_args([]))
    needed = dict.fromkeys(unused, "--mesh" if options.renders else "--renders")
    if options.mesh:
        unused |= {"points": POINTS} if options.protocol else {"views": None}
        needed |= {"points": "meshes without --protocol", "views": "--protocol dtu"}
    for key, default in unused.items():
        if getattr(options, key) != default:
            raise ValueError(f"--{key} has no effect here: it is for {needed[key]}; leave it out")


def _judge_renders(options: argparse.Namespace) -> "Judgement":
    from nerfloss.assembly.standalone_evaluation import metrics_of
    from nerfloss.evaluation.protocols.protocol import protocol_named
    from nerfloss.experiments.judging.judge_images import judge_images
    from nerfloss.experiments.judging.render_settings import RenderSettings

    protocol = protocol_named(options.protocol)
    settings = RenderSettings(options.pair, options.background, options.tile, options.downscale)
    metrics = metrics_of("metrics")
    return judge_images(options.renders, options.truth, metrics, settings, protocol)


def _judge_mesh(options: argparse.Namespace) -> "Judgement":
    from nerfloss.assembly.standalone_evaluation import metrics_of
    from nerfloss.data.formats.folder_dataset import FolderDataset
    from nerfloss.evaluation.protocols.protocol import protocol_named
    from nerfloss.experiments.judging.judge_mesh import judge_by_protocol, judge_mesh

    protocol = protocol_named(options.protocol)
    if protocol is not None:
        scene = options.scene or options.truth.stem
        views = None if options.views is None else FolderDataset(path=str(options.views)).load()
        return judge_by_protocol(
            options.mesh, options.truth, protocol, scene=scene, views=views, scale=options.scale
        )
    settings = {"points": options.points, "scale": options.scale}
    return judge_mesh(options.mesh, options.truth, metrics_of("geometry"), **settings)


def _print(found: "Judgement", title: str) -> None:
    """Print notes, the table of scores, and the problems last, where they are seen."""
    from rich.console import Console
    from rich.text import Text

    from nerfloss.evaluation.score_table import score_table

    console = Console(highlight=False)
    for note in found.notes:
        console.print(Text(note), soft_wrap=True)
    console.print(score_table(found.evaluation.as_json(), title=title))
    for problem in found.problems:
        console.print(Text(f"suspicious: {problem}", style="yellow"), soft_wrap=True)
