"""The report page: every section for which the runs have data, in one self-contained file."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from nerfloss.experiments.report.figures import EXTRA, require_matplotlib
from nerfloss.experiments.report.latex import as_latex
from nerfloss.experiments.report.missing_runs import count_missing_runs
from nerfloss.experiments.report.page.ablation_bars import ablation_bars
from nerfloss.experiments.report.page.conflicts import conflicts
from nerfloss.experiments.report.page.health import health
from nerfloss.experiments.report.page.loss_maps import loss_maps
from nerfloss.experiments.report.page.pareto import pareto
from nerfloss.experiments.report.page.provenance_facts import provenance_facts
from nerfloss.experiments.report.page.recipe_text import recipe_text
from nerfloss.experiments.report.page.renders import renders
from nerfloss.experiments.report.page.scores import scores
from nerfloss.experiments.report.page.section import Figure, Figures, LeftOut, PageTable, Section
from nerfloss.experiments.report.page.study import Study, study_of
from nerfloss.experiments.report.page.surfaces import shape
from nerfloss.experiments.report.page.training_curves import training_curves
from nerfloss.experiments.report.page.weight_response import weight_response
from nerfloss.experiments.report.page.weights_over_time import weights_over_time
from nerfloss.experiments.report.run_folders import find_run_folders
from nerfloss.experiments.report.runs import begun, read_runs
from nerfloss.experiments.report.table import as_markdown
from nerfloss.experiments.report.truncate import truncated

ASSETS = Path(__file__).parent / "assets"
FILE, FIGURES = "report.html", "figures"
PARTS: Sequence[Callable[[Study], Section | LeftOut]] = (
    scores,
    ablation_bars,
    weight_response,
    pareto,
    renders,
    loss_maps,
    shape,
    training_curves,
    weights_over_time,
    conflicts,
    health,
    recipe_text,
    provenance_facts,
)


@dataclass(frozen=True)
class Page:
    """Content of the template; ``size`` is that of the written page, ``more`` ends its footer."""

    title: str
    summary: str
    version: str
    sections: Sequence[Section]
    left_out: Sequence[LeftOut]
    size: str = ""
    more: str = ""


def require_page_packages() -> None:
    """Raise ValueError, which names the extra, if matplotlib or jinja2 is not installed."""
    require_matplotlib()
    _require_jinja2()


def write_report(folder: Path, *, baseline: str | None = None) -> Path:
    """Write the page of the runs in ``folder`` and its figures into that folder.

    Raises FileNotFoundError if there are no runs, ValueError for an unknown ``baseline`` and if
    matplotlib or jinja2 is not installed.
    """
    require_page_packages()
    found = find_run_folders(folder)
    absent = count_missing_runs(found)
    runs = begun(read_runs(found))
    return write_page(study_of(runs, folder, absent=absent, baseline=baseline), folder)


def write_page(study: Study, folder: Path) -> Path:
    """Write report.html into ``folder``, and its figures and tables into ``folder``/figures."""
    page = page_of(study, more="The figures are in figures/.")
    path = folder / FILE
    for section in page.sections:
        write_figures(section, folder / FIGURES)
    path.write_text(rendered(page))
    return path


def page_of(
    study: Study, parts: Sequence[Callable[[Study], Section | LeftOut]] = PARTS, *, more: str = ""
) -> Page:
    """Return the sections for which the study has data. Raises ValueError without matplotlib."""
    found = [named(part(study)) for part in parts]
    return Page(
        title=study.root.resolve().name,
        summary=summary_of(study),
        version=metadata.version("nerfloss"),
        sections=[part for part in found if isinstance(part, Section)],
        left_out=[part for part in found if isinstance(part, LeftOut)],
        more=more,
    )


def rendered(page: Page) -> str:
    """Return the page as HTML, with its size stated; text from the runs is escaped."""
    size = len(_rendered(page).encode())
    return _rendered(replace(page, size=f"{size / 1e6:.1f} MB"))


def _require_jinja2() -> Any:
    """Import jinja2. Raises ValueError with the command to install it."""
    try:
        import jinja2
    except ImportError:
        raise ValueError(f"the page needs jinja2: pip install '{EXTRA}'") from None
    return jinja2


def _rendered(page: Page) -> str:
    jinja2 = _require_jinja2()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS), autoescape=True, undefined=jinja2.StrictUndefined
    )
    assets = {
        name: (ASSETS / file).read_text()
        for name, file in (("css", "page.css"), ("viewer", "viewer.js"), ("script", "page.js"))
    }
    return environment.get_template("page.html.j2").render(page=page, **assets)


def summary_of(study: Study) -> str:
    """Return the numbers of runs, variants, seeds and scenes, and of unfinished runs."""
    finished = sum(run.finished for run in study.runs)
    scenes = list(dict.fromkeys(run.scene for run in study.runs))
    seeds = {run.seed for run in study.runs if run.seed}
    parts = [_counted(len(study.runs), "run")]
    if len(study.every_variant) > 1:
        parts.append(_counted(len(study.every_variant), "variant"))
    parts.append(_counted(len(seeds), "seed") if len(seeds) > 1 else "one seed")
    parts.append(
        f"{'scene' if len(scenes) == 1 else 'scenes'} {', '.join(truncated(scenes, 'scenes'))}"
    )
    for count, what in (
        (len(study.runs) - finished, "not finished"),
        (study.absent, "never started"),
    ):
        parts += [f"{count} {what}"] if count else []
    return ", ".join(parts)


def write_figures(section: Section, folder: Path) -> None:
    """Write figures as SVG and PNG, and tables as Markdown and LaTeX."""
    folder.mkdir(parents=True, exist_ok=True)
    for block in section.blocks:
        if isinstance(block, Figures):
            for figure in block.figures:
                (folder / f"{figure.name}.svg").write_text(figure.drawing.svg)
                (folder / f"{figure.name}.png").write_bytes(figure.drawing.png)
    tables = [block.table for block in section.blocks if isinstance(block, PageTable)]
    if tables:
        for ending, write in (("md", as_markdown), ("tex", as_latex)):
            text = "\n".join(write(table) for table in tables)
            (folder / f"{section.name}.{ending}").write_text(text)


def named(part: Section | LeftOut) -> Section | LeftOut:
    """Return the section with figure names that are unique and valid in file names and ids."""
    if isinstance(part, LeftOut):
        return part
    taken: set[str] = set()

    def renamed(figure: Figure) -> Figure:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", figure.name).strip("-.")[:120]
        name, count = plain, 2
        while name in taken:
            name, count = f"{plain}-{count}", count + 1
        taken.add(name)
        return replace(figure, name=name)

    blocks = [
        replace(block, figures=[renamed(figure) for figure in block.figures])
        if isinstance(block, Figures)
        else block
        for block in part.blocks
    ]
    return replace(part, blocks=blocks)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
