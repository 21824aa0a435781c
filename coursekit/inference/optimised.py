"""Inference without an encoder: q(z|psi) of each picture by gradient ascent on its own ELBO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from coursekit.errors import CourseError
from coursekit.likelihoods import Likelihood
from coursekit.priors import Prior, StandardNormal, gaussian_sample

Decode = Callable[[Tensor], Tensor]
MakeOptimiser = Callable[[list[Tensor]], torch.optim.Optimizer]


class DiagonalGaussian(NamedTuple):
    """A Gaussian with diagonal covariance for each picture.

    Attributes:
        mu: means, (B, K).
        log_var: logarithms of the variances, (B, K).
    """

    mu: Tensor
    log_var: Tensor

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents for each picture, (n, B, K)."""
        shape = (n, *self.mu.shape)
        return gaussian_sample(self.mu.expand(shape), self.log_var.expand(shape), generator)


@dataclass(frozen=True)
class Inferred:
    """What `infer` found.

    Attributes:
        q: the best Gaussian of each picture.
        elbo: its ELBO on the fixed noise draws, (B,) nats.
        start_elbo: the start's ELBO on the same draws, (B,) nats; elbo is never below it.
        steps: gradient steps that each picture took until it stopped, (B,).
        looks: the steps after which the ELBO on the fixed draws was looked at.
        curve: the best ELBO so far at each look, mean over the pictures, nats.
    """

    q: DiagonalGaussian
    elbo: Tensor
    start_elbo: Tensor
    steps: Tensor
    looks: list[int]
    curve: list[float]


def elbo(
    decode: Decode,
    likelihood: Likelihood,
    prior: Prior,
    x: Tensor,
    q: DiagonalGaussian,
    noise: Tensor,
    seen: Tensor | None = None,
) -> Tensor:
    """The ELBO of each picture under q, estimated with given noise.

    ELBO = 1/S sum_s [log p(x_seen|z_s) - KL(q || p(z))],  z_s = mu + exp(log_var / 2) noise_s

    Args:
        decode: latents (B, K) to a likelihood's parameters.
        likelihood: p(x|z).
        prior: p(z).
        x: pictures, (B, C, H, W).
        q: their Gaussians.
        noise: standard normal draws, (S, B, K) or (S, 1, K).
        seen: bool, broadcastable to x: only these values count; all if None.

    Returns:
        Nats, (B,).
    """
    samples = len(noise)
    z = (q.mu + torch.exp(0.5 * q.log_var) * noise).flatten(0, 1)
    repeated = x.expand(samples, *x.shape).flatten(0, 1)
    mask = None if seen is None else seen.expand_as(x).expand(samples, *x.shape).flatten(0, 1)
    log_likelihood = likelihood.log_prob(decode(z), repeated, mask)
    shape = (samples, *q.mu.shape)
    kl = prior.kl(q.mu.expand(shape).flatten(0, 1), q.log_var.expand(shape).flatten(0, 1), z)
    return (log_likelihood - kl).view(samples, -1).mean(dim=0)


def _start(
    start: str | DiagonalGaussian | tuple[Tensor, Tensor], prior: Prior, x: Tensor,
    generator: torch.Generator | None,
) -> DiagonalGaussian:  # fmt: skip
    shape = (len(x), prior.latent_size)
    if isinstance(start, tuple):
        mu, log_var = start
        if mu.shape != shape or log_var.shape != shape:
            raise CourseError(
                f"infer: the start has shapes {tuple(mu.shape)} and {tuple(log_var.shape)}; "
                f"expected {shape} for both."
            )
        return DiagonalGaussian(mu.detach().clone(), log_var.detach().clone())
    if start == "prior":
        if isinstance(prior, StandardNormal):  # known exactly, and no draw is spent on it
            return DiagonalGaussian(x.new_zeros(shape), x.new_zeros(shape))
        draws = prior.sample(4000, generator).detach()
        mean, log_var = draws.mean(dim=0), draws.var(dim=0).log()
        return DiagonalGaussian(mean.expand(shape).clone(), log_var.expand(shape).clone())
    if start == "normal":
        mu, log_var = (x.new_empty(shape) for _ in range(2))
        return DiagonalGaussian(
            mu.normal_(generator=generator), log_var.normal_(generator=generator)
        )
    raise CourseError(
        f"infer: start is {start!r}; give 'prior', 'normal' or (mu, log_var), such as an encoder's "
        "answer."
    )


def _check(x: Tensor, seen: Tensor | None, decode: Decode, **counts: int) -> None:
    if x.ndim != 4 or len(x) == 0:
        raise CourseError(f"infer: x has shape {tuple(x.shape)}; expected pictures (B, C, H, W).")
    if not x.is_floating_point():
        raise CourseError(
            f"infer: the pictures are {x.dtype}; expected floats in [0, 1]: convert them with "
            "coursekit.data.prepare."
        )
    for name, count in counts.items():
        if count < 1:
            raise CourseError(f"infer: {name} is {count}; it must be at least 1.")
    if getattr(decode, "training", False):
        raise CourseError("infer: the decoder is in training mode; call model.eval() first.")
    if seen is not None:
        if seen.dtype != torch.bool:
            raise CourseError(f"infer: the mask is {seen.dtype}; give a bool tensor, true = seen.")
        try:
            fits = torch.broadcast_shapes(seen.shape, x.shape) == x.shape
        except RuntimeError:
            fits = False
        if not fits:
            raise CourseError(
                f"infer: the mask has shape {tuple(seen.shape)}, which does not fit pictures of "
                f"shape {tuple(x.shape)}."
            )


def infer(
    decode: Decode,
    likelihood: Likelihood,
    prior: Prior,
    x: Tensor,
    mask: Tensor | None = None,
    *,
    steps: int = 500,
    optimizer: MakeOptimiser | None = None,
    start: str | DiagonalGaussian | tuple[Tensor, Tensor] = "prior",
    patience: int = 50,
    draws: int = 8,
    look_every: int = 10,
    generator: torch.Generator | None = None,
    progress: bool = False,
) -> Inferred:
    """Find q(z|psi) = N(mu, diag exp(log_var)) for each picture, with the decoder left as it is.

    psi* = argmax_psi E_q[log p(x_seen|z)] - KL(q(z|psi) || p(z)), one reparameterised sample a
    step. Every picture has a mean and log-variance of its own and stops on its own: once its ELBO
    on a fixed set of noise draws has not risen for `patience` steps. The psi that is best on
    those draws is kept, the start among the candidates.

    Args:
        decode: latents (B, K) to a likelihood's parameters, such as `model.decoder`; its weights
            receive no gradient and do not change.
        likelihood: p(x|z).
        prior: p(z).
        x: pictures, (B, C, H, W).
        mask: bool, broadcastable to x, true where a value is seen; all if None. What is hidden
            is not looked at.
        steps: at most this many gradient steps.
        optimizer: makes an optimiser for [mu, log_var]; Adam with learning rate 0.1 if None.
        start: "prior" (its mean and variance), "normal" (mu and log_var drawn from N(0, I)), or
            (mu, log_var), each (B, K), such as the encoder's answer.
        patience: in steps.
        draws: noise draws on which candidates are compared.
        look_every: steps between two such comparisons.
        generator: source of all draws.
        progress: show a bar.

    Returns:
        The Gaussians, their ELBO, and how they came about.

    Raises:
        CourseError: for shapes that do not fit, pictures that are not floats, a mask that is not
            bool, counts below 1, an unknown start, or a decoder in training mode.

    Source: the ELBO's own optimum, to which Cremer et al., Inference Suboptimality in Variational
    Autoencoders (2018), section 4, compare the encoder's answer.
    """
    _check(x, mask, decode, steps=steps, patience=patience, draws=draws, look_every=look_every)
    if mask is not None:  # what is hidden is put out, so that no likelihood can be moved by it
        x = torch.where(mask, x, torch.zeros_like(x))
    best = _start(start, prior, x, generator)
    fixed = torch.empty(draws, 1, prior.latent_size, device=x.device).normal_(generator=generator)

    def part(q: DiagonalGaussian, index: Tensor, noise: Tensor) -> Tensor:
        rows = DiagonalGaussian(q.mu[index], q.log_var[index])
        seen = None if mask is None else mask.expand_as(x)[index]
        return elbo(decode, likelihood, prior, x[index], rows, noise, seen)

    def look(q: DiagonalGaussian, index: Tensor) -> Tensor:
        with torch.no_grad():  # a thousand pictures at a time: `draws` latents each
            return torch.cat([part(q, some, fixed) for some in index.split(1000)])

    everyone = torch.arange(len(x), device=x.device)
    best_elbo = look(best, everyone)
    start_elbo = best_elbo.clone()
    psi = DiagonalGaussian(*(part.clone().requires_grad_() for part in best))
    stepper = (optimizer or partial(torch.optim.Adam, lr=0.1))(list(psi))
    best_step = torch.zeros(len(x), dtype=torch.long, device=x.device)
    stopped = torch.full_like(best_step, steps)
    active, looks, curve = everyone, [0], [best_elbo.mean().item()]
    for step in tqdm(range(1, steps + 1), disable=not progress, leave=False):
        noise = torch.empty(1, len(active), prior.latent_size, device=x.device)
        with torch.enable_grad():  # also where the caller has switched gradients off
            loss = -part(psi, active, noise.normal_(generator=generator)).sum()
            slopes = torch.autograd.grad(loss, list(psi))
        for value, slope in zip(psi, slopes, strict=True):  # the decoder's weights get none
            value.grad = slope
        stepper.step()
        if step % look_every and step != steps:
            continue
        now = look(psi, active)
        rises = now > best_elbo[active]  # false for nan, which a large step can lead to
        better = active[rises]
        with torch.no_grad():
            for kept, value in zip(best, psi, strict=True):
                kept[better] = value[better]
        best_elbo[better] = now[rises]
        best_step[better] = step
        looks.append(step)
        curve.append(best_elbo.mean().item())
        done = step - best_step[active] >= patience
        stopped[active[done]] = step
        active = active[~done]
        if len(active) == 0:
            break
    return Inferred(best, best_elbo, start_elbo, stopped, looks, curve)
