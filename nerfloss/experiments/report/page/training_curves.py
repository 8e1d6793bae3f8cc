"""The part of the page on training: what each term came to, and how well views were learned."""

from collections.abc import Sequence

from nerfloss.experiments.report.page.line_plot import line_plot, lines_of
from nerfloss.experiments.report.page.section import Figure, Figures, LeftOut, Section
from nerfloss.experiments.report.page.study import Group, Study

TITLE = "Training"
MOST_SCENES = 4
# What is shown of a history besides its terms: column, title, axis.
QUALITY = (
    ("train/psnr", "training pixels", "PSNR (dB)"),
    ("test/psnr", "a test view", "PSNR (dB)"),
    ("sharpness", "sharpness of the surface", "sharpness"),
)


def training_curves(study: Study) -> Section | LeftOut:
    """A figure for each term and scene, and for what else tells how training went."""
    blocks = []
    for scene in study.scenes[:MOST_SCENES]:
        figures = _figures(study.of_scene(scene), scene)
        if figures:
            blocks.append(Figures(figures, title=scene if len(study.scenes) > 1 else ""))
    if not blocks:
        return LeftOut(TITLE, "no run has a history.csv with steps in it")
    reading = (
        "The value of each term before its weight, averaged over neighbouring steps. A line is the "
        "mean over an arm's seeds, the band from the lowest to the highest of them."
    )
    return Section("training", TITLE, reading, blocks)


def terms_of(groups: Sequence[Group]) -> list[str]:
    """The terms that any run has logged; what a term reports of its own (``a/b``) is not one."""
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
