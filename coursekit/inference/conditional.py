"""Conditional log-likelihood log p(x|c) of a CVAE, from its prior and with importance weights."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.inference.bounds import running_log_mean

PROPOSALS = ("prior", "encoder")


class ConditionalModel(Protocol):
    """What the estimator asks of a model."""

    def log_weights(
        self, x: Tensor, y: Tensor | None, n: int, proposal: str, generator: torch.Generator | None
    ) -> Tensor:
        """Log-weights of n draws for each picture, (n, B)."""
        ...


@torch.no_grad()
def conditional_log_prob(
    model: ConditionalModel,
    x: Tensor,
    y: Tensor | None = None,
    *,
    samples: int = 100,
    proposal: str = "encoder",
    generator: torch.Generator | None = None,
    chunk: int = 2000,
) -> Tensor:
    """Estimate log p(x|c) with S draws: from p(z|c), or from q(z|x, c) with importance weights.

    prior:    log 1/S sum_s p(x|z_s, c),                            z_s ~ p(z|c)
    encoder:  log 1/S sum_s p(x|z_s, c) p(z_s|c) / q(z_s|x, c),     z_s ~ q(z|x, c)
    Both lie below log p(x|c) in expectation and rise with S; the second needs far fewer draws.

    Args:
        model: has `log_weights`, such as `models.cvae.CVAE`.
        x: pictures, (B, C, H, W).
        y: labels, (B,), where the condition needs them.
        samples: S.
        proposal: "prior" or "encoder".
        generator: source of the draws.
        chunk: latents decoded at a time.

    Returns:
        Nats, (B,).

    Raises:
        CourseError: for an unknown proposal, a count below 1 or an empty batch.

    Source: Sohn et al., Learning Structured Output Representation using Deep Conditional
    Generative Models (2015).
    """
    if proposal not in PROPOSALS:
        raise CourseError(f"proposal is {proposal!r}; give 'prior' or 'encoder'.")
    if samples < 1 or chunk < 1:
        raise CourseError(f"samples is {samples} and chunk {chunk}; both must be at least 1.")
    if len(x) == 0:
        raise CourseError("The batch holds no picture.")
    values = []
    labels = [None] * len(x.split(chunk)) if y is None else y.split(chunk)
    for part, label in zip(x.split(chunk), labels, strict=True):

        def draw(n: int, part: Tensor = part, label: Tensor | None = label) -> Tensor:
            return model.log_weights(part, label, n, proposal, generator)

        values.append(running_log_mean(draw, samples, chunk // len(part)))
    return torch.cat(values)
