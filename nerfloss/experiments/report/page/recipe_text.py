"""The part of the page that says what was trained: the whole recipe, and what differs."""

from collections.abc import Mapping
from typing import Any

from nerfloss.assembly.config_files import as_yaml
from nerfloss.experiments.report.page.section import Block, Code, LeftOut, PageTable, Section
from nerfloss.experiments.report.page.study import Study
from nerfloss.experiments.report.table import Table

TITLE = "Recipe"
MOST_RECIPES = 12


def recipe_text(study: Study) -> Section | LeftOut:
    """The composed YAML of each arm's loss, the same one once; and one whole configuration."""
    texts: dict[str, list[str]] = {}
    for group in study.groups:
        loss = group.shown.config.get("loss")
        if isinstance(loss, Mapping):
            names = texts.setdefault(as_yaml(loss), [])
            if group.label not in names:
                names.append(group.label)
    if not texts:
        return LeftOut(TITLE, "no run has a .hydra/config.yaml with a loss in it")
    blocks: list[Block] = []
    if study.swept:
        rows = tuple(
            (arm.name, *(arm.settings.get(key) for key in study.swept)) for arm in study.arms
        )
        blocks.append(PageTable(Table(("arm", *study.swept), rows), folded="what differs"))
    shown = list(texts.items())[:MOST_RECIPES]
    alone = len(texts) == 1
    blocks += [
        Code(text, "the loss" if alone else f"the loss of {', '.join(names)}", open=alone)
        for text, names in shown
    ]
    whole: Mapping[str, Any] = study.groups[0].shown.config
    blocks.append(Code(as_yaml(whole), "the whole configuration of the first run"))
    left = len(texts) - len(shown)
    reading = "As composed: every term with its function, weight, schedule and settings." + (
        f" {left} more recipes are not shown." if left else ""
    )
    return Section("recipe", TITLE, reading, blocks)
