"""Estimates of log p(x) for a latent variable model: from the prior, and importance-weighted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.likelihoods import Likelihood, gaussian_log_prob
from coursekit.networks import Shape, check_pictures
from coursekit.priors import Prior, gaussian_sample


class LatentVariableModel(Protocol):
    """What the estimators ask of a model."""

    prior: Prior
    likelihood: Likelihood

    @property
    def shape(self) -> Shape:
        """(C, H, W) of a picture."""
        ...

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x)."""
        ...

    def decoder(self, z: Tensor) -> Tensor:
        """Parameters of p(x|z)."""
        ...


def log_mean_exp(log_w: Tensor) -> Tensor:
    """Log of the mean of exp(log_w) over the first dimension, safe for any size of log_w.

    Args:
        log_w: logarithms of weights, (S, B).

    Returns:
        (B,).

    Example:
        >>> log_mean_exp(torch.tensor([[-1000.0], [-1000.0]]))
        tensor([-1000.])
    """
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))


def running_log_mean(draw: Callable[[int], Tensor], samples: int, at_once: int) -> Tensor:
    """Log of the mean of S weights, a few at a time, so that memory does not grow with S.

    Args:
        draw: gives the log-weights of n fresh draws, (n, B).
        samples: S.
        at_once: largest n; 1 if it is below that.

    Returns:
        log 1/S sum_s w_s, (B,).
    """
    running: Tensor | None = None
    done = 0
    while done < samples:
        now = min(samples - done, max(1, at_once))
        part = torch.logsumexp(draw(now), dim=0)
        running = part if running is None else torch.logaddexp(running, part)
        done += now
    if running is None:
        raise CourseError(f"samples is {samples}; an estimate needs at least 1.")
    return running - math.log(samples)


def _log_prob_x(model: LatentVariableModel, x: Tensor, z: Tensor) -> Tensor:
    """Log p(x|z) for z (S, B, K) and x (B, C, H, W), as (S, B)."""
    samples, batch = z.shape[:2]
    repeated = x.expand(samples, *x.shape).flatten(0, 1)
    params = model.decoder(z.flatten(0, 1))
    return model.likelihood.log_prob(params, repeated).view(samples, batch)


def _check(model: LatentVariableModel, x: Tensor, samples: int, chunk: int) -> None:
    check_pictures(x, model.shape, "the estimate of log p(x)")
    if samples < 1:
        raise CourseError(f"samples is {samples}; an estimate needs at least 1.")
    if chunk < 1:
        raise CourseError(f"chunk is {chunk}; at least 1 latent at a time is needed.")
    if len(x) == 0:
        raise CourseError("The batch holds no picture.")


@torch.no_grad()
def importance_bound(
    model: LatentVariableModel,
    x: Tensor,
    samples: int,
    generator: torch.Generator | None = None,
    chunk: int = 1000,
    proposal: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The importance-weighted bound on log p(x) with S samples, IWAE-S.

    L_S(x) = log 1/S sum_s w_s,  w_s = p(x|z_s) p(z_s) / q(z_s|x),  z_s ~ q(z|x)
    E[L_1] is the ELBO; E[L_S] grows with S towards log p(x) and never passes it, whatever q is;
    how fast it grows depends on q.

    Args:
        model: has encode, decoder, prior, likelihood, shape.
        x: pictures, (B, C, H, W).
        samples: S.
        generator: source of the draws.
        chunk: latents decoded at a time: the memory depends on it, not on S or B.
        proposal: mean and log-variance of q, each (B, K); the encoder's where None.

    Returns:
        Nats, (B,).

    Raises:
        CourseError: x has another shape or holds no picture, samples or chunk is below 1, or the
            proposal has not a row for each picture.

    Source: Burda et al., Importance Weighted Autoencoders (2016), equation 8.
    """
    _check(model, x, samples, chunk)
    if proposal is not None and any(len(part) != len(x) for part in proposal):
        rows = " and ".join(f"{len(part):,}" for part in proposal)
        raise CourseError(
            f"importance_bound: the proposal has {rows} rows for {len(x):,} pictures; "
            "give a mean and a log-variance for each."
        )
    bounds = []
    for start in range(0, len(x), chunk):
        part = x[start : start + chunk]
        if proposal is None:
            mu, log_var = model.encode(part)
        else:
            mu, log_var = (given[start : start + chunk] for given in proposal)
        draw = _posterior_weights(model, part, mu, log_var, generator)
        bounds.append(running_log_mean(draw, samples, chunk // len(part)))
    return torch.cat(bounds)


def _posterior_weights(
    model: LatentVariableModel, x: Tensor, mu: Tensor, log_var: Tensor,
    generator: torch.Generator | None,
) -> Callable[[int], Tensor]:  # fmt: skip
    """Log-weights of n draws from q(z|x) = N(mu, exp(log_var)), as a function of n: (n, B)."""

    def draw(n: int) -> Tensor:
        means = mu.expand(n, *mu.shape)
        log_vars = log_var.expand_as(means)
        z = gaussian_sample(means, log_vars, generator)
        flat = z.flatten(0, 1)
        log_prior = model.prior.log_prob(flat)
        log_posterior = gaussian_log_prob(flat, means.flatten(0, 1), log_vars.flatten(0, 1))
        return _log_prob_x(model, x, z) + (log_prior - log_posterior).view(n, -1)

    return draw


@torch.no_grad()
def naive_log_prob(
    model: LatentVariableModel,
    x: Tensor,
    samples: int,
    generator: torch.Generator | None = None,
    chunk: int = 1000,
) -> Tensor:
    """Naive Monte Carlo of log p(x): log 1/S sum_s p(x|z_s), z_s ~ p(z).

    The mean inside is an unbiased estimate of p(x); its logarithm is not one of log p(x) and
    lies below it in expectation. The same S draws serve all pictures.

    Args:
        model: has decoder, prior, likelihood, shape.
        x: pictures, (B, C, H, W).
        samples: S.
        generator: source of the draws.
        chunk: pairs of picture and latent at a time.

    Returns:
        Nats, (B,).
    """
    _check(model, x, samples, chunk)

    def draw(n: int) -> Tensor:
        z = model.prior.sample(n, generator)
        parts = [
            _log_prob_x(model, part, z[:, None].expand(n, len(part), -1)) for part in x.split(chunk)
        ]
        return torch.cat(parts, dim=1)

    return running_log_mean(draw, samples, chunk // len(x))
