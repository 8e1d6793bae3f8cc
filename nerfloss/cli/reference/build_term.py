"""Build a shipped term outside of a run."""

from nerfloss.assembly.config_files import read_yaml
from nerfloss.assembly.instantiation import build
from nerfloss.cli.reference.term_files import TermFile
from nerfloss.recipe.parsing import read_terms
from nerfloss.recipe.term import Term


def instance(file: TermFile) -> Term:
    """Return the term of a file with the settings of the file and without a schedule.

    Raises RecipeError for settings that the term refuses.
    """
    spec = {**read_yaml(file.path), "fn": build(read_yaml(file.path)["fn"]), "schedule": None}
    return read_terms({file.name: spec})[file.name]
