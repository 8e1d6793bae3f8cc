"""``nerfloss maps``: pictures of what each loss term says, on the views and the mesh of a run."""

import argparse
from pathlib import Path

SUMMARY = "draw each loss term on the views or the mesh of a run"
EPILOG = """\
examples:
  nerfloss maps outputs/analytic/neus_eikonal/RUN
  nerfloss maps outputs/analytic/neus_eikonal/RUN --terms all --gradients --views 0,3
  nerfloss maps outputs/analytic/neus_eikonal/RUN --conflicts rgb eikonal
  nerfloss maps outputs/analytic/neus_eikonal/RUN --mesh eikonal.ply --show eikonal_error

Pictures, values (.npz) and a page go to loss_maps in the run's folder, where nerfloss report finds
them. With --mesh, the mesh alone is written. If the data has moved: dataset.path=FOLDER."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "maps",
        help=SUMMARY,
        description=SUMMARY[0].upper() + SUMMARY[1:] + ".",
        usage="nerfloss maps run [options] [dataset.SETTING=VALUE ...]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("folder", type=Path, metavar="run", help="a folder that training wrote")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    command.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="default: loss_maps in the run's folder"
    )
    _add_view_options(command.add_argument_group("on views"))
    _add_mesh_options(command.add_argument_group("on the mesh"))
    command.set_defaults(run=run)


def _add_view_options(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--views", type=_listed, default=[], metavar="A,B", help="names or numbers (default: three)"
    )
    group.add_argument(
        "--split", choices=["train", "test"], default="train", help="of the views (default: train)"
    )
    group.add_argument(
        "--terms",
        type=_listed,
        metavar="A,B",
        help="terms of the recipe, or all (default: those that are active at the end)",
    )
    group.add_argument(
        "--gradients",
        action="store_true",
        help="also the length of each term's gradient by the rendered colour",
    )
    group.add_argument(
        "--conflicts",
        nargs=2,
        action="append",
        default=[],
        metavar=("A", "B"),
        help="also where two terms pull in opposite directions; may be repeated",
    )
    group.add_argument(
        "--block", type=int, default=4, metavar="N", help="pixels of a conflict (default: 4 x 4)"
    )
    group.add_argument(
        "--downscale",
        type=int,
        metavar="N",
        help="one pixel in N x N (default: at most 256 pixels a side)",
    )


def _add_mesh_options(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--mesh", type=Path, metavar="FILE", help="a .ply or .glb with values of the vertices"
    )
    group.add_argument(
        "--show",
        type=_listed,
        default=[],
        metavar="A,B",
        help="eikonal_error, mean_curvature, normal_disagreement, visibility, training_rays, "
        "distance_to_truth or terms of the recipe: all become properties of the vertices, the "
        "first is their colour (default: all that the run has)",
    )
    group.add_argument(
        "--resolution", type=int, metavar="N", help="extract it anew, with N cells along the box"
    )


def run(options: argparse.Namespace) -> int:
    """Write the maps or the mesh that were asked for, and print what was assumed."""
    from nerfloss.assembly.export.opened_run import OpenedRun

    if options.show and options.mesh is None:
        raise ValueError("--show is for the mesh: give --mesh FILE, too")
    if options.resolution is not None and options.mesh is None:
        raise ValueError("--resolution is for the mesh: give --mesh FILE, too")
    if options.mesh is None:
        return _write_views(options)
    from nerfloss.assembly.loss_maps.surface_export import check_surface_file, export_surface
    from nerfloss.cli.stage_bars import StageBars

    check_surface_file(options.mesh)
    for name in ("views", "terms", "gradients", "conflicts", "downscale", "output"):
        if vars(options)[name]:
            raise ValueError(f"--{name} is for maps of views: leave it away with --mesh")
    bars = StageBars()
    opened = OpenedRun(options.folder.expanduser(), options.device, options.settings, bars)
    with bars:
        notes = export_surface(opened, options.mesh.expanduser(), options.show, options.resolution)
    for note in notes:
        print(f"note: {note}")
    print(f"wrote {options.mesh}")
    return 0


def _write_views(options: argparse.Namespace) -> int:
    from nerfloss.assembly.export.opened_run import OpenedRun
    from nerfloss.assembly.loss_maps.run_maps import MapRequest
    from nerfloss.assembly.loss_maps.write_maps import FOLDER, PAGE, write_maps
    from nerfloss.cli.stage_bars import StageBars

    request = MapRequest(
        options.views,
        options.split,
        options.terms,
        options.gradients,
        [(first, second) for first, second in options.conflicts],
        options.block,
        options.downscale,
    )
    if options.output is not None and options.output.expanduser().is_file():
        raise ValueError(f"--output {options.output} is a file: name a folder")
    bars = StageBars()
    opened = OpenedRun(options.folder.expanduser(), options.device, options.settings, bars)
    folder = (options.output or opened.folder / FOLDER).expanduser()
    with bars:
        notes = write_maps(opened, request, folder)
    for note in notes:
        print(f"note: {note}")
    print(f"wrote {folder / PAGE}")
    return 0


def _listed(text: str) -> list[str]:
    """Return the words of a list that is separated by commas; refuse one without any."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise argparse.ArgumentTypeError(f"'{text}' has no name: give A or A,B")
    return words
