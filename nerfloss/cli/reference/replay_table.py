"""What a replay found, for people to read."""

from nerfloss.diagnostics.replay import Replay
from nerfloss.experiments.report.table import Table
from nerfloss.training.failure_snapshot import Failure


def replay_table(failure: Failure, found: Replay) -> Table:
    """A row for each term that acted, and remarks on what lies behind them."""
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
        # Made last is nearest to the terms: further back everything is spoiled by it.
        name = list(found.behind)[-1]
        notes.append(
            f"going back, the first gradient to break is that of '{name}': {found.behind[name]}"
        )
    if found.groups:
        notes.append(f"parameters whose gradient is not finite: {', '.join(found.groups)}")
    columns = ("term", "value", "weight", "gradient", "not finite")
    return Table(columns, rows, f"step {failure.step}, {len(failure.rays)} rays", tuple(notes))


def verdict(found: Replay) -> tuple[str, bool]:
    """What is to be said of a replay, and whether the step failed as it did before."""
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
