"""A table of the choices of one group of conf/, with a line about each."""

from nerfloss.assembly.config_files import conf_dir, named
from nerfloss.assembly.config_groups import default_choices, description_of
from nerfloss.cli.reference.term_files import term_files
from nerfloss.experiments.report.table import Table


def part_table(kind: str, group: str) -> Table:
    """Return the table of a group; loss terms are described by their functions' docstrings."""
    default = default_choices("train").get(group)
    if group == "loss/term":
        rows = tuple(
            (name, _first_line(term.documentation)) for name, term in term_files(conf_dir()).items()
        )
    else:
        rows = tuple(
            (f"{name} (default)" if name == default else name, description_of(path))
            for name, path in named(conf_dir() / group).items()
        )
    return Table((kind, "description"), rows, notes=(f"choose one: {_choice(group)}",))


def _choice(group: str) -> str:
    return "+loss/term@loss.terms.NAME=NAME" if group == "loss/term" else f"{group}=NAME"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
