"""What the two players of a generative adversarial network each want to make small.

All losses are functions of logits, one logit for each picture: D(x) = sigmoid(logit) is the
discriminator's probability that x is real. Nothing here is ever a log of a rounded 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from coursekit.errors import CourseError

Cost = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AdversarialLoss:
    """One way to set the two players against each other.

    Attributes:
        name: its key in `LOSSES`.
        real: what the logit of a real picture costs the discriminator, any shape -> the same.
        fake: what the logit of a generated picture costs the discriminator.
        fooling: what the logit of a generated picture costs the generator.
        smoothed: `real` for a picture that is called real only with probability 1 - smooth;
            None where the loss has no such target.

    Example:
        >>> LOSSES["minimax"].discriminator(torch.zeros(4), torch.zeros(3)).item()  # 2 log 2
        1.386...
    """

    name: str
    real: Cost
    fake: Cost
    fooling: Cost
    smoothed: Callable[[Tensor, float], Tensor] | None = None

    def discriminator(
        self, real_logits: Tensor, fake_logits: Tensor, smooth: float = 0.0
    ) -> Tensor:
        """The discriminator's loss: mean over the real pictures plus mean over the others.

        Args:
            real_logits: of real pictures, (B,).
            fake_logits: of generated pictures, (B',).
            smooth: how far the target of a real picture lies below 1 (one-sided smoothing).

        Returns:
            A scalar.

        Raises:
            CourseError: for a loss without targets, if smooth is not 0.

        Source: Salimans et al., Improved Techniques for Training GANs (2016), section 3.4.
        """
        if smooth == 0:
            real = self.real(real_logits)
        elif self.smoothed is None:
            raise CourseError(
                f"The loss {self.name!r} has no target that could be smoothed; leave smooth at 0."
            )
        else:
            real = self.smoothed(real_logits, smooth)
        return real.mean() + self.fake(fake_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The generator's loss, a scalar, for the logits of its pictures, (B,)."""
        return self.fooling(fake_logits).mean()


def _minus_log_d(logits: Tensor) -> Tensor:
    return F.softplus(-logits)


def _minus_log_not_d(logits: Tensor) -> Tensor:
    return F.softplus(logits)


def _smoothed_log(logits: Tensor, smooth: float) -> Tensor:
    # -(1 - s) log D - s log(1 - D), and log D - log(1 - D) is the logit
    return F.softplus(-logits) + smooth * logits


LOSSES: dict[str, AdversarialLoss] = {
    loss.name: loss
    for loss in (
        AdversarialLoss(
            "minimax", _minus_log_d, _minus_log_not_d, lambda logits: -F.softplus(logits),
            _smoothed_log,
        ),
        AdversarialLoss(
            "non-saturating", _minus_log_d, _minus_log_not_d, _minus_log_d, _smoothed_log
        ),
        AdversarialLoss(
            "least-squares", lambda logits: (logits - 1) ** 2, lambda logits: logits**2,
            lambda logits: (logits - 1) ** 2,
            lambda logits, smooth: (logits - 1 + smooth) ** 2,
        ),
        AdversarialLoss(
            "hinge", lambda logits: F.relu(1 - logits), lambda logits: F.relu(1 + logits),
            lambda logits: -logits,
        ),
        AdversarialLoss(
            "wasserstein", lambda logits: -logits, lambda logits: logits, lambda logits: -logits
        ),
    )
}  # fmt: skip
"""The losses by name.

minimax and non-saturating: Goodfellow et al., Generative Adversarial Nets (2014), equation 1 and
the end of section 3; least-squares (targets 1 and 0 on the raw outputs): Mao et al., Least Squares
Generative Adversarial Networks (2017), equation 9, without its halves; hinge: Lim and Ye,
Geometric GAN (2017); wasserstein: Arjovsky et al., Wasserstein GAN (2017).
"""


def adversarial_loss(name: str) -> AdversarialLoss:
    """Look a loss up.

    Raises:
        CourseError: naming the losses there are.
    """
    if name not in LOSSES:
        raise CourseError(f"There is no loss {name!r}; the losses are {', '.join(LOSSES)}.")
    return LOSSES[name]


def gradient_penalty(
    judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor
) -> Tensor:
    """How far the critic's slope between a real and a generated picture is from 1, squared.

    ( |grad_x critic(x)| - 1 )^2 at x = mix * real + (1 - mix) * fake, the norm over all of a
    picture's values. Its own backward reaches the critic's parameters.

    Args:
        judge: pictures (B, ...) -> (B,); it must look at each picture by itself (no BatchNorm).
        real: pictures, (B, ...).
        fake: as many generated ones; no gradient flows into either.
        mix: weights of the real ones, (B,), drawn uniformly from [0, 1].

    Returns:
        (B,).

    Raises:
        CourseError: if there are not as many real as generated pictures as weights.

    Source: Gulrajani et al., Improved Training of Wasserstein GANs (2017), equation 3.

    Example:
        >>> flat = lambda x: 2 * x.flatten(1).sum(dim=1)  # slope 2 along each of 4 values
        >>> gradient_penalty(flat, torch.zeros(1, 4), torch.ones(1, 4), torch.rand(1)).item()
        9.0
    """
    if real.shape != fake.shape or mix.shape != (len(real),):
        raise CourseError(
            f"gradient_penalty: real {tuple(real.shape)}, fake {tuple(fake.shape)} and mix "
            f"{tuple(mix.shape)} do not fit; give as many of each."
        )
    weight = mix.reshape(-1, *(1,) * (real.dim() - 1))
    between = (weight * real.detach() + (1 - weight) * fake.detach()).requires_grad_(True)
    with torch.enable_grad():
        total = judge(between).sum()  # each picture's logit depends on that picture alone
        (slope,) = torch.autograd.grad(total, between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1) ** 2


def optimal_discriminator(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The best answer to a fixed generator: D*(x) = p(x) / (p(x) + q(x)).

    Args:
        log_p: log-density of the data at each x, any shape, nats.
        log_q: log-density of the generator's pictures there, of the same shape; one of the two
            may be -inf.

    Returns:
        Probabilities that x is real, of the same shape.

    Source: Goodfellow et al., Generative Adversarial Nets (2014), proposition 1.

    Example:
        >>> optimal_discriminator(torch.tensor([0.0]), torch.tensor([0.0])).item()
        0.5
    """
    return torch.sigmoid(log_p - log_q)


def bilinear_orbit(x: float, y: float, rate: float, steps: int, alternating: bool) -> Tensor:
    """Gradient play of min over x, max over y of x * y, whose one equilibrium is (0, 0).

    At once: (x, y) -> (x - rate * y, y + rate * x), which goes outwards by a factor
    sqrt(1 + rate^2) a step. In turns: x first, and y answers the new x; the orbit stays bounded.

    Args:
        x: where the minimising player begins.
        y: where the maximising player begins.
        rate: length of a step in gradients.
        steps: how many.
        alternating: in turns in place of at once.

    Returns:
        (steps + 1, 2); the first row is the start.

    Example:
        >>> bilinear_orbit(1.0, 0.0, rate=0.5, steps=1, alternating=False).tolist()
        [[1.0, 0.0], [1.0, 0.5]]
    """
    path = [(x, y)]
    for _ in range(steps):
        new_x = x - rate * y
        y = y + rate * (new_x if alternating else x)
        x = new_x
        path.append((x, y))
    return torch.tensor(path, dtype=torch.float64)
