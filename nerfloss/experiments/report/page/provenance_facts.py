"""Section on provenance: commit, versions, machine, seeds."""

import shlex
from collections.abc import Mapping
from typing import Any

from nerfloss.experiments.report.page.section import Block, Facts, LeftOut, PageTable, Section
from nerfloss.experiments.report.page.study import Study
from nerfloss.experiments.report.run_files import group
from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.table import Table
from nerfloss.experiments.report.truncate import MAX_ROWS

TITLE = "Provenance"


def provenance_facts(study: Study) -> Section | LeftOut:
    """Return the facts shared by all runs, and a table of those that differ."""
    known = [run for run in study.runs if run.provenance]
    if not known:
        return LeftOut(TITLE, "no run has a provenance.json")
    facts = [facts_of(run) for run in known]
    names = list(dict.fromkeys(name for each in facts for name in each))
    shared = [name for name in names if len({each.get(name) for each in facts}) == 1]
    blocks: list[Block] = [Facts([(name, facts[0][name]) for name in shared])]
    own = [name for name in names if name not in shared]
    if len(known) > 1 and own:
        rows = tuple(
            (_name(run, study), *(each.get(name) for name in own))
            for run, each in zip(known[:MAX_ROWS], facts, strict=False)
        )
        blocks.append(PageTable(Table(("run", *own), rows), folded=_fold(len(known))))
    without = len(study.runs) - len(known)
    reading = "Facts shared by all runs."
    reading += f" {without} runs have no provenance.json." if without else ""
    if len(known) == 1:
        reading = "Configuration, code and machine of this run."
    return Section("provenance", TITLE, reading, blocks)


def _fold(count: int) -> str:
    return "run by run" if count <= MAX_ROWS else f"the first {MAX_ROWS} of {count} runs"


def facts_of(run: Run) -> dict[str, str]:
    """Return the known facts of provenance.json by display name."""
    content = run.provenance
    versions = group(content, "versions")
    host = group(content, "host")
    facts = {
        "command": content.get("command"),
        "git commit": _commit(group(content, "git")),
        "config hash": content.get("config_hash"),
        "seed": content.get("seed"),
        "device": content.get("device"),
        "versions": ", ".join(f"{name} {v}" for name, v in versions.items() if v) or None,
        "machine": ", ".join(f"{value} {name}" for name, value in host.items() if name != "system"),
        "system": host.get("system"),
        "started": content.get("started"),
        "ended": content.get("ended"),
        "interventions": _interventions(content.get("interventions")),
        "changed": _changed(content.get("changed")),
    }
    return {name: _text(value) for name, value in facts.items() if value not in (None, "")}


def _interventions(made: Any) -> str | None:
    """Return the weights that a person changed during training; the settings do not tell them."""
    if not isinstance(made, list) or not made:
        return None
    entries = [each for each in made if isinstance(each, Mapping)]
    changes = (
        f"after step {each.get('step')}: {each.get('term')} from {each.get('old')} to "
        f"{each.get('new')}"
        for each in entries
    )
    return "weights changed by hand " + ", ".join(changes)


def _changed(made: Any) -> str | None:
    """Return the settings with which a run was resumed and that it did not begin with."""
    entries = [each for each in made if isinstance(each, Mapping)] if isinstance(made, list) else []
    settings = [(each.get("step"), group(each, "settings")) for each in entries]
    changes = [
        f"from step {step} on {key} from {' to '.join(map(str, values))}"
        for step, found in settings
        for key, values in found.items()
        if isinstance(values, list)
    ]
    return f"resumed with other settings: {', '.join(changes)}" if changes else None


def _commit(git: Mapping[str, Any]) -> str | None:
    if "commit" not in git:
        return None
    return f"{git['commit']}{', with uncommitted changes' if git.get('dirty') else ''}"


def _text(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)


def _name(run: Run, study: Study) -> str:
    inside = run.folder.is_relative_to(study.root) and run.folder != study.root
    return str(run.folder.relative_to(study.root)) if inside else run.folder.name
