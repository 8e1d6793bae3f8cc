"""The table of arms: their means with intervals, and whether they differ from the baseline."""

from collections.abc import Sequence

from nerfloss.experiments.report.contrasts import Contrast, by_scene
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.experiments.report.truncate import MOST_ROWS, best_of, some
from nerfloss.experiments.report.variants import Variant
from nerfloss.experiments.statistics.seed_counts import fewest_for_sign_flips
from nerfloss.experiments.statistics.summary import ends

ARROWS = {"higher": "↑", "lower": "↓"}
WIDE = (
    *("score", "better", "arm", "scene", "runs", "mean", "std", "low", "high"),
    *("pairs", "difference", "difference_low", "difference_high"),
    *("p_paired_t", "p_sign_flips", "p_corrected", "test", "verdict", "reason"),
)


def arms_table(lines: Sequence[Contrast], baseline: Variant) -> Table:
    """One row for each score, arm and scene; scenes are named where there are several.

    Of more than 200 rows those of the baseline and of the best arms are shown; ``wide`` has all.
    """
    shown, left_out = _readable(lines, baseline)
    scenes = {line.scene for line in lines}
    several = len(scenes) > 1
    heads = ("score", "arm", *(("scene",) if several else ()), "runs", "mean ± std")
    rows = tuple(
        (
            score_of(line),
            line.arm.name,
            *((place_of(line),) if several else ()),
            line.summary.n,
            mean_of(line, mixed=several and line.scene is None),
            *told(line),
        )
        for line in shown
    )
    return Table(
        (*heads, "95 % of the mean", "difference", "95 % of it", "verdict"),
        rows,
        title=f"Against {baseline.name}",
        notes=(*left_out, *how_to_read(lines), *some(by_scene(shown), "cases")),
        wide=Table(WIDE, tuple(wide_row(line) for line in lines)),
    )


def _readable(lines: Sequence[Contrast], baseline: Variant) -> tuple[Sequence[Contrast], list[str]]:
    """The lines that a person is shown, and what is said of the others."""
    if len(lines) <= MOST_ROWS:
        return lines, []
    arms = {line.arm.name for line in lines}
    metric = lines[0].metric
    whole = [line for line in lines if line.metric == metric and line.scene is None]
    ranked = whole or [line for line in lines if line.metric == metric]
    means = {line.arm.name: line.summary.mean for line in ranked if line.arm is not baseline}
    most = max(5, MOST_ROWS * len(arms) // len(lines))
    kept = {baseline.name, *best_of(means, ranked[0].better, most)}
    note = (
        f"{len(kept)} of {len(arms)} arms are shown: the baseline, and the best by {metric}; "
        f"arms.csv, or --only arms -f csv, has all"
    )
    return [line for line in lines if line.arm.name in kept], [note]


def score_of(line: Contrast) -> str:
    """The score's name with an arrow in the better direction."""
    return f"{line.metric} {ARROWS.get(line.better, '')}".rstrip()


def place_of(line: Contrast) -> str:
    """The scene, or that all are meant."""
    return "all" if line.scene is None else line.scene


def mean_of(line: Contrast, *, mixed: bool) -> Cell:
    """Mean and deviation; no deviation where it would be that of the scenes."""
    if mixed or line.summary.std is None:
        return f"{line.summary.mean:.5g}"
    return f"{line.summary.mean:.5g} ± {line.summary.std:.2g}"


def signed(difference: float) -> str:
    """A difference with its sign; 0 has none."""
    return f"{difference:+.3g}" if difference else "0"


def told(line: Contrast) -> tuple[Cell, Cell, Cell, Cell]:
    """Interval of the mean, difference, its interval, verdict."""
    own = line.summary.interval if line.scene is not None else None
    pair = line.pair
    return (
        " to ".join(ends(own)) if own else None,
        None if pair is None or pair.mean is None else signed(pair.mean),
        " to ".join(ends(pair.interval)) if pair and pair.interval else None,
        line.verdict.word if line.verdict else None,
    )


def how_to_read(lines: Sequence[Contrast]) -> list[str]:
    """What the verdicts rest on: the test, its limits, and what it was corrected for."""
    found = [(line.verdict, line.pair) for line in lines if line.verdict and line.pair]
    notes = []
    for test in ("paired t", "sign flips"):
        pairs = [pair.n for verdict, pair in found if verdict.test == test]
        if pairs:
            number = f"{min(pairs)}" + (f" to {max(pairs)}" if max(pairs) > min(pairs) else "")
            notes.append(f"verdicts by {test} over {number} pairs of equal seed{_why(test)}")
    arms = max((verdict.arms for verdict, _ in found), default=1)
    if arms > 1:
        notes.append(
            f"p values are corrected (Holm) for {arms} arms within a score, not for there being "
            f"several scores; intervals are not, so one may leave out 0 and the verdict be noise"
        )
    if any(verdict.word == "inside the noise" for verdict, _ in found):
        notes.append(
            "inside the noise: these runs show no difference; the interval says how large one "
            "could still be"
        )
    few = [pair.n for verdict, pair in found if verdict.test is None]
    if few:
        notes.append(
            f"too few runs to say: {max(few)} pair{'s' * (max(few) != 1)} at most; take at least 3 "
            f"seeds, as in seeds=[0,1,2], better {fewest_for_sign_flips()}"
        )
    return notes


def wide_row(line: Contrast) -> tuple[Cell, ...]:
    """The row for machines, as `WIDE` names its columns."""
    own, pair, verdict = line.summary.interval, line.pair, line.verdict
    between = pair.interval if pair else None
    head = (line.metric, line.better, line.arm.name, line.scene or "all", line.summary.n)
    mean = (line.summary.mean, line.summary.std, *(own[:2] if own else (None, None)))
    difference = (pair.n, pair.mean) if pair else (None, None)
    tests = (pair.p_t, pair.p_flip) if pair else (None, None)
    said = (verdict.p, verdict.test, verdict.word, verdict.reason) if verdict else (None,) * 4
    return (*head, *mean, *difference, *(between[:2] if between else (None, None)), *tests, *said)


def _why(test: str) -> str:
    if test == "sign flips":
        return " (nothing assumed of their distribution)"
    return (
        f" (takes differences to be normal; sign flips, which assume nothing, cannot reach "
        f"p < 0.05 below {fewest_for_sign_flips()} pairs, more with several arms)"
    )
