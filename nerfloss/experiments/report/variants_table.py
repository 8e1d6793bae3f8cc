"""Table of variants: means with intervals, differences from the baseline, significance."""

from collections.abc import Sequence

from nerfloss.experiments.report.contrasts import Contrast, disagreements
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.experiments.report.truncate import MAX_ROWS, best_of, truncated
from nerfloss.experiments.report.variants import Variant
from nerfloss.experiments.report.view_spread import OVER_SEEDS
from nerfloss.experiments.statistics.seed_counts import min_pairs_for_sign_flips
from nerfloss.experiments.statistics.summary import format_interval

ARROWS = {"higher": "↑", "lower": "↓"}
WIDE = (
    *("score", "better", "variant", "scene", "runs", "mean", "std", "low", "high"),
    *("pairs", "difference", "difference_low", "difference_high"),
    *("p_paired_t", "p_sign_flips", "p_corrected", "test", "significance", "reason"),
)


def variants_table(lines: Sequence[Contrast], baseline: Variant) -> Table:
    """Return one row for each score, variant and scene.

    Of more than 200 rows the baseline and the best variants are shown; ``wide`` has all.
    """
    shown, omitted = _truncated(lines, baseline)
    scenes = {line.scene for line in lines}
    several = len(scenes) > 1
    heads = ("score", "variant", *(("scene",) if several else ()), "runs", "mean ± std")
    rows = tuple(
        (
            score_of(line),
            line.variant.name,
            *((scene_of(line),) if several else ()),
            line.summary.n,
            mean_of(line, mixed=several and line.scene is None),
            *significance_cells(line),
        )
        for line in shown
    )
    return Table(
        (*heads, "95 % interval of the mean", "difference", "95 % interval", "significance"),
        rows,
        title=f"Against {baseline.name}",
        notes=(*omitted, *how_to_read(lines), *truncated(disagreements(shown), "cases")),
        wide=Table(WIDE, tuple(wide_row(line) for line in lines)),
        keys=3 if several else 2,
    )


def _truncated(
    lines: Sequence[Contrast], baseline: Variant
) -> tuple[Sequence[Contrast], list[str]]:
    """Return the displayed lines, and a note on the others."""
    if len(lines) <= MAX_ROWS:
        return lines, []
    variants = {line.variant.name for line in lines}
    metric = lines[0].metric
    whole = [line for line in lines if line.metric == metric and line.scene is None]
    ranked = whole or [line for line in lines if line.metric == metric]
    means = {
        line.variant.name: line.summary.mean for line in ranked if line.variant is not baseline
    }
    most = max(5, MAX_ROWS * len(variants) // len(lines))
    kept = {baseline.name, *best_of(means, ranked[0].better, most)}
    note = (
        f"{len(kept)} of {len(variants)} variants are shown: the baseline and the best by "
        f"{metric}; variants.csv, or --only variants -f csv, has all"
    )
    return [line for line in lines if line.variant.name in kept], [note]


def score_of(line: Contrast) -> str:
    """Return the metric's name with an arrow in the better direction."""
    return f"{line.metric} {ARROWS.get(line.better, '')}".rstrip()


def scene_of(line: Contrast) -> str:
    """Return the scene, or "all"."""
    return "all" if line.scene is None else line.scene


def mean_of(line: Contrast, *, mixed: bool) -> Cell:
    """Return mean ± standard deviation; the mean alone over mixed scenes."""
    if mixed or line.summary.std is None:
        return f"{line.summary.mean:.5g}"
    return f"{line.summary.mean:.5g} ± {line.summary.std:.2g}"


def signed(difference: float) -> str:
    """Return a difference with its sign; 0 has none."""
    return f"{difference:+.3g}" if difference else "0"


def significance_cells(line: Contrast) -> tuple[Cell, Cell, Cell, Cell]:
    """Return interval of the mean, difference, its interval, significance."""
    own = line.summary.interval if line.scene is not None else None
    pair = line.pair
    return (
        " to ".join(format_interval(own)) if own else None,
        None if pair is None or pair.mean is None else signed(pair.mean),
        " to ".join(format_interval(pair.interval)) if pair and pair.interval else None,
        line.significance.label if line.significance else None,
    )


def how_to_read(lines: Sequence[Contrast]) -> list[str]:
    """Return notes on the tests: their assumptions, limits and corrections."""
    found = [(line.significance, line.pair) for line in lines if line.significance and line.pair]
    # What the spread is over, where there is one.
    notes = [OVER_SEEDS] if any(line.summary.std is not None for line in lines) else []
    for test in ("paired t", "sign flips"):
        pairs = [pair.n for significance, pair in found if significance.test == test]
        if pairs:
            number = f"{min(pairs)}" + (f" to {max(pairs)}" if max(pairs) > min(pairs) else "")
            notes.append(f"significance by {test} over {number} pairs of equal seed{_why(test)}")
    variants = max((significance.comparisons for significance, _ in found), default=1)
    if variants > 1:
        notes.append(
            f"p values are corrected (Holm) for {variants} variants within a score, not for "
            f"several scores; intervals are not corrected and may exclude 0 without significance"
        )
    if any(significance.label == "not significant" for significance, _ in found):
        notes.append(
            "not significant: these runs show no difference; the interval bounds the differences "
            "that are still possible"
        )
    few = [pair.n for significance, pair in found if significance.test is None]
    if few:
        notes.append(
            f"too few runs: {max(few)} pair{'s' * (max(few) != 1)} at most; use at least 3 "
            f"seeds, as in seeds=[0,1,2], better {min_pairs_for_sign_flips()}"
        )
    return notes


def wide_row(line: Contrast) -> tuple[Cell, ...]:
    """Return the row of the CSV table, with the columns `WIDE`."""
    own, pair, significance = line.summary.interval, line.pair, line.significance
    between = pair.interval if pair else None
    head = (line.metric, line.better, line.variant.name, line.scene or "all", line.summary.n)
    mean = (line.summary.mean, line.summary.std, *(own[:2] if own else (None, None)))
    difference = (pair.n, pair.mean) if pair else (None, None)
    tests = (pair.p_t, pair.p_flip) if pair else (None, None)
    tested = (
        (significance.p, significance.test, significance.label, significance.reason)
        if significance
        else (None,) * 4
    )
    return (*head, *mean, *difference, *(between[:2] if between else (None, None)), *tests, *tested)


def _why(test: str) -> str:
    if test == "sign flips":
        return " (no assumption about the distribution)"
    return (
        f" (assumes normal differences; the sign-flip test assumes less but cannot reach "
        f"p < 0.05 below {min_pairs_for_sign_flips()} pairs, more with several variants)"
    )
