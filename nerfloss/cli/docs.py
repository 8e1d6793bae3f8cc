"""``nerfloss docs``: write the pages that are made from docstrings and YAML files."""

import argparse
from pathlib import Path

SUMMARY = "write docs/losses.md, its plots and docs/published.md from docstrings and YAML files"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser("docs", help=SUMMARY, description=SUMMARY.capitalize() + ".")
    command.add_argument("folder", nargs="?", type=Path, default=Path("docs"))
    command.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 if a page is out of date"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the pages; with ``--check`` write nothing and return 1 if one is out of date."""
    from nerfloss.assembly.config_files import conf_dir
    from nerfloss.cli.reference.generated_pages import stale_pages, write_pages
    from nerfloss.cli.reference.loss_page import IMAGES, loss_page
    from nerfloss.cli.reference.published_page import PAGE, published_page
    from nerfloss.experiments.report.published import DATA

    pages = loss_page(conf_dir())
    if (options.folder / DATA).is_file():
        pages[PAGE] = published_page(options.folder / DATA)
    stale = stale_pages(pages, options.folder, IMAGES)
    for name in stale:
        what = "is out of date: run 'nerfloss docs'" if options.check else "written"
        print(f"{options.folder / name} {what if name in pages else 'is no longer generated'}")
    if not options.check:
        write_pages(pages, options.folder, stale)
    return 1 if options.check and stale else 0
