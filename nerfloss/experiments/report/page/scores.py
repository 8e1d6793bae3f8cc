"""The part of the page that comes first: what was scored, how sure that is, and what failed."""

from collections.abc import Sequence

from nerfloss.experiments.report.comparison import COST, MAIN_METRICS, compare
from nerfloss.experiments.report.contrasts import Contrast, contrasts
from nerfloss.experiments.report.page.section import Block, LeftOut, Notes, PageTable, Section
from nerfloss.experiments.report.page.study import Study
from nerfloss.experiments.report.report import verdict_tables
from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.experiments.report.truncate import some
from nerfloss.experiments.report.variants import choose_baseline
from nerfloss.experiments.report.variants_table import ARROWS, mean_of

TITLE = "Scores"
LONGEST = 18  # rows of a table that is shown without being asked for
MOST_TROUBLES = 40
JUDGED = ("psnr", "chamfer_l1", "normal_angle")  # what verdicts are shown of


def scores(study: Study) -> Section | LeftOut:
    """Tables of scores; of several arms with differences, intervals and verdicts."""
    trouble = troubles(study)
    blocks: list[Block] = [Notes(trouble, title="Runs without scores")] if trouble else []
    if not any(run.metrics for run in study.runs):
        if not blocks:
            return LeftOut(TITLE, "no run has a metrics.json")
        return Section("scores", TITLE, "No run has a metrics.json.", blocks)
    if len(study.runs) == 1:
        tables = [*single(study.runs[0])]
        reading = "Arrows say which way is better; units and what else a number depends on follow."
    else:
        tables = _several(study)
        reading = (
            "Mean ± standard deviation over seeds. Differences are paired by seed and scene, with "
            "their 95 % confidence interval; one inside the noise is called that."
        )
        if study.left_out:
            reading += f" This page shows {study.left_out}; report.csv and arms.csv have all."
    return Section("scores", TITLE, reading, [*tables, *blocks])


def troubles(study: Study) -> list[str]:
    """A line for each run that has no scores, and for files that could not be read."""
    named = [
        (str(run.folder.relative_to(study.root)) if run.folder != study.root else "this run", run)
        for run in study.runs
    ]
    lines = [f"{name}: {run.status}" for name, run in named if not run.finished]
    lines += [f"{name}: {said}" for name, run in named if run.finished for said in run.damaged]
    lines = some(lines, "like these", MOST_TROUBLES)
    if study.absent:
        lines.append(f"{study.absent} more runs of this sweep never started")
    return lines


def single(run: Run) -> list[PageTable]:
    """Every score of one run, baselines beside them, and the main scores of each view."""
    stated = run.conventions
    beside = dict.fromkeys(c["baseline"] for c in stated.values() if c.get("baseline"))
    rows: dict[str, tuple[Cell, ...]] = {
        name: (
            name,
            value,
            *(run.metrics.get(f"{other}_{name}") for other in beside),
            ARROWS.get(stated.get(name, {}).get("better", ""), ""),
            str(stated.get(name, {}).get("units", "")),
        )
        for name, value in run.metrics.items()
        if not stated.get(name, {}).get("baseline")
    }
    notes = [f"{name}: {reason}" for name, reason in run.reasons.items()]
    missing = tuple(note for note in notes if not note.startswith(tuple(f"{b}_" for b in beside)))
    columns = ("score", "value", *beside, "better", "units")
    main = tuple(rows[name] for name in (*MAIN_METRICS, *COST) if name in rows)
    every = PageTable(Table(columns, tuple(rows.values())), folded="every score")
    tables = [PageTable(Table(columns, main)), every]
    if missing:
        reasons = tuple((name, why) for name, _, why in (n.partition(": ") for n in missing))
        table = Table(("score", "why it has no value, or not one of every view"), reasons)
        tables.append(PageTable(table, folded="scores without a value"))
    names = [name for name in MAIN_METRICS if any(name in row for row in run.views.values())]
    if names:
        views = tuple((view, *(row.get(n) for n in names)) for view, row in run.views.items())
        tables.append(PageTable(Table(("view", *names), views), folded="view by view"))
    return tables


def _several(study: Study) -> list[PageTable]:
    metrics = [name for name in MAIN_METRICS if study.has(name)]
    arms = study.every_arm
    lines = contrasts(arms, choose_baseline(arms, study.baseline), metrics)
    judged = [name for name in JUDGED if name in metrics]
    verdicts = verdict_tables(study.runs, metrics=judged, baseline=study.baseline)
    every = compare(study.runs, study.root, absent=study.absent)
    return [
        PageTable(overview(lines, metrics, study)),
        *(PageTable(table, folded=_fold(table)) for table in verdicts),
        PageTable(every, folded="every run"),
    ]


def _fold(table: Table) -> str:
    """The line to click where a table is too long to be read in passing."""
    if len(table.rows) <= LONGEST:
        return ""
    return f"{table.title}: every difference with its verdict ({len(table.rows)} rows)"


def overview(lines: Sequence[Contrast], metrics: Sequence[str], study: Study) -> Table:
    """A row for each arm and scene, a column for each metric; the best means are strong."""
    found = {(group.arm.name, group.scene): group for group in study.groups}
    by_cell = {(c.arm.name, c.scene, c.metric): c for c in lines if c.scene is not None}
    several = len(study.scenes) > 1
    rows: list[tuple[Cell, ...]] = []
    strong = set()
    width = 3 if several else 2
    for (arm, scene), group in found.items():
        cells = [by_cell.get((arm, scene, metric)) for metric in metrics]
        for column, cell in enumerate(cells):
            if cell is not None and _is_best(cell, lines):
                strong.add((len(rows), width + column))
        means = [None if cell is None else mean_of(cell, mixed=False) for cell in cells]
        runs = f"{sum(run.finished for run in group.runs)} of {len(group.runs)}"
        rows.append((group.label, *([scene] if several else []), runs, *means))
    heads = [f"{name} {ARROWS.get(study.better(name), '')}".rstrip() for name in metrics]
    columns = ("arm", *(["scene"] if several else []), "runs", *heads)
    return Table(columns, tuple(rows), strong=frozenset(strong))


def _is_best(cell: Contrast, lines: Sequence[Contrast]) -> bool:
    """Whether no arm has a better mean; nothing is the best of one."""
    means = [
        line.summary.mean
        for line in lines
        if (line.metric, line.scene) == (cell.metric, cell.scene)
    ]
    if len(means) < 2 or cell.better not in ("higher", "lower"):
        return False
    return cell.summary.mean == (max if cell.better == "higher" else min)(means)
