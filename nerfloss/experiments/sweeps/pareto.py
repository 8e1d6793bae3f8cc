"""Text form of a Pareto front."""

from collections.abc import Mapping, Sequence

from nerfloss.experiments.sweeps.study import Trial


def describe_pareto_front(front: Sequence[Trial], objectives: Mapping[str, str], count: int) -> str:
    """Return the trials of a Pareto front with scores and settings, as lines of text."""
    asked = ", ".join(f"{way} {name}" for name, way in objectives.items())
    if not front:
        return f"none of {count} trials finished ({asked})"
    lines = []
    for trial in front:
        named = zip(objectives, trial.values, strict=True)
        scores = "  ".join(f"{name} {value:.4g}" for name, value in named)
        settings = " ".join(f"{key}={value}" for key, value in trial.settings.items())
        lines.append(f"  trial={trial.number}  {scores}  {settings}")
    title = "Pareto front" if len(objectives) > 1 else "best"
    return "\n".join([f"{title} of {count} trials ({asked}):", *lines])
