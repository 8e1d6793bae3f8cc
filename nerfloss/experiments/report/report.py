"""Tables of ``nerfloss report``: the runs of a folder, then variants or an ablation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nerfloss.experiments.report.ablation_table import ablation_lines, ablation_table, is_ablation
from nerfloss.experiments.report.comparison import COST, compare, scored
from nerfloss.experiments.report.contrasts import contrasts
from nerfloss.experiments.report.latex import as_latex
from nerfloss.experiments.report.missing_runs import count_missing_runs
from nerfloss.experiments.report.run_folders import find_run_folders
from nerfloss.experiments.report.runs import Run, begun, read_runs, refused_notes
from nerfloss.experiments.report.table import Table, as_csv, as_markdown
from nerfloss.experiments.report.truncate import truncated_tables
from nerfloss.experiments.report.variants import Variant, choose_baseline, is_repeated, variants_of
from nerfloss.experiments.report.variants_table import variants_table

FORMATS: Mapping[str, Callable[[Table], str]] = {
    "markdown": as_markdown,
    "csv": as_csv,
    "latex": as_latex,
}
ONE_SEED = "one seed each: no test of the differences is possible; repeat with -m seeds=[0,1,2]"


def report(
    folder: Path,
    *,
    metrics: Sequence[str] = (),
    baseline: str | None = None,
    every: bool = False,
) -> list[Table]:
    """Return the table of the runs in ``folder``, then those of variants or an ablation, if any.

    Commands that were refused before training are counted in a note; with ``every`` they are rows.

    In a sweep's folder also write report.md, report.csv and, if there are variants, variants.csv.
    Raises FileNotFoundError if there are no runs, ValueError for an unknown metric or baseline.
    """
    found = find_run_folders(folder)
    read = read_runs(found)
    runs = read if every else begun(read)
    table = compare(runs, folder, metrics=metrics, absent=count_missing_runs(found))
    table = replace(table, notes=(*table.notes, *refused_notes(read, runs)))
    more = significance_tables(runs, metrics=metrics, baseline=baseline)
    if not more and sum(run.finished for run in runs) > 1:
        table = replace(table, notes=(*table.notes, ONE_SEED))
    if (folder / "multirun.yaml").is_file():
        (folder / "report.md").write_text(
            "\n".join(map(as_markdown, truncated_tables([table, *more])))
        )
        (folder / "report.csv").write_text(as_csv(table))
        if more:
            (folder / "variants.csv").write_text(as_csv(joined(more)))
    return [table, *more]


def selected(tables: Sequence[Table], only: str | None) -> list[Table]:
    """Return the tables of "runs", of "variants" (including ablations), or all of them.

    Raises ValueError for variants if there are none.
    """
    first, *rest = tables
    if only == "runs":
        return [first]
    if only == "variants" and not rest:
        raise ValueError(f"there is no table of variants: {ONE_SEED}, or name a --baseline")
    return rest if only == "variants" else list(tables)


def joined(tables: Sequence[Table]) -> Table:
    """Return tables of equal columns as one, each row with the title of its table."""
    wide = [table.wide or table for table in tables]
    rows = [(t.title, *row) for t, w in zip(tables, wide, strict=True) for row in w.rows]
    return Table(("table", *wide[0].columns), tuple(rows))


def significance_tables(
    runs: Sequence[Run], *, metrics: Sequence[str] = (), baseline: str | None = None
) -> list[Table]:
    """Return the table of variants against the ``baseline``, or those of ablations.

    Empty if no variant was run with several seeds and no baseline is given.
    """
    names = [name for name in metrics or scored(runs) if name not in COST]
    variants = variants_of(runs)
    if baseline is None and is_ablation(variants):
        return [
            replace(ablation_table(ablation_lines(family, names)), title=title)
            for title, family in families(variants).items()
            if is_ablation(family)
        ]
    chosen = choose_baseline(variants, baseline)
    if baseline is None and not any(map(is_repeated, variants)):
        return []
    ordered = [chosen, *(variant for variant in variants if variant is not chosen)]
    return [variants_table(contrasts(ordered, chosen, names), chosen)]


def families(variants: Sequence[Variant]) -> dict[str, list[Variant]]:
    """Return variants grouped by the settings swept in addition to the ablation, by title."""
    families: dict[str, list[Variant]] = {}
    for variant in variants:
        others = [f"{key}={value}" for key, value in variant.settings.items() if key != "ablate"]
        families.setdefault(", ".join(["Ablation", *others]), []).append(variant)
    return families
