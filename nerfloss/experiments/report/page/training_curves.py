"""Section on training: the value of each term, and PSNR, over steps."""

from collections.abc import Sequence

from nerfloss.experiments.report.page.line_plot import line_plot, lines_of
from nerfloss.experiments.report.page.section import Figure, Figures, LeftOut, Section
from nerfloss.experiments.report.page.study import Group, Study

TITLE = "Training"
MAX_SCENES = 4
# Columns of history.csv shown in addition to the terms: column, title, axis.
QUALITY = (
    ("train/psnr", "training pixels", "PSNR (dB)"),
    ("test/psnr", "a test view", "PSNR (dB)"),
    ("sharpness", "sharpness of the SDF opacity", "sharpness"),
)


def training_curves(study: Study) -> Section | LeftOut:
    """Return a figure for each term and scene, and for PSNR and sharpness."""
    blocks = []
    for scene in study.scenes[:MAX_SCENES]:
        figures = _figures(study.of_scene(scene), scene)
        if figures:
            blocks.append(Figures(figures, title=scene if len(study.scenes) > 1 else ""))
    if not blocks:
        return LeftOut(TITLE, "no run has a history.csv with steps in it")
    reading = (
        "Unweighted value of each term, averaged over neighboring steps. Line: mean over the seeds "
        "of a variant; band: minimum to maximum."
    )
    return Section("training", TITLE, reading, blocks)


def terms_of(groups: Sequence[Group]) -> list[str]:
    """Return the terms that any run has logged, without their own diagnostics (``a/b``)."""
    names = (name for group in groups for each in group.histories for name in each.names("loss/"))
    return [name for name in dict.fromkeys(names) if "/" not in name and name != "total"]


def _figures(groups: Sequence[Group], scene: str) -> list[Figure]:
    wanted = [(f"loss/{term}", term, "value") for term in terms_of(groups)]
    figures = []
    for column, title, label in [*wanted, *QUALITY]:
        lines = lines_of(groups, column)
        if lines and any(len(line.steps) > 1 for line in lines):
            name = f"training-{scene}-{column.replace('/', '-')}"
            drawn = line_plot(lines, title=f"{title} over training, {scene}", label=label)
            figures.append(Figure(name, title, drawn))
    gap = lines_of(groups, "gap/psnr", "diagnostics")
    if gap:
        title = "gap from training to test views"
        drawn = line_plot(gap, title=title, label="PSNR (dB)", linear=True)
        figures.append(Figure(f"training-{scene}-gap", title, drawn))
    return figures
