"""The table of ``nerfloss quantities``."""

from nerfloss.experiments.report.table import Table
from nerfloss.quantities.vocabulary import VOCABULARY


def quantity_table() -> Table:
    """Return the vocabulary: name, shape, kind, meaning and source of each quantity."""
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
    note = "add a quantity: +quantities.NAME={_target_: your.function, _partial_: true}"
    return Table(("quantity", "shape", "kind", "meaning", "from"), rows, notes=(note,))
