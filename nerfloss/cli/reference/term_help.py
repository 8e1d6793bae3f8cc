"""The output of ``nerfloss terms``: all terms and recipes, or one of them in full."""

import difflib
import inspect
import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path

from nerfloss.cli.reference.term_files import RecipeFile, TermFile, recipe_files, term_files
from nerfloss.experiments.report.table import Table
from nerfloss.quantities import derived
from nerfloss.quantities.vocabulary import VOCABULARY


def list_terms(conf: Path) -> tuple[Table, Table]:
    """Return two tables: terms with the quantities they need, and recipes with their terms."""
    terms = tuple(
        (term.name, f"{term.weight:g}", " ".join(term.needs), _first_line(term.documentation))
        for term in term_files(conf).values()
    )
    recipes = tuple(
        (recipe.name, _terms_of(recipe), " ".join(recipe.needs))
        for recipe in recipe_files(conf).values()
    )
    return (
        Table(("term", "weight", "needs", "what it does"), terms, title="Terms"),
        Table(("recipe", "terms", "needs"), recipes, title="Recipes"),
    )


def explain(name: str, conf: Path) -> str:
    """Return the full description of a term, or the terms of a recipe.

    Raises ValueError for an unknown name, with the closest ones.
    """
    terms, recipes = term_files(conf), recipe_files(conf)
    if name in terms:
        return _explain_term(terms[name], recipes, conf)
    if name in recipes:
        return _explain_recipe(recipes[name], conf)
    known = [*terms, *recipes]
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
    raise ValueError(f"no term and no recipe is called '{name}': {hint}")


def _explain_term(term: TermFile, recipes: Mapping[str, RecipeFile], conf: Path) -> str:
    users = [
        f"{recipe.name} (as {key}, weight {used.weight:g})"
        for recipe in recipes.values()
        for key, used in recipe.terms.items()
        if used.name == term.name
    ]
    renames = [f"{name} is {quantity}" for name, quantity in term.inputs.items()]
    facts = {
        "needs": [_need(name) for name in term.needs],
        "inputs": renames,
        "where": [f"averaged where {term.where}"] if term.where else [],
        "settings": [f"{name} = {_value(value)}" for name, value in term.settings.items()],
        "weight": [f"{term.weight:g}"],
        "schedule": [_schedule(term.schedule)],
        "recipes": users or ["none of those shipped"],
        "files": [f"conf/{term.path.relative_to(conf)}", _where_defined(term)],
        "try it": [f"nerfloss train +loss/term@loss.terms.{term.name}={term.name}"],
    }
    text = inspect.cleandoc(term.documentation)
    return "\n\n".join([term.name, _indented(text), _as_list(facts)]) + "\n"


def _explain_recipe(recipe: RecipeFile, conf: Path) -> str:
    rows = {
        key: [_use(term), f"  {_first_line(term.documentation)}"]
        for key, term in recipe.terms.items()
    }
    facts = {
        "needs": [_need(name) for name in recipe.needs],
        "file": [f"conf/{recipe.path.relative_to(conf)}"],
        "try it": [f"nerfloss train loss={recipe.name}"],
    }
    return "\n\n".join([f"{recipe.name} (a recipe)", _as_list(rows), _as_list(facts)]) + "\n"


def _need(name: str) -> str:
    """Return a quantity with its shape, meaning and source."""
    if name in VOCABULARY:
        quantity = VOCABULARY[name]
        shape = f"[{quantity.shape}] " if quantity.shape else ""
        return f"{name} {shape}{quantity.meaning}; from {quantity.source}"
    function = getattr(derived, name, None)
    return f"{name}: {_first_line(function.__doc__ or '')}" if function else f"{name} (unknown)"


def _use(term: TermFile) -> str:
    """Return how a recipe uses a term: its weight, and its schedule and selection if any."""
    when = f", {_schedule(term.schedule)}" if term.schedule else ""
    where = f", where {term.where}" if term.where else ""
    return f"weight {term.weight:g}, term {term.name}{when}{where}"


def _terms_of(recipe: RecipeFile) -> str:
    """Return the weighted sum in short, and the terms at weight 0."""
    parts = [
        key if term.weight == 1 else f"{term.weight:g} {key}"
        for key, term in recipe.terms.items()
        if term.weight != 0
    ]
    waiting = [key for key, term in recipe.terms.items() if term.weight == 0]
    return " + ".join(parts) + (f"; at 0: {', '.join(waiting)}" if waiting else "")


def _schedule(schedule: object) -> str:
    if not isinstance(schedule, Mapping):
        return "always 1" if schedule is None else str(schedule)
    name = str(schedule.get("_target_", "")).rpartition(".")[2]
    settings = (
        f"{key}={_schedule(value) if isinstance(value, Mapping) else value}"
        for key, value in schedule.items()
        if not key.startswith("_")
    )
    return f"{name}({', '.join(settings)})"


def _value(value: object) -> str:
    return "(must be given)" if value is inspect.Parameter.empty else repr(value)


def _where_defined(term: TermFile) -> str:
    source = inspect.getsourcefile(term.function)
    if source is None:
        return term.target
    root = Path(__file__).resolve().parents[3]
    path = Path(source).resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())


def _as_list(facts: Mapping[str, list[str]]) -> str:
    """Return labelled lines, each label once; labels without an entry are left out.

    Lines are wrapped at the width of the terminal, at 240 columns in a pipe or a file.
    """
    width = max((len(label) for label in facts), default=0)
    columns = shutil.get_terminal_size((240, 24)).columns
    lines = [
        line
        for label, entries in facts.items()
        for i, entry in enumerate(entries)
        for line in textwrap.wrap(
            entry,
            max(columns, width + 40),
            initial_indent=f"  {label if i == 0 else '':<{width}}  ",
            subsequent_indent=" " * (width + 6),
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
    return "\n".join(lines)
