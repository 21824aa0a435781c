"""Estimates of log p(x) for a latent variable model: from the prior, and importance-weighted."""

from __future__ import annotations

import math
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
) -> Tensor:
    """The importance-weighted bound on log p(x) with S samples, IWAE-S.

    L_S(x) = log 1/S sum_s w_s,  w_s = p(x|z_s) p(z_s) / q(z_s|x),  z_s ~ q(z|x)
    E[L_1] is the ELBO; E[L_S] grows with S towards log p(x) and never passes it.

    Args:
        model: has encode, decoder, prior, likelihood, shape.
        x: pictures, (B, C, H, W).
        samples: S.
        generator: source of the draws.
        chunk: latents decoded at a time: the memory depends on it, not on S or B.

    Returns:
        Nats, (B,).

    Source: Burda et al., Importance Weighted Autoencoders (2016), equation 8.
    """
    _check(model, x, samples, chunk)
    bounds = []
    for part in x.split(chunk):
        mu, log_var = model.encode(part)
        running = part.new_full((len(part),), -math.inf)
        done = 0
        while done < samples:
            now = min(samples - done, max(1, chunk // len(part)))
            means = mu.expand(now, *mu.shape)
            log_vars = log_var.expand_as(means)
            z = gaussian_sample(means, log_vars, generator)
            flat = z.flatten(0, 1)
            log_prior = model.prior.log_prob(flat)
            log_posterior = gaussian_log_prob(flat, means.flatten(0, 1), log_vars.flatten(0, 1))
            log_w = _log_prob_x(model, part, z) + (log_prior - log_posterior).view(now, -1)
            running = torch.logaddexp(running, torch.logsumexp(log_w, dim=0))
            done += now
        bounds.append(running - math.log(samples))
    return torch.cat(bounds)


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
    running = x.new_full((len(x),), -math.inf)
    each = max(1, chunk // len(x))
    done = 0
    while done < samples:
        now = min(samples - done, each)
        z = model.prior.sample(now, generator)
        log_w = [
            _log_prob_x(model, part, z[:, None].expand(now, len(part), -1))
            for part in x.split(chunk)
        ]
        running = torch.logaddexp(running, torch.logsumexp(torch.cat(log_w, dim=1), dim=0))
        done += now
    return running - math.log(samples)
