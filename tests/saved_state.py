"""What a run has learned, as its checkpoint keeps it, and how far two of them are apart."""

from pathlib import Path

import torch


def saved_state(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a run's checkpoint by its place, but for what torch itself would draw."""
    content = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["state"]
    found = dict(_tensors(content, ""))
    del found[".torch_rng"]
    return found


def _tensors(value, place):
    if isinstance(value, torch.Tensor):
        yield place, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _tensors(each, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _tensors(each, f"{place}[{number}]")


def farthest(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """The largest difference between two states."""
    assert first.keys() == second.keys()
    return max(
        float((first[name].double() - second[name].double()).abs().max())
        for name in first
        if first[name].numel()
    )
