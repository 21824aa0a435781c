"""What amortisation costs: the encoder's ELBO, the best Gaussian's ELBO, and log p(x) itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.inference.bounds import LatentVariableModel, importance_bound
from coursekit.inference.optimised import DiagonalGaussian, elbo, infer


@dataclass(frozen=True)
class Gap:
    """The inference gap of each picture, in its two parts.

    log p(x) - ELBO(encoder) = [log p(x) - ELBO(best)] + [ELBO(best) - ELBO(encoder)]
    The first part is the approximation gap (no Gaussian with diagonal covariance is the
    posterior), the second the amortisation gap (the encoder does not find the best one).

    Attributes:
        encoder: ELBO with the encoder's q(z|x), (B,) nats.
        optimised: ELBO with the q that was optimised for the picture, (B,) nats.
        log_prob: IWAE-S with draws from the optimised q; it stands for log p(x), (B,) nats.
        q: the optimised Gaussians.

    Source: Cremer et al., Inference Suboptimality in Variational Autoencoders (2018), section 3.
    """

    encoder: Tensor
    optimised: Tensor
    log_prob: Tensor
    q: DiagonalGaussian

    @property
    def amortisation(self) -> Tensor:
        """ELBO(best) - ELBO(encoder), (B,) nats."""
        return self.optimised - self.encoder

    @property
    def approximation(self) -> Tensor:
        """IWAE-S - ELBO(best), (B,) nats."""
        return self.log_prob - self.optimised


def mean_and_interval(values: Tensor) -> tuple[float, float]:
    """Mean over pictures and half of its 95 % confidence interval, 1.96 standard errors."""
    return values.mean().item(), 1.96 * values.double().std().item() / math.sqrt(len(values))


def inference_gap(
    model: LatentVariableModel,
    x: Tensor,
    *,
    samples: int = 5000,
    draws: int = 100,
    steps: int = 500,
    generator: torch.Generator | None = None,
    progress: bool = False,
) -> Gap:
    """Measure the inference gap on a batch of pictures.

    The Gaussians are optimised from the encoder's answer, with learning rate 0.1 and then 0.01;
    every ELBO is then estimated with fresh noise, the same for both, so that what is reported is
    not what was maximised. The importance-weighted bound draws, freshly too, from the optimised
    Gaussians: with draws from the encoder's it would fall furthest below log p(x) where the
    encoder is bad, and the approximation gap of such a picture could come out negative.

    Args:
        model: has encode, decoder, prior, likelihood; in evaluation mode.
        x: pictures, (B, C, H, W).
        samples: S of the importance-weighted bound.
        draws: noise draws for each ELBO.
        steps: gradient steps at each learning rate.
        generator: source of all draws.
        progress: show bars.

    Returns:
        The three numbers of each picture, and the Gaussians.

    Raises:
        CourseError: as `infer`, or if samples or draws is below 1.
    """
    for name, count in (("samples", samples), ("draws", draws)):
        if count < 1:
            raise CourseError(f"inference_gap: {name} is {count}; it must be at least 1.")
    with torch.no_grad():
        encoder = DiagonalGaussian(*model.encode(x))
    q = encoder
    for rate in (0.1, 0.01):
        q = infer(
            model.decoder, model.likelihood, model.prior, x, start=q, steps=steps, draws=64,
            optimizer=partial(torch.optim.Adam, lr=rate), generator=generator, progress=progress,
        ).q  # fmt: skip
    totals = [x.new_zeros(len(x)) for _ in range(2)]
    with torch.no_grad():
        for _ in range(draws):  # one draw at a time: memory does not grow with their number
            noise = torch.empty(1, *q.mu.shape, device=x.device).normal_(generator=generator)
            for total, each in zip(totals, (encoder, q), strict=True):
                total += elbo(model.decoder, model.likelihood, model.prior, x, each, noise) / draws
        log_prob = importance_bound(model, x, samples, generator, proposal=q)
    return Gap(totals[0], totals[1], log_prob, q)
