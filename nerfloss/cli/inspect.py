"""``nerfloss inspect``: show what the files of a scene say, and what is suspicious, in pictures."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nerfloss.data.inspection.inspection import Inspection

SUMMARY = "show cameras, images and masks of a scene, and what is suspicious about them"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "inspect",
        help=SUMMARY,
        description=SUMMARY.capitalize() + ", before any training. Writes overview.png and "
        "overview.html, a page that turns, and prints the command to train with.",
    )
    command.add_argument("folder", type=Path, help="the scene: photographs with their cameras")
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where the overview is written (default: inspect/NAME)",
    )
    command.add_argument("--layout", default="auto", help="layout of the folder (default: auto)")
    command.add_argument(
        "--images", metavar="NAME", help="folder of the images (default: as the layout says)"
    )
    command.add_argument(
        "--missing",
        choices=["refuse", "skip"],
        default="skip",
        help="what to do where images or poses are missing (default: skip, and say so)",
    )
    command.add_argument(
        "--matches",
        choices=["on", "off"],
        default="on",
        help="match features between views, to see if the poses fit, where no sparse points tell "
        "(default: on; takes a few seconds)",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Inspect, print and write. Raises DataError for a folder that cannot be read."""
    from nerfloss.data.errors import DataError, existing
    from nerfloss.data.formats.detection import detect_layout, layout_module
    from nerfloss.data.formats.parsed_scene import ParseSettings
    from nerfloss.data.inspection.inspect_scene import inspect_scene
    from nerfloss.data.inspection.inspection import Finding

    folder = existing(options.folder, "a scene")
    name = detect_layout(folder) if options.layout == "auto" else options.layout
    settings = ParseSettings(images=options.images, missing=options.missing)
    parsed = layout_module(name).parse(folder, settings)
    inspection = inspect_scene(parsed, matches=options.matches == "on")
    if options.missing == "skip":
        try:
            layout_module(name).parse(folder, replace(settings, missing="refuse"))
        except DataError as error:
            finding = Finding("missing", f"refused without dataset.missing=skip: {error}")
            command = f"{inspection.command} dataset.missing=skip"
            findings = (*inspection.findings, finding)
            inspection = replace(inspection, findings=findings, command=command)
    output = options.output or Path("inspect") / inspection.name
    print_inspection(inspection)
    write_overview(inspection, output)
    print(f"\nto train:\n  {inspection.command}")
    return 0


def print_inspection(inspection: "Inspection") -> None:
    """Print the table and the findings, fitted to the terminal."""
    import os

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=160)
    table = Table(box=box.SIMPLE, show_header=False, title=inspection.name, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in inspection.rows:
        table.add_row(Text(row.name), Text(row.value))
    console.print(table)
    if not inspection.findings:
        console.print("nothing suspicious")
    for finding in inspection.findings:
        console.print(Text(f"suspicious: {finding.text}", style="yellow"), soft_wrap=True)


def write_overview(inspection: "Inspection", folder: Path) -> None:
    """Write overview.png and overview.html into a folder, and say so."""
    from nerfloss.data.inspection.overview_page import write_page
    from nerfloss.data.inspection.overview_picture import write_picture

    folder.mkdir(parents=True, exist_ok=True)
    write_picture(inspection, folder / "overview.png")
    write_page(inspection, folder / "overview.html")
    print(f"\nwrote {folder / 'overview.png'} and {folder / 'overview.html'}")
