"""``nerfloss docs``: write the pages that are made from docstrings."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb and its options."""
    summary = "write docs/losses.md and its plots from the losses' docstrings and YAML files"
    verb = verbs.add_parser("docs", help=summary, description=summary.capitalize() + ".")
    verb.add_argument("folder", nargs="?", type=Path, default=Path("docs"))
    verb.add_argument("--check", action="store_true", help="write nothing; 1 if it would change")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Write the pages; with ``--check`` write nothing, and 1 where one is stale."""
    from nerfloss.assembly.config_files import conf_dir
    from nerfloss.cli.reference.generated_pages import stale_pages, write_pages
    from nerfloss.cli.reference.loss_page import IMAGES, loss_page

    pages = loss_page(conf_dir())
    stale = stale_pages(pages, options.folder, IMAGES)
    for name in stale:
        what = "is stale: run 'nerfloss docs'" if options.check else "is written anew"
        print(f"{options.folder / name} {what if name in pages else 'is no page any more'}")
    if not options.check:
        write_pages(pages, options.folder, stale)
    return 1 if options.check and stale else 0
