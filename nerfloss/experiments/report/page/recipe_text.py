"""Section on the recipe: the composed loss of each variant."""

from collections.abc import Mapping
from typing import Any

from nerfloss.assembly.config_files import as_yaml
from nerfloss.experiments.report.page.section import Block, Code, LeftOut, PageTable, Section
from nerfloss.experiments.report.page.study import Study
from nerfloss.experiments.report.table import Table

TITLE = "Recipe"
MAX_RECIPES = 12


def recipe_text(study: Study) -> Section | LeftOut:
    """Return the distinct losses as YAML, and the whole configuration of one run."""
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
            (variant.name, *(variant.settings.get(key) for key in study.swept))
            for variant in study.variants
        )
        blocks.append(
            PageTable(Table(("variant", *study.swept), rows), folded="settings that differ")
        )
    shown = list(texts.items())[:MAX_RECIPES]
    alone = len(texts) == 1
    blocks += [
        Code(text, "the loss" if alone else f"the loss of {', '.join(names)}", open=alone)
        for text, names in shown
    ]
    whole: Mapping[str, Any] = study.groups[0].shown.config
    blocks.append(Code(as_yaml(whole), "the whole configuration of the first run"))
    left = len(texts) - len(shown)
    reading = "Every term as composed, with its function, weight, schedule and settings." + (
        f" {left} more recipes are not shown." if left else ""
    )
    return Section("recipe", TITLE, reading, blocks)
