"""A loss term with every kind of state, for tests of what carries and drives it."""

import torch
from torch import Tensor, nn


class Remembering(nn.Module):
    """A learned gain; a critic with an optimizer of its own; a memory of recent colours.

    Reference: none, for tests.
    """

    memory: Tensor

    def __init__(self, *, size: int = 4, rate: float = 0.1, seed: int = 0) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))
        self.critic = nn.Linear(3, 1)
        self.register_buffer("memory", torch.zeros(size, 3))
        self.optimizer = torch.optim.Adam(self.critic.parameters(), lr=rate)
        self.seed, self.calls = seed, 0
        self.latest: Tensor | None = None

    def forward(self, rgb: Tensor, target_rgb: Tensor) -> Tensor:
        self.latest = rgb.detach().mean(0)
        away = (rgb - target_rgb - 0.01 * self.memory.mean(0)).square()
        return self.gain.square() * away + 0.1 * self.critic(rgb).square()

    def after_step(self, step: int) -> dict[str, float]:
        assert self.latest is not None
        assert all(p.grad is None for p in self.critic.parameters())
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        noise = 0.1 * torch.rand(3, generator=generator)
        loss = (self.critic(self.latest + noise) - 1).square().sum()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.memory = torch.cat([self.memory[1:], self.latest[None]])
        self.calls += 1
        return {"critic": loss.item(), "calls": float(self.calls)}

    def get_extra_state(self) -> dict[str, object]:
        return {"optimizer": self.optimizer.state_dict(), "calls": self.calls}

    def set_extra_state(self, state: dict) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.calls = state["calls"]
