"""Generate docs/losses.md from docstrings and YAML files."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from nerfloss import losses
from nerfloss.cli.reference.build_term import instance
from nerfloss.cli.reference.loss_curves import curves
from nerfloss.cli.reference.svg_plots import as_svg
from nerfloss.cli.reference.term_files import TermFile, recipe_files, term_files
from nerfloss.cli.reference.term_help import list_terms
from nerfloss.experiments.report.table import Table, as_markdown
from nerfloss.quantities.signature import inputs_of, settings_of, underlying
from nerfloss.quantities.vocabulary import VOCABULARY

IMAGES = "images/losses"
WIDTH = 100  # characters of a line in a code block
INTRODUCTION = """\
# The losses

<!-- Written by `nerfloss docs` from docstrings and conf/loss: change those, then run it again. -->

A *function* computes a loss; a *term* is a YAML file in `conf/loss/term` that gives it quantities,
settings and a weight. Add a term to any recipe:

```bash
nerfloss train +loss/term@loss.terms.curvature=curvature
```

Use a function without a fitting term by binding its parameters with `inputs`:

```bash
nerfloss train '+loss.terms.mine={weight: 1, inputs: {prediction: depth, target: target_depth}}' \\
    '+loss.terms.mine.fn={_target_: nerfloss.losses.photometric.l1, _partial_: true}'
```

Values are unreduced unless stated otherwise: the recipe takes their mean over the elements that
`where` selects. Plots use the settings of the first term.
"""


def loss_page(conf: Path) -> dict[str, str]:
    """Return the page and its plots: the text of each file by its path under docs/."""
    terms = term_files(conf)
    files, sections = {}, []
    for module in _modules():
        functions = [
            (name, function, [term for term in terms.values() if term.function is function])
            for name, function in _functions(module)
        ]
        # A class that no term uses is part of another one.
        functions = [each for each in functions if each[2] or not isinstance(each[1], type)]
        if not functions:
            continue
        # With the suffix, so that links to a function of the same name do not lead here.
        title = module.__name__.rpartition(".")[2] + ".py"
        sections.append(f"## {title}\n\n{_markdown(module.__doc__ or '')}\n")
        for name, function, uses in functions:
            image = _plot(uses)
            if image is not None:
                files[f"{IMAGES}/{name}.svg"] = image
            sections.append(_section(name, function, uses, image is not None))
    page = [INTRODUCTION, _contents(terms), *sections, _recipes(conf), _quantities()]
    return {"losses.md": "\n".join(page), **files}


def _modules() -> Iterator[ModuleType]:
    for found in sorted(pkgutil.iter_modules(losses.__path__), key=lambda found: found.name):
        yield importlib.import_module(f"{losses.__name__}.{found.name}")


def _functions(module: ModuleType) -> Iterator[tuple[str, Callable]]:
    """Yield the losses of a module in their order: public callables that cite a reference."""
    for name, value in vars(module).items():
        own = callable(value) and getattr(value, "__module__", None) == module.__name__
        if own and name == _heading(value) and "Reference:" in _documentation(value):
            yield name, value


def _heading(function: Callable) -> str:
    """Return the public name of a function; of two names of a class, the last."""
    module = importlib.import_module(function.__module__)
    names = [name for name, value in vars(module).items() if value is function]
    return next((name for name in reversed(names) if not name.startswith("_")), "")


def _documentation(function: Callable) -> str:
    texts = [function.__doc__ or "", underlying(function).__doc__ or ""]
    return inspect.cleandoc(next((text for text in texts if "Reference:" in text), texts[0]))


def _plot(uses: list[TermFile]) -> str | None:
    """Return a plot of the first term that is a function of one point; None if there is none."""
    for use in uses:
        if not isinstance(use.function, type):
            found = curves(instance(use))
            if found is not None:
                return as_svg(found)
    return None


def _section(name: str, function: Callable, uses: list[TermFile], plotted: bool) -> str:
    parts = [f"### {name}", "", "```python", _signature(name, function), "```", ""]
    parts += [_markdown(_documentation(function)), ""]
    if plotted:
        parts += [f"![{name}]({IMAGES}/{name}.svg)", ""]
    if uses:
        parts += [as_markdown(_terms(uses))]
    else:
        parts += ["Used by no term directly.", ""]
    return "\n".join(parts)


def _signature(name: str, function: Callable) -> str:
    """Return the signature: quantities, then keyword-only settings with their defaults.

    A signature that is wider than a line has one parameter per line.
    """
    is_class = isinstance(function, type)
    parameters = inspect.signature(underlying(function)).parameters
    quantities = [_parameter(each, parameters[each].default) for each in inputs_of(function)]
    settings = settings_of(function.__init__ if is_class else function)
    given = quantities[1:] if is_class else quantities
    if settings:
        given += ["*", *(_parameter(key, default) for key, default in settings.items())]
    line = f"{name}({', '.join(given)})"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name}(", *(f"    {each}," for each in given), ")"])


def _parameter(name: str, default: Any) -> str:
    return name if default is inspect.Parameter.empty else f"{name}={default!r}"


def _terms(uses: list[TermFile]) -> Table:
    rows = tuple(
        (
            f"`{term.name}`",
            f"{term.weight:g}",
            _comment(term.path),
            ", ".join(f"`{name}`" for name in term.needs),
            f"`{term.where}`" if term.where else "",
            ", ".join(f"{key}: {json.dumps(value)}" for key, value in term.bound.items()),
        )
        for term in uses
    )
    return Table(("term", "weight", "origin of the weight", "needs", "where", "settings"), rows)


def _comment(path: Path) -> str:
    """Return the comment on the weight at the beginning of a term's YAML file."""
    lines = path.read_text().splitlines()
    return " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))


def _contents(terms: Mapping[str, TermFile]) -> str:
    rows = tuple(
        (
            f"[`{term.name}`](#{_heading(term.function)})",
            f"{term.weight:g}",
            _markdown(term.documentation).strip().splitlines()[0],
        )
        for term in terms.values()
    )
    return f"{len(rows)} terms:\n\n" + as_markdown(Table(("term", "weight", "what it does"), rows))


def _recipes(conf: Path) -> str:
    _, recipes = list_terms(conf)
    rows = tuple(
        (f"`{row[0]}`", row[1], _comment(recipe.path))
        for row, recipe in zip(recipes.rows, recipe_files(conf).values(), strict=True)
    )
    table = Table(("recipe", "terms", "origin of the weights"), rows)
    return "## Recipes\n\n`loss=NAME` chooses one.\n\n" + as_markdown(table)


def _quantities() -> str:
    rows = tuple(
        (f"`{name}`", quantity.shape, quantity.meaning, quantity.source)
        for name, quantity in VOCABULARY.items()
    )
    table = Table(("quantity", "shape", "meaning", "from"), rows)
    return "## Quantities\n\n" + as_markdown(table)


def _markdown(docstring: str) -> str:
    """Return a docstring as Markdown, with single backticks and a bold reference."""
    text = inspect.cleandoc(docstring).replace("``", "`")
    return text.replace("Reference:", "**Reference:**")
