"""A shipped term as a run would build it, outside of any run."""

from nerfloss.assembly.config_files import read_yaml
from nerfloss.assembly.instantiation import build
from nerfloss.cli.reference.term_files import TermFile
from nerfloss.recipe.parsing import read_terms
from nerfloss.recipe.term import Term


def instance(file: TermFile) -> Term:
    """The term of a file, at its own settings and always acting.

    Raises what its function, or the module that it makes, raises: RecipeError for bad settings.
    """
    spec = {**read_yaml(file.path), "fn": build(read_yaml(file.path)["fn"]), "schedule": None}
    return read_terms({file.name: spec})[file.name]
