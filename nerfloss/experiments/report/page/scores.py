"""First section: scores, their significance, and runs without scores."""

from collections.abc import Sequence

from nerfloss.experiments.report.comparison import COST, MAIN_METRICS, compare
from nerfloss.experiments.report.contrasts import Contrast, contrasts
from nerfloss.experiments.report.page.section import Block, LeftOut, Notes, PageTable, Section
from nerfloss.experiments.report.page.study import Study
from nerfloss.experiments.report.report import significance_tables
from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.experiments.report.truncate import truncated
from nerfloss.experiments.report.variants import choose_baseline
from nerfloss.experiments.report.variants_table import ARROWS, mean_of

TITLE = "Scores"
MAX_OPEN_ROWS = 18  # longer tables are folded
MAX_PROBLEMS = 40
TESTED = ("psnr", "chamfer_l1", "normal_angle")  # metrics of the table with significance


def scores(study: Study) -> Section | LeftOut:
    """Return the tables of scores; for several variants with differences and significance."""
    found = problems(study)
    blocks: list[Block] = [Notes(found, title="Runs without scores")] if found else []
    if not any(run.metrics for run in study.runs):
        if not blocks:
            return LeftOut(TITLE, "no run has a metrics.json")
        return Section("scores", TITLE, "No run has a metrics.json.", blocks)
    if len(study.runs) == 1:
        tables = [*single(study.runs[0])]
        reading = "The arrow points in the better direction."
    else:
        tables = _several(study)
        reading = (
            "Mean ± standard deviation over seeds. Differences are paired by seed and scene, with "
            "their 95 % confidence interval."
        )
        if study.left_out:
            reading += f" This page shows {study.left_out}; report.csv and variants.csv have all."
    return Section("scores", TITLE, reading, [*tables, *blocks])


def problems(study: Study) -> list[str]:
    """Return a line for each run without scores, and for each damaged file."""
    named = [
        (str(run.folder.relative_to(study.root)) if run.folder != study.root else "this run", run)
        for run in study.runs
    ]
    lines = [f"{name}: {run.status}" for name, run in named if not run.finished]
    lines += [
        f"{name}: {problem}" for name, run in named if run.finished for problem in run.damaged
    ]
    lines = truncated(lines, "problems", MAX_PROBLEMS)
    if study.absent:
        lines.append(f"{study.absent} more runs of this sweep never started")
    return lines


def single(run: Run) -> list[PageTable]:
    """Return the main scores of one run with baselines, all scores, and scores by view."""
    stated = run.conventions
    baselines = dict.fromkeys(c["baseline"] for c in stated.values() if c.get("baseline"))
    rows: dict[str, tuple[Cell, ...]] = {
        name: (
            name,
            value,
            *(run.metrics.get(f"{other}_{name}") for other in baselines),
            ARROWS.get(stated.get(name, {}).get("better") or "", ""),
            str(stated.get(name, {}).get("units") or ""),
        )
        for name, value in run.metrics.items()
        if not stated.get(name, {}).get("baseline")
    }
    notes = [f"{name}: {reason}" for name, reason in run.reasons.items()]
    missing = tuple(
        note for note in notes if not note.startswith(tuple(f"{b}_" for b in baselines))
    )
    columns = ("score", "value", *baselines, "better", "units")
    main = tuple(rows[name] for name in (*MAIN_METRICS, *COST) if name in rows)
    every = PageTable(Table(columns, tuple(rows.values())), folded="every score")
    tables = [PageTable(Table(columns, main)), every]
    if missing:
        reasons = tuple((name, why) for name, _, why in (n.partition(": ") for n in missing))
        table = Table(("score", "reason"), reasons)
        tables.append(PageTable(table, folded="scores without a value"))
    names = [name for name in MAIN_METRICS if any(name in row for row in run.views.values())]
    if names:
        views = tuple((view, *(row.get(n) for n in names)) for view, row in run.views.items())
        tables.append(PageTable(Table(("view", *names), views), folded="view by view"))
    return tables


def _several(study: Study) -> list[PageTable]:
    metrics = [name for name in MAIN_METRICS if study.has(name)]
    variants = study.every_variant
    lines = contrasts(variants, choose_baseline(variants, study.baseline), metrics)
    judged = [name for name in TESTED if name in metrics]
    significances = significance_tables(study.runs, metrics=judged, baseline=study.baseline)
    every = compare(study.runs, study.root, absent=study.absent)
    return [
        PageTable(overview(lines, metrics, study)),
        *(PageTable(table, folded=_fold(table)) for table in significances),
        PageTable(every, folded="every run"),
    ]


def _fold(table: Table) -> str:
    """Return the title of a folded table; "" for a short one."""
    if len(table.rows) <= MAX_OPEN_ROWS:
        return ""
    return f"{table.title}: every difference with its significance ({len(table.rows)} rows)"


def overview(lines: Sequence[Contrast], metrics: Sequence[str], study: Study) -> Table:
    """A row for each variant and scene, a column for each metric; the best means are strong."""
    found = {(group.variant.name, group.scene): group for group in study.groups}
    by_cell = {(c.variant.name, c.scene, c.metric): c for c in lines if c.scene is not None}
    several = len(study.scenes) > 1
    rows: list[tuple[Cell, ...]] = []
    strong = set()
    width = 3 if several else 2
    for (variant, scene), group in found.items():
        cells = [by_cell.get((variant, scene, metric)) for metric in metrics]
        for column, cell in enumerate(cells):
            if cell is not None and _is_best(cell, lines):
                strong.add((len(rows), width + column))
        means = [None if cell is None else mean_of(cell, mixed=False) for cell in cells]
        runs = f"{sum(run.finished for run in group.runs)} of {len(group.runs)}"
        rows.append((group.label, *([scene] if several else []), runs, *means))
    heads = [f"{name} {ARROWS.get(study.better(name), '')}".rstrip() for name in metrics]
    columns = ("variant", *(["scene"] if several else []), "runs", *heads)
    return Table(columns, tuple(rows), strong=frozenset(strong))


def _is_best(cell: Contrast, lines: Sequence[Contrast]) -> bool:
    """Return True if no other variant has a better mean."""
    means = [
        line.summary.mean
        for line in lines
        if (line.metric, line.scene) == (cell.metric, cell.scene)
    ]
    if len(means) < 2 or cell.better not in ("higher", "lower"):
        return False
    return cell.summary.mean == (max if cell.better == "higher" else min)(means)
