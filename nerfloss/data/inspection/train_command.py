"""The command that trains on an inspected scene, with the settings that the findings ask for."""

from collections.abc import Sequence

from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.inspection.inspection import Finding
from nerfloss.data.training_line import WITHOUT_MASKS, training_line


def train_command(
    parsed: ParsedScene,
    findings: Sequence[Finding],
    settings: Sequence[str] = (),
    *,
    masked: bool,
) -> str:
    """Return the command to train with: the settings, and those that the findings ask for.

    A setting among ``settings`` (overrides, as typed) is left as it is. Without object masks
    (``masked``) the command has a model of the background.
    """
    kinds = {finding.kind for finding in findings}
    white = {view for each in findings if each.kind == "masks_white" for view in each.views}
    asked = []
    if "masks_white" in kinds and len(white) == len(parsed.frames):
        asked.append("dataset.masks=false")
        masked = False
    if not masked:
        asked += WITHOUT_MASKS
    if "border_black" in kinds:
        asked.append("dataset.background=black")
    if "missing" in kinds:
        asked.append("dataset.missing=skip")
    stated = {word.partition("=")[0].lstrip("+") for word in settings}
    added = [word for word in asked if word.partition("=")[0] not in stated]
    return training_line(parsed.folder, [*settings, *added])
