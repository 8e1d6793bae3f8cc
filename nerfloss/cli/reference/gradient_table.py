"""What a gradient check found, for people to read."""

from collections.abc import Mapping

from nerfloss.diagnostics.gradient_check import FROZEN, TOLERANCE, CheckedTerm, Trial
from nerfloss.experiments.report.table import Table


def gradient_table(found: Mapping[str, CheckedTerm]) -> Table:
    """A row for each term: both errors, and what they mean."""
    rows = tuple(
        (name, _said(term.on_quantities), _said(term.through_field), _verdict(term))
        for name, term in found.items()
    )
    notes = [
        "errors: the largest difference between autograd and central differences, relative to the "
        f"larger of the two, in double precision; up to {TOLERANCE:g} is right"
    ]
    trials = [t for term in found.values() for t in (term.on_quantities, term.through_field)]
    if any(trial.note == FROZEN for trial in trials):
        notes.append(
            f"{FROZEN}: right as long as what the code detaches stays as it is, which is what a "
            "stop-gradient asks for; see that the stop is meant"
        )
    notes += [
        f"{name}: approximate by design, {term.approximate}"
        for name, term in found.items()
        if term.approximate
    ]
    if any(term.draws for term in found.values()):
        notes.append("draws: the same random numbers are drawn at every evaluation")
    return Table(
        ("term", "on quantities", "through the field", "verdict"),
        rows,
        "gradients against finite differences",
        tuple(notes),
    )


def _said(trial: Trial) -> str:
    if trial.error is None:
        return trial.note
    return f"{trial.error:.1e}" + (f" ({trial.note})" if trial.note else "")


def _verdict(term: CheckedTerm) -> str:
    if term.wrong:
        return "WRONG"
    trials = (term.on_quantities, term.through_field)
    if all(trial.error is None for trial in trials):
        return "not checked"
    said = [FROZEN] if any(trial.note == FROZEN for trial in trials) else []
    said += ["draws"] if term.draws else []
    return ("approximate" if term.approximate else "right") + (
        f" ({', '.join(said)})" if said else ""
    )
