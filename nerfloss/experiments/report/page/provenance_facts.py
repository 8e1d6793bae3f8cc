"""The part of the page that says where the numbers come from: commit, versions, machine, seeds."""

import shlex
from collections.abc import Mapping
from typing import Any

from nerfloss.experiments.report.page.section import Block, Facts, LeftOut, PageTable, Section
from nerfloss.experiments.report.page.study import Study
from nerfloss.experiments.report.run_files import group
from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.table import Table
from nerfloss.experiments.report.truncate import MOST_ROWS

TITLE = "Provenance"


def provenance_facts(study: Study) -> Section | LeftOut:
    """What all runs have in common, and a line for each run with what they have not."""
    known = [run for run in study.runs if run.provenance]
    if not known:
        return LeftOut(TITLE, "no run has a provenance.json")
    told = [facts_of(run) for run in known]
    names = list(dict.fromkeys(name for facts in told for name in facts))
    shared = [name for name in names if len({facts.get(name) for facts in told}) == 1]
    blocks: list[Block] = [Facts([(name, told[0][name]) for name in shared])]
    own = [name for name in names if name not in shared]
    if len(known) > 1 and own:
        rows = tuple(
            (_name(run, study), *(facts.get(name) for name in own))
            for run, facts in zip(known[:MOST_ROWS], told, strict=False)
        )
        blocks.append(PageTable(Table(("run", *own), rows), folded=_fold(len(known))))
    without = len(study.runs) - len(known)
    reading = "What the runs share." + (f" {without} runs say nothing of it." if without else "")
    if len(known) == 1:
        reading = "What decides the numbers, and what they were computed on."
    return Section("provenance", TITLE, reading, blocks)


def _fold(count: int) -> str:
    return "run by run" if count <= MOST_ROWS else f"the first {MOST_ROWS} of {count} runs"


def facts_of(run: Run) -> dict[str, str]:
    """What provenance.json says, by names for a reader; what it does not say is left out."""
    said = run.provenance
    versions = group(said, "versions")
    host = group(said, "host")
    facts = {
        "command": said.get("command"),
        "git commit": _commit(group(said, "git")),
        "config hash": said.get("config_hash"),
        "seed": said.get("seed"),
        "device": said.get("device"),
        "versions": ", ".join(f"{name} {v}" for name, v in versions.items() if v) or None,
        "machine": ", ".join(f"{value} {name}" for name, value in host.items() if name != "system"),
        "system": host.get("system"),
        "started": said.get("started"),
        "ended": said.get("ended"),
    }
    return {name: _text(value) for name, value in facts.items() if value not in (None, "")}


def _commit(git: Mapping[str, Any]) -> str | None:
    if "commit" not in git:
        return None
    return f"{git['commit']}{', with changes of its own' if git.get('dirty') else ''}"


def _text(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)


def _name(run: Run, study: Study) -> str:
    inside = run.folder.is_relative_to(study.root) and run.folder != study.root
    return str(run.folder.relative_to(study.root)) if inside else run.folder.name
