"""What ``nerfloss report`` says of the runs of a folder, as tables: runs, arms or an ablation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nerfloss.experiments.report.ablation_table import ablation_lines, ablation_table, is_ablation
from nerfloss.experiments.report.comparison import COST, compare, scored
from nerfloss.experiments.report.contrasts import contrasts
from nerfloss.experiments.report.latex import as_latex
from nerfloss.experiments.report.missing_runs import never_started
from nerfloss.experiments.report.run_discovery import walk
from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.table import Table, as_csv, as_markdown
from nerfloss.experiments.report.table_cache import answered
from nerfloss.experiments.report.truncate import readable
from nerfloss.experiments.report.variants import Variant, arms_of, choose_baseline, is_repeated
from nerfloss.experiments.report.variants_table import arms_table

FORMATS: Mapping[str, Callable[[Table], str]] = {
    "markdown": as_markdown,
    "csv": as_csv,
    "latex": as_latex,
}
ONE_SEED = (
    "one seed each: nobody can say which differences are real; repeat with seeds=[0,1,2] and -m"
)


def report(
    folder: Path, *, metrics: Sequence[str] = (), baseline: str | None = None
) -> list[Table]:
    """Compare the runs in ``folder``: a table of runs, then one of arms or of an ablation, if any.

    Of a sweep, report.md, report.csv and, where there are arms, arms.csv are written there too.
    Raises FileNotFoundError where there are no runs, ValueError for a metric that none has and a
    ``baseline`` that is no arm.
    """
    tree = walk(folder)

    def make(runs: list[Run]) -> list[Table]:
        table = compare(runs, folder, metrics=metrics, absent=never_started(tree))
        more = verdict_tables(runs, metrics=metrics, baseline=baseline)
        if not more and sum(run.finished for run in runs) > 1:
            table = replace(table, notes=(*table.notes, ONE_SEED))
        return [table, *more]

    table, *more = answered([tree], ["report", metrics, baseline], make)
    if (folder / "multirun.yaml").is_file():
        (folder / "report.md").write_text("\n".join(map(as_markdown, readable([table, *more]))))
        (folder / "report.csv").write_text(as_csv(table))
        if more:
            (folder / "arms.csv").write_text(as_csv(joined(more)))
    return [table, *more]


def selected(tables: Sequence[Table], only: str | None) -> list[Table]:
    """The tables that are asked for: "runs", "arms" (one table, of an ablation too), or all.

    Raises ValueError for arms where there are none.
    """
    first, *rest = tables
    if only == "runs":
        return [first]
    if only == "arms" and not rest:
        raise ValueError(f"there is no table of arms: {ONE_SEED}, or name a --baseline")
    return rest if only == "arms" else list(tables)


def joined(tables: Sequence[Table]) -> Table:
    """Tables of equal columns as one for machines, each row with its table's title."""
    wide = [table.wide or table for table in tables]
    rows = [(t.title, *row) for t, w in zip(tables, wide, strict=True) for row in w.rows]
    return Table(("table", *wide[0].columns), tuple(rows))


def verdict_tables(
    runs: Sequence[Run], *, metrics: Sequence[str] = (), baseline: str | None = None
) -> list[Table]:
    """The table of arms against the ``baseline``, or those of an ablation.

    None where no arm was run with several seeds and no baseline is asked for.
    """
    names = [name for name in metrics or scored(runs) if name not in COST]
    arms = arms_of(runs)
    if baseline is None and is_ablation(arms):
        return [
            replace(ablation_table(ablation_lines(family, names)), title=title)
            for title, family in families(arms).items()
            if is_ablation(family)
        ]
    chosen = choose_baseline(arms, baseline)
    if baseline is None and not any(map(is_repeated, arms)):
        return []
    ordered = [chosen, *(arm for arm in arms if arm is not chosen)]
    return [arms_table(contrasts(ordered, chosen, names), chosen)]


def families(arms: Sequence[Variant]) -> dict[str, list[Variant]]:
    """Arms by what else was swept beside the ablation, titled by it."""
    families: dict[str, list[Variant]] = {}
    for arm in arms:
        others = [f"{key}={value}" for key, value in arm.settings.items() if key != "ablate"]
        families.setdefault(", ".join(["Ablation", *others]), []).append(arm)
    return families
