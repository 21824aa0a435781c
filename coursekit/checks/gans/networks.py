"""The small generator, discriminator and optimiser that the check of a step plays with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from coursekit.checks.engine import Function, Inputs

DRAWS, FIRST, SECOND = "the generator", "the discriminator", "its second layer"
OPTIMISER, FROZEN, MODES = "the optimiser", "frozen before", "in training mode"
OLD = 0.3  # what lies on the generator's first weight as a gradient before the step


class Generator(nn.Module):
    """Latents (B, K) to pictures in [-1, 1]; in training mode the batch's mean is taken out."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.size = inputs["x"].shape[1:]
        self.first = nn.Parameter(inputs[DRAWS].detach().clone())
        self.shift = nn.Parameter(torch.full_like(self.first[0], 0.2))
        self.first.grad = torch.full_like(self.first, OLD)
        self.shift.requires_grad_(not inputs[FROZEN])

    def forward(self, z: Tensor) -> Tensor:
        """Draw the pictures that belong to the latents."""
        values = z @ self.first
        if self.training:
            values = values - values.mean(dim=0)
        return torch.tanh(values + self.shift).view(-1, *self.size)


class Discriminator(nn.Module):
    """Pictures (B, C, H, W) to logits (B,), each picture judged alone."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.size = inputs["x"].shape[1:]
        self.first = nn.Parameter(inputs[FIRST].detach().clone())
        self.second = nn.Parameter(inputs[SECOND].detach().clone())
        for weights in (self.first, self.second):  # left from the generator's turn
            weights.grad = torch.linspace(-1, 2, weights.numel()).to(weights).view_as(weights)

    def forward(self, pictures: Tensor) -> Tensor:
        """Give a logit for each picture."""
        if pictures.shape[1:] != self.size:
            raise ValueError(
                f"the discriminator takes pictures of shape (B, {', '.join(map(str, self.size))}),"
                f" not {tuple(pictures.shape)}"
            )
        return torch.tanh(pictures.flatten(1) @ self.first[:-1] + self.first[-1]) @ self.second


def arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make both networks and the optimiser from what is among the inputs."""
    generator = Generator(inputs).train(inputs[MODES][0])
    discriminator = Discriminator(inputs).train(inputs[MODES][1])
    kind, settings = inputs[OPTIMISER]
    optimiser = getattr(torch.optim, kind)(discriminator.parameters(), **settings)
    return inputs["x"], inputs["z"], generator, discriminator, optimiser


def minimax(real: Tensor, fake: Tensor) -> Tensor:
    """The discriminator's loss, from logits."""
    return softplus(-real).mean() + softplus(fake).mean()


@dataclass(frozen=True)
class Way:
    """How a step is taken; by default the right one.

    Args:
        seen: what the discriminator is given for the real pictures.
        drawn: what it is given for the generated ones.
        loss: from both batches' logits.
        clear: when the gradients on its weights are cleared: before, or never; or between the
            gradient and the step.
        steps: how often the optimiser moves.
        sign: -1 for a step uphill.
        drawn_in: the generator's mode while it draws, if not its own.
        rate: a plain step of this size by hand, in place of the optimiser's.
    """

    seen: Callable[[Tensor], Tensor] = lambda x: 2 * x - 1
    drawn: Callable[[Tensor], Tensor] = lambda pictures: pictures
    loss: Callable[[Tensor, Tensor], Tensor] = minimax
    clear: str = "before"
    steps: int = 1
    sign: float = 1.0
    drawn_in: bool | None = None
    rate: float | None = None


RIGHT = Way()


def weights_of(discriminator: nn.Module) -> Tensor:
    """All its weights, laid end to end."""
    return torch.cat([weights.detach().flatten() for weights in discriminator.parameters()])


def _take(
    way: Way, x: Tensor, z: Tensor, generator: Any, discriminator: Any, optimiser: Any
) -> Any:
    """Take a step; give the loss before it and the weights after it."""
    if way.drawn_in is not None:
        generator.train(way.drawn_in)
    with torch.no_grad():
        fake = generator(z)
    with torch.enable_grad():
        loss = way.loss(discriminator(way.seen(x)), discriminator(way.drawn(fake)))
    parameters = list(discriminator.parameters())
    slopes = torch.autograd.grad(loss, parameters, allow_unused=True)
    for weights, slope in zip(parameters, slopes, strict=True):
        own = torch.zeros_like(weights) if slope is None else way.sign * slope
        weights.grad = own + weights.grad if way.clear == "never" else own
    if way.rate is not None:
        for weights in parameters:
            weights.data -= way.rate * weights.grad
    elif way.clear != "between":
        for _ in range(way.steps):
            optimiser.step()
    return loss.detach()[None], weights_of(discriminator)


def loss_by(way: Way) -> Function:
    """The loss before a step that is taken in this way, of shape (1,)."""
    return lambda *a: _take(way, *a)[0]


def weights_by(way: Way) -> Function:
    """The discriminator's weights after such a step."""
    return lambda *a: _take(way, *a)[1]
