"""``nerfloss inspect``: show what the files of a scene say, and what is suspicious, in pictures."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nerfloss.cli.scene_options import add_scene_options, scene_dataset, scene_settings

if TYPE_CHECKING:
    from nerfloss.data.formats.folder_dataset import FolderDataset
    from nerfloss.data.formats.parsed_scene import ParsedScene
    from nerfloss.data.inspection.inspection import Finding, Inspection

SUMMARY = "show cameras, images and masks of a scene, and what is suspicious about them"

EPILOG = """\
examples:
  nerfloss inspect data/lego
  nerfloss inspect data/fox dataset.hold_out=8 dataset.scene_scale=2

Region and test views are those of a training with the same settings of the dataset."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "inspect",
        help=SUMMARY,
        description=SUMMARY.capitalize() + ", before any training. Writes overview.png and "
        "overview.html, a page that turns, and prints the command to train with.",
        usage="nerfloss inspect folder [options] [dataset.SETTING=VALUE ...]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("folder", type=Path, help="the scene: photographs with their cameras")
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where the overview is written (default: inspect/NAME)",
    )
    add_scene_options(command, "skip, and say so")
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
    from nerfloss.data.inspection.inspect_scene import inspect_scene

    settings = scene_settings(options)
    dataset = scene_dataset(options.folder, settings)
    parsed, refused = read_with_gaps(dataset, settings)
    inspection = inspect_scene(
        parsed,
        dataset.build_settings,
        matches=options.matches == "on",
        words=settings,
        findings=refused,
    )
    output = options.output or Path("inspect") / inspection.name
    print_inspection(inspection)
    write_overview(inspection, output)
    print(f"\nto train:\n  {inspection.command}")
    return 0


def read_with_gaps(
    dataset: "FolderDataset", settings: Sequence[str]
) -> tuple["ParsedScene", list["Finding"]]:
    """Read the scene without its missing views, unless a setting says what to do about them.

    What training would refuse becomes a finding.
    """
    from nerfloss.data.errors import DataError
    from nerfloss.data.inspection.inspection import Finding

    if any(word.startswith("dataset.missing=") for word in settings):
        return dataset.parsed, []
    try:
        return dataset.parsed, []
    except DataError as error:
        text = f"refused without dataset.missing=skip: {error}"
        # What is wrong beside missing files is refused here, too.
        return replace(dataset, missing="skip").parsed, [Finding("missing", text)]


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
