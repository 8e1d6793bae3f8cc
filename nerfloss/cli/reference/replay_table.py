"""The result of a replay as a table and a sentence."""

from nerfloss.diagnostics.replay import Replay
from nerfloss.experiments.report.table import Table
from nerfloss.training.failure_snapshot import Failure


def replay_table(failure: Failure, found: Replay) -> Table:
    """Return a row for each active term, with notes on gradients and parameters."""
    rows = tuple(
        (
            name,
            term.value,
            term.weight,
            term.gradient,
            "; ".join(f"'{quantity}' {fault}" for quantity, fault in term.faults.items()),
        )
        for name, term in found.terms.items()
    )
    notes = []
    if found.behind:
        # The last one is nearest to the terms; gradients before it follow from it.
        name = list(found.behind)[-1]
        notes.append(
            f"the first non-finite gradient in the backward pass is that of '{name}': "
            f"{found.behind[name]}"
        )
    if found.groups:
        notes.append(f"parameters whose gradient is not finite: {', '.join(found.groups)}")
    columns = ("term", "value", "weight", "gradient", "not finite")
    return Table(columns, rows, f"step {failure.step}, {len(failure.rays)} rays", tuple(notes))


def changed_weights(failure: Failure) -> list[str]:
    """Return a line for each weight that is not the configured one."""
    return [
        f"weight of {each['term']}: {each['new']:g} since an intervention after step "
        f"{each['step']}, as the failed step had it"
        for each in failure.interventions
    ]


def outcome(found: Replay) -> tuple[str, bool]:
    """Return a sentence about a replay, and whether the step failed as it did before."""
    then = f"then: {found.expected}"
    if found.fault is None:
        return (
            f"{then}\nnot reproduced: every value and gradient of this step is finite here. The "
            f"code or the device may have changed since, or a term keeps a state of its own in its "
            f"forward pass",
            False,
        )
    if not found.fault.matches(found.expected):
        return f"{then}\nnot reproduced: the step fails here in another way: {found.fault}", False
    return f"reproduced: {found.fault}", True
