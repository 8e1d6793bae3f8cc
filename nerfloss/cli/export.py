"""``nerfloss export``: write what a run has learned as files of other programs."""

import argparse
from pathlib import Path
from typing import Any

SUMMARY = "write a run's mesh as a file of other programs"
EPILOG = """\
examples:
  nerfloss export outputs/analytic/neus/RUN --mesh object.glb
  nerfloss export outputs/analytic/neus/RUN --mesh object.obj --faces 20000 --up y
  nerfloss export outputs/analytic/neus/RUN --mesh print.stl --fill-holes inf --watertight

Everything is in the coordinates of the scene's own files, unless --up or --unit-scale is given."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "export",
        help=SUMMARY,
        description=SUMMARY[0].upper() + SUMMARY[1:] + ".",
        usage="nerfloss export run [--mesh FILE] [options]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("folder", type=Path, metavar="run", help="a folder that training wrote")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    written = command.add_argument_group("what is written")
    written.add_argument("--mesh", type=Path, metavar="FILE", help="a .ply, .obj, .glb or .stl")
    _add_mesh_options(command.add_argument_group("the mesh"))
    axes = command.add_argument_group("coordinates")
    axes.add_argument("--up", help="the axis that is up in the files written: x, y, z, -y ...")
    axes.add_argument(
        "--unit-scale", type=float, metavar="S", default=1.0, help="multiply lengths by this"
    )
    command.set_defaults(run=run)


def _add_mesh_options(options: Any) -> None:
    options.add_argument(
        "--resolution", type=int, metavar="N", help="extract it anew, with N cells along the box"
    )
    options.add_argument(
        "--components",
        choices=["supported", "largest", "all"],
        help="extract it anew, and keep these connected parts",
    )
    options.add_argument(
        "--cull",
        action="append",
        default=[],
        choices=["masks", "views", "region", "none"],
        help="cut away what lies outside of the training masks, what the training views do not "
        "see, what lies outside of the region; may be repeated",
    )
    options.add_argument("--faces", type=int, metavar="N", help="reduce it to N faces")
    options.add_argument(
        "--fill-holes",
        type=float,
        default=0.0,
        metavar="SIZE",
        help="close holes up to this size, in the units written; inf closes all",
    )
    options.add_argument(
        "--watertight", action="store_true", help="refuse a mesh that is not watertight"
    )


def run(options: argparse.Namespace) -> int:
    """Write the files that were asked for, and print what was done."""
    if options.mesh is None:
        raise ValueError("nothing to export: give --mesh FILE")
    from nerfloss.assembly.export.mesh_export import check_mesh_file, export_mesh
    from nerfloss.assembly.export.mesh_settings import Axes, MeshSettings
    from nerfloss.assembly.export.opened_run import OpenedRun

    check_mesh_file(options.mesh)
    axes = Axes(options.up, options.unit_scale)
    settings = MeshSettings(
        resolution=options.resolution,
        components=options.components,
        cull=tuple(options.cull),
        faces=options.faces,
        fill_holes=options.fill_holes,
        watertight=options.watertight,
        axes=axes,
    )
    opened = OpenedRun(options.folder.expanduser(), options.device)
    path = options.mesh.expanduser()
    _print(export_mesh(opened, path, settings), path)
    return 0


def _print(notes: list[str], path: Path) -> None:
    for note in notes:
        print(f"note: {note}")
    print(f"wrote {path}")
