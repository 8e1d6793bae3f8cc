"""The result of a gradient check as a table."""

from collections.abc import Mapping

from nerfloss.diagnostics.gradient_check import FROZEN, TOLERANCE, CheckedTerm, Trial
from nerfloss.experiments.report.table import Table


def gradient_table(found: Mapping[str, CheckedTerm]) -> Table:
    """Return a row for each term: both errors, and the result."""
    rows = tuple(
        (name, _error_of(term.on_quantities), _error_of(term.through_field), _result(term))
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
            "stop-gradient asks for; check that the stop is intended"
        )
    notes += [
        f"{name}: approximate by design, {term.approximate}"
        for name, term in found.items()
        if term.approximate
    ]
    if any(term.draws for term in found.values()):
        notes.append("draws: the same random numbers are drawn at every evaluation")
    return Table(
        ("term", "on quantities", "through the field", "result"),
        rows,
        "gradients against finite differences",
        tuple(notes),
    )


def _error_of(trial: Trial) -> str:
    if trial.error is None:
        return trial.note
    return f"{trial.error:.1e}" + (f" ({trial.note})" if trial.note else "")


def _result(term: CheckedTerm) -> str:
    if term.wrong:
        return "WRONG"
    trials = (term.on_quantities, term.through_field)
    if all(trial.error is None for trial in trials):
        return "not checked"
    remarks = [FROZEN] if any(trial.note == FROZEN for trial in trials) else []
    remarks += ["draws"] if term.draws else []
    return ("approximate" if term.approximate else "right") + (
        f" ({', '.join(remarks)})" if remarks else ""
    )
