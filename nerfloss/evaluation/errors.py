"""What a metric raises where it has no value, so that a report can say why instead of crashing."""


class UndefinedMetric(ValueError):
    """The metric has no value here; the message is the reason that the report gives."""


class EmptyMesh(UndefinedMetric):
    """There is no surface to measure or to export."""
