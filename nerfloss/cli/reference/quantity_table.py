"""What ``nerfloss quantities`` says: every name that a loss or a metric may ask for."""

from nerfloss.experiments.report.table import Table
from nerfloss.quantities.vocabulary import VOCABULARY


def quantity_table() -> Table:
    """The vocabulary: name, shape, kind, meaning, and who provides it."""
    rows = tuple(
        (
            name,
            f"[{quantity.shape}]" if quantity.shape else "",
            quantity.kind,
            quantity.meaning,
            quantity.source,
        )
        for name, quantity in VOCABULARY.items()
    )
    note = "your own: +quantities.NAME={_target_: your.function, _partial_: true}"
    return Table(("quantity", "shape", "kind", "meaning", "from"), rows, notes=(note,))
