"""Likelihoods of one logit a pixel: the Bernoulli on {0, 1}, the continuous one on [0, 1]."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from coursekit.likelihoods.base import Likelihood, uniform
from coursekit.likelihoods.densities import check_same_shape


class Bernoulli(Likelihood):
    """Binary pixels, from logits: p(x|z) = prod_d sigmoid(l_d)^x_d (1 - sigmoid(l_d))^(1 - x_d).

    Example:
        >>> Bernoulli().mean(torch.zeros(1, 1, 1, 1)).item()
        0.5
    """

    name = "Bernoulli"
    params_per_channel = 1
    scale = "binary"

    def log_prob_each(self, params: Tensor, x: Tensor) -> Tensor:
        """See `bernoulli_log_prob`."""
        check_same_shape(self.name, x, params=params)
        return -F.binary_cross_entropy_with_logits(params, x, reduction="none")

    def mean(self, params: Tensor) -> Tensor:
        """The probability of a white pixel, sigmoid(l)."""
        return torch.sigmoid(params)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Toss a coin for each pixel."""
        return torch.bernoulli(torch.sigmoid(params), generator=generator)


def log_normaliser(logits: Tensor) -> Tensor:
    """Logarithm of the continuous Bernoulli's normaliser, elementwise.

    C(l) = l / tanh(l / 2), which is 2 at l = 0 and grows like |l|.
    """
    size = logits.abs()
    near = size < 0.1  # there both l and tanh vanish: log 2 + l^2/12 - 7 l^4/1440 in their place
    square = torch.where(near, logits.square(), 0.0)
    series = math.log(2) + square / 12 - 7 * square.square() / 1440
    far = torch.where(near, 1.0, size)
    return torch.where(near, series, torch.log(far) - torch.log(torch.tanh(far / 2)))


class ContinuousBernoulli(Likelihood):
    """Real pixels in [0, 1], from logits: the Bernoulli's formula, made into a density.

    p(x|z) = prod_d C(l_d) sigmoid(l_d)^x_d (1 - sigmoid(l_d))^(1 - x_d),
    C(l) = l / tanh(l / 2). As a density it is exponential in x: C(l) exp(l x) / (1 + exp(l)).

    Source: Loaiza-Ganem and Cunningham, The continuous Bernoulli: fixing a pervasive error in
    variational autoencoders (2019), equations 5 to 8.

    Example:
        >>> flat = ContinuousBernoulli()  # at logit 0 it is uniform: density 1
        >>> flat.log_prob(torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 0.3)).abs().item()
        0.0
    """

    name = "continuous Bernoulli"
    params_per_channel = 1
    scale = "density"

    def log_prob_each(self, params: Tensor, x: Tensor) -> Tensor:
        """The terms x l - softplus(l) + log C(l)."""
        check_same_shape(self.name, x, params=params)
        return x * params - F.softplus(params) + log_normaliser(params)

    def mean(self, params: Tensor) -> Tensor:
        """1 / (1 - exp(-l)) - 1 / l: not sigmoid(l), which is further from 1/2."""
        near = params.abs() < 0.1
        small = torch.where(near, params, 0.0)
        series = 0.5 + small / 12 - small**3 / 720
        far = torch.where(near, 1.0, params)
        return torch.where(near, series, -1 / torch.expm1(-far) - 1 / far).clamp(0, 1)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Invert the distribution function: x = log(1 + u (exp(l) - 1)) / l, u uniform."""
        u = uniform(params, generator)
        size = params.abs()
        near = size < 1e-3  # uniform but for a term of the order of l
        far = torch.where(near, 1.0, size)
        # for -|l|, so that nothing overflows; for positive logits the picture is turned round
        falling = torch.where(near, u, -torch.log1p(u * torch.expm1(-far)) / far)
        return torch.where(params > 0, 1 - falling, falling).clamp(0, 1)
