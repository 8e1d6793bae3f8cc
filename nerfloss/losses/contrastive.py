"""Contrastive terms: features of one instance are pulled together, those of others pushed apart."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import check_settings, condition, positive
from nerfloss.maths.embeddings import group_means, squared_distances, unit_features

PAIRS = 2**20  # compared at once: 4 MB for each of a dozen tables


@requires(positive("margin"))
def triplet(
    features: Float[Tensor, "rays channels"],
    target_instance: Int[Tensor, "rays"],
    *,
    margin: float = 0.2,
    mining: Literal["semi_hard", "hard"] = "semi_hard",
) -> Float[Tensor, "rays"]:
    """Return the triplet loss of each ray: ``max(0, d(a, p) - d(a, n) + margin)``.

    d is the squared distance of unit-length features, in [0, 4]. Every ray is an anchor a; p and n
    are rays of the same and of another instance. ``semi_hard``: the mean over all p, each with the
    nearest n that is farther than p, or with the farthest n where none is. ``hard``: the farthest p
    and the nearest n. 0 for a ray without a p or an n. Rays of negative instances are unlabelled
    and ignored. All pairs are compared, in blocks of bounded memory; time grows with the square of
    the number of rays.

    Reference: Schroff, Kalenichenko and Philbin, "FaceNet: A Unified Embedding for Face Recognition
    and Clustering", CVPR 2015, section 3; ``hard``: Hermans, Beyer and Leibe, "In Defense of the
    Triplet Loss for Person Re-Identification", 2017, equation 5, here with FaceNet's distance.
    """
    unit = unit_features(features)
    mining_loss = _semi_hard if mining == "semi_hard" else _hard
    if not len(unit):
        return unit.sum(-1)
    rows = max(1, PAIRS // len(unit))
    loss_of = partial(_anchor_losses, unit, target_instance, margin=margin, mining_loss=mining_loss)
    if rows >= len(unit):
        return loss_of(0, len(unit))
    # Checkpointed: keeping the tables of all blocks would need memory for all pairs.
    blocks = [
        checkpoint(loss_of, begin, min(begin + rows, len(unit)), use_reentrant=False)
        for begin in range(0, len(unit), rows)
    ]
    return torch.cat(blocks)


def _anchor_losses(
    unit: Float[Tensor, "rays channels"],
    instance: Int[Tensor, "rays"],
    begin: int,
    end: int,
    *,
    margin: float,
    mining_loss: Any,
) -> Float[Tensor, "anchors"]:
    distance = squared_distances(unit[begin:end], unit)
    same = instance[begin:end, None] == instance
    known = (instance[begin:end, None] >= 0) & (instance >= 0)
    same_ray = torch.arange(begin, end, device=unit.device)[:, None] == torch.arange(
        len(unit), device=unit.device
    )
    return mining_loss(distance, same & known & ~same_ray, ~same & known, margin)


def _semi_hard(
    distance: Float[Tensor, "anchors rays"],
    positive: Bool[Tensor, "anchors rays"],
    negative: Bool[Tensor, "anchors rays"],
    margin: float,
) -> Float[Tensor, "anchors"]:
    order = distance.detach().argsort(-1)
    distance, positive, negative = (x.gather(-1, order) for x in (distance, positive, negative))
    # Sorted by distance, a positive's partner is the next negative; a search takes 6 times as long.
    ranks = torch.arange(distance.shape[-1], device=distance.device).expand_as(distance)
    behind = ranks.masked_fill(~negative, distance.shape[-1]).flip(-1).cummin(-1).values.flip(-1)
    last = ranks.masked_fill(~negative, -1).amax(-1, keepdim=True)
    partner = torch.minimum(behind, last).clamp_min(0)
    excess = (distance - distance.gather(-1, partner) + margin).clamp_min(0)
    counted = positive & (last >= 0)
    return torch.where(counted, excess, 0.0).sum(-1) / counted.sum(-1).clamp_min(1)


def _hard(
    distance: Float[Tensor, "anchors rays"],
    positive: Bool[Tensor, "anchors rays"],
    negative: Bool[Tensor, "anchors rays"],
    margin: float,
) -> Float[Tensor, "anchors"]:
    farthest = distance.masked_fill(~positive, -1.0).amax(-1)
    nearest = distance.masked_fill(~negative, 5.0).amin(-1)
    possible = positive.any(-1) & negative.any(-1)
    return torch.where(possible, (farthest - nearest + margin).clamp_min(0), 0.0)


class InfoNCE(nn.Module):
    """InfoNCE of a ray's feature against a memory bank with one feature per instance.

    ``-log exp(f . m_y / temperature) / sum_k exp(f . m_k / temperature)`` per ray, with f its
    unit-length feature and m the memory bank: one unit-length feature for each instance seen so
    far, also for those without a ray in this batch. After each step the instances of the batch are
    updated: ``m <- momentum m + (1 - momentum) mean f``, normalised to length 1. No gradient enters
    the bank. An instance seen for the first time is represented by its mean in the batch. Rays of
    negative instances are unlabelled and cost 0. The bank grows to the largest instance and is
    saved.

    Reference: Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance
    Discrimination", CVPR 2018, equation 2 (the bank, its momentum and temperature are there and in
    its code); van den Oord, Li and Vinyals, "Representation Learning with Contrastive Predictive
    Coding", 2018, equation 4.
    """

    bank: Tensor

    def __init__(self, *, temperature: float = 0.07, momentum: float = 0.5) -> None:
        super().__init__()
        settings = {"temperature": temperature, "momentum": momentum}
        conditions = (
            positive("temperature"),
            condition("momentum in [0, 1)", lambda momentum: 0 <= momentum < 1),
        )
        check_settings("info_nce", settings, *conditions)
        self.temperature, self.momentum = temperature, momentum
        # Not saved as a buffer: its size depends on the data. Rows of zeros are unseen instances.
        self.register_buffer("bank", torch.empty(0, 0), persistent=False)
        self._next: Tensor | None = None

    def forward(
        self, features: Float[Tensor, "rays channels"], target_instance: Int[Tensor, "rays"]
    ) -> Float[Tensor, "rays"]:
        """Return the loss of each ray, in nats; 0 where no other instance is known."""
        unit, instance = unit_features(features), target_instance.long()
        means, counts = self._of_batch(unit.detach(), instance)
        bank = self._resized(len(counts), unit)
        seen = bank.square().sum(-1) > 0
        present = counts > 0
        moved = self.momentum * bank + (1 - self.momentum) * means
        self._next = torch.where((present & seen)[:, None], unit_features(moved), bank)
        self._next = torch.where((present & ~seen)[:, None], unit_features(means), self._next)
        keys = torch.where(seen[:, None], bank, self._next)
        scores = unit @ keys.T / self.temperature
        counted = seen | present
        # Where no instance is known, all scores are kept, so that the softmax is finite.
        scores = scores.masked_fill(~counted & counted.any(), -torch.inf)
        known = instance >= 0
        own = scores.log_softmax(-1).gather(-1, instance.clamp_min(0)[:, None])[:, 0]
        return torch.where(known, -own, 0.0)

    def after_step(self, step: int) -> dict[str, float] | None:  # noqa: ARG002
        """Update the bank with the features of this step's batch."""
        if self._next is None:
            return None
        self.bank, self._next = self._next, None
        return {"instances": float((self.bank.square().sum(-1) > 0).sum())}

    def _of_batch(
        self, unit: Float[Tensor, "rays channels"], instance: Int[Tensor, "rays"]
    ) -> tuple[Tensor, Tensor]:
        largest = int(instance.max()) + 1 if len(instance) else 0
        return group_means(unit, instance, max(largest, len(self.bank), 1))

    def _resized(self, rows: int, like: Float[Tensor, "rays channels"]) -> Tensor:
        """Return the bank with ``rows`` rows, new ones 0, with the dtype of the features."""
        bank = like.new_zeros(rows, like.shape[1])
        if len(self.bank):
            bank[: len(self.bank)] = self.bank.to(bank)
        return bank

    def get_extra_state(self) -> dict[str, Tensor]:
        """Return the bank, whose size depends on the data."""
        return {"bank": self.bank}

    def set_extra_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore a saved bank."""
        self.bank = state["bank"].to(self.bank.device)


# Name of the term in conf/loss/term/info_nce.yaml.
info_nce = InfoNCE
