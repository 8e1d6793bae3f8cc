"""``nerfloss export``: write what a run has learned as files of other programs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nerfloss.assembly.export.mesh_settings import Axes, MeshSettings

SUMMARY = "write a run's mesh, points, cameras and views for other programs"
EPILOG = """\
examples:
  nerfloss export outputs/analytic/neus/RUN --mesh object.glb
  nerfloss export outputs/analytic/neus/RUN --mesh object.obj --faces 20000 --up y
  nerfloss export outputs/analytic/neus/RUN --mesh print.stl --fill-holes inf --watertight

Everything is in the coordinates of the scene's own files, unless --up or --unit-scale is given.
If the data has moved: dataset.path=FOLDER, as for nerfloss eval."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "export",
        help=SUMMARY,
        description=SUMMARY[0].upper() + SUMMARY[1:] + ".",
        usage="nerfloss export run [--mesh FILE] [--points FILE] [--cameras FILE] "
        "[--views FOLDER] [options] [dataset.SETTING=VALUE ...]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("folder", type=Path, metavar="run", help="a folder that training wrote")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    written = command.add_argument_group("what is written")
    written.add_argument("--mesh", type=Path, metavar="FILE", help="a .ply, .obj, .glb or .stl")
    written.add_argument("--points", type=Path, metavar="FILE", help="surface points as a .ply")
    written.add_argument("--cameras", type=Path, metavar="FILE", help="all cameras as a .json")
    written.add_argument("--views", type=Path, metavar="FOLDER", help="rendered views as PNG")
    _add_mesh_options(command.add_argument_group("the mesh"))
    _add_texture_options(command.add_argument_group("its texture"))
    others = command.add_argument_group("points and views")
    others.add_argument(
        "--point-count",
        type=int,
        metavar="N",
        default=200_000,
        help="pixels of the training views that give a point (default: 200000)",
    )
    others.add_argument(
        "--split", choices=["train", "test"], default="test", help="of --views (default: test)"
    )
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
        "--method",
        choices=["auto", "level_set", "tsdf"],
        default="auto",
        help="the level set of the field, or the fusion of rendered depth; auto: the second for "
        "densities (default: auto)",
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


def _add_texture_options(options: Any) -> None:
    options.add_argument(
        "--texture", type=int, metavar="N", help="bake colours into an image of N by N texels"
    )
    options.add_argument(
        "--texture-from",
        choices=["model", "photographs"],
        help="the colours of the texture: the model's, or those of the training photographs that "
        "see the surface best (default: model)",
    )


def run(options: argparse.Namespace) -> int:
    """Write the files that were asked for, and print what was done."""
    if not any((options.mesh, options.points, options.cameras, options.views)):
        raise ValueError(
            "nothing to export: give --mesh FILE, --points FILE, --cameras FILE or --views FOLDER"
        )
    from nerfloss.assembly.export.camera_export import check_camera_file, export_cameras
    from nerfloss.assembly.export.mesh_export import check_mesh_file, export_mesh
    from nerfloss.assembly.export.mesh_settings import Axes
    from nerfloss.assembly.export.opened_run import OpenedRun
    from nerfloss.assembly.export.point_export import check_point_file, export_points
    from nerfloss.assembly.export.view_export import export_views
    from nerfloss.cli.stage_bars import StageBars

    axes = Axes(options.up, options.unit_scale)
    settings = _mesh_settings(options, axes)
    # Every mistake is found before the run is read.
    if options.mesh is not None:
        check_mesh_file(options.mesh, texture=options.texture is not None)
    if options.points is not None:
        check_point_file(options.points, options.point_count)
    if options.cameras is not None:
        check_camera_file(options.cameras)
    bars = StageBars()
    opened = OpenedRun(options.folder.expanduser(), options.device, options.settings, bars)
    for path, export in [
        (options.mesh, lambda path: export_mesh(opened, path, settings)),
        (options.points, lambda path: export_points(opened, path, options.point_count, axes)),
        (options.cameras, lambda path: export_cameras(opened, path, axes)),
        (options.views, lambda path: export_views(opened, path, options.split)),
    ]:
        if path is not None:
            with bars:
                notes = export(path.expanduser())
            for note in notes:
                print(f"note: {note}")
            print(f"wrote {path}")
    return 0


def _mesh_settings(options: argparse.Namespace, axes: "Axes") -> "MeshSettings":
    from nerfloss.assembly.export.mesh_settings import MeshSettings

    return MeshSettings(
        resolution=options.resolution,
        components=options.components,
        method=options.method,
        cull=tuple(options.cull),
        faces=options.faces,
        fill_holes=options.fill_holes,
        watertight=options.watertight,
        texture=options.texture,
        texture_from=options.texture_from,
        axes=axes,
    )
