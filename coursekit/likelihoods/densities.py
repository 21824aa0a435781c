"""Log-densities and divergences of Gaussian and binary values, and their units.

A log-density is summed over all dimensions but the first and comes in nats, shape (B,).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from coursekit.errors import CourseError

LOG_2PI = math.log(2 * math.pi)


def sum_per_example(values: Tensor) -> Tensor:
    """Sum over all dimensions but the first: (B, ...) -> (B,)."""
    return values.flatten(1).sum(dim=1)


def check_same_shape(name: str, x: Tensor, **others: Tensor) -> None:
    """Raise unless the other tensors have the shape of x; `name` says who asks."""
    for other_name, other in others.items():
        if other.shape != x.shape:
            raise CourseError(
                f"{name}: x has shape {tuple(x.shape)} but {other_name} has "
                f"{tuple(other.shape)}; give both the same shape."
            )


def _broadcast(name: str, x: Tensor, **others: Tensor) -> None:
    for other_name, other in others.items():
        try:
            fits = torch.broadcast_shapes(x.shape, other.shape) == x.shape and x.ndim > 1
        except RuntimeError:
            fits = False
        if not fits:
            raise CourseError(
                f"{name}: the values have shape {tuple(x.shape)}, expected (B, ...), but "
                f"{other_name} has {tuple(other.shape)}; it must broadcast to the values' shape."
            )


def gaussian_log_prob(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Log-density of a Gaussian with diagonal covariance.

    log N(x; mean, diag exp(log_var)) =
    -1/2 sum_d [log(2 pi) + log_var_d + (x_d - mean_d)^2 / exp(log_var_d)]

    Args:
        x: values, shape (B, ...).
        mean: means, broadcastable to x.
        log_var: logarithms of the variances, broadcastable to x.

    Returns:
        Nats, shape (B,).

    Example:
        >>> gaussian_log_prob(torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1, 2))
        tensor([-1.8379])
    """
    _broadcast("gaussian_log_prob", x, mean=mean, log_var=log_var)
    return sum_per_example(gaussian_log_prob_each(x, mean, log_var))


def gaussian_log_prob_each(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """The terms that `gaussian_log_prob` sums, in the shape of x."""
    # scaled before it is squared: exp(-log_var) alone would overflow where log_var is below -88
    deviation = (x - mean) * torch.exp(-0.5 * log_var)
    return -0.5 * (LOG_2PI + log_var + deviation.square())


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Log-probability of binary pixels given logits, stable for any size of logit.

    log p(x) = sum_d [x_d l_d - softplus(l_d)], since log sigmoid(l) = l - softplus(l).
    For grey x in [0, 1] it is minus the cross-entropy: the expected log-probability of a
    binary picture drawn from x, not a density of x.

    Args:
        x: pixels in [0, 1], shape (B, ...).
        logits: l = log(p / (1 - p)), same shape.

    Returns:
        Nats, shape (B,).

    Example:
        >>> bernoulli_log_prob(torch.ones(1, 1), torch.zeros(1, 1))  # log 1/2
        tensor([-0.6931])
    """
    check_same_shape("bernoulli_log_prob", x, logits=logits)
    return -sum_per_example(F.binary_cross_entropy_with_logits(logits, x, reduction="none"))


def kl_standard_normal(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL divergence of a diagonal Gaussian from the standard normal.

    KL(N(mu, diag exp(log_var)) || N(0, I)) = 1/2 sum_k [mu_k^2 + exp(log_var_k) - 1 - log_var_k]

    Args:
        mu: means, shape (B, K).
        log_var: logarithms of the variances, shape (B, K).

    Returns:
        Nats, shape (B,).

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2014), appendix B.

    Example:
        >>> kl_standard_normal(torch.tensor([[2.0]]), torch.tensor([[0.25]]).log())
        tensor([2.3181])
    """
    check_same_shape("kl_standard_normal", mu, log_var=log_var)
    return sum_per_example(0.5 * (mu.square() + log_var.exp() - 1 - log_var))


def kl_gaussians(mu_q: Tensor, log_var_q: Tensor, mu_p: Tensor, log_var_p: Tensor) -> Tensor:
    """KL divergence between two diagonal Gaussians.

    KL(q || p) = 1/2 sum_k [log v_p - log v_q + (v_q + (mu_q - mu_p)^2) / v_p - 1]

    Args:
        mu_q: means of q, shape (B, K).
        log_var_q: log-variances of q, shape (B, K).
        mu_p: means of p, broadcastable to (B, K).
        log_var_p: log-variances of p, broadcastable to (B, K).

    Returns:
        Nats, shape (B,).

    Example:
        >>> one, zero = torch.ones(1, 1), torch.zeros(1, 1)
        >>> kl_gaussians(one, zero, zero, zero)
        tensor([0.5000])
    """
    _broadcast("kl_gaussians", mu_q, log_var_q=log_var_q, mu_p=mu_p, log_var_p=log_var_p)
    difference = log_var_q - log_var_p
    deviation = (mu_q - mu_p) * torch.exp(-0.5 * log_var_p)
    return sum_per_example(0.5 * (difference.exp() + deviation.square() - 1 - difference))


def bits_per_dim(nats: Tensor | float, dims: int) -> Tensor | float:
    """Convert nats per picture to bits per dimension: nats * log2(e) / D.

    Args:
        nats: a negative log-likelihood (or a bound on it) in nats.
        dims: D, the number of values in a picture, 784 for MNIST.

    Returns:
        Bits per dimension, in the form of the input.

    Example:
        >>> round(bits_per_dim(784 * math.log(2), 784), 3)  # a fair coin for each pixel
        1.0
    """
    if dims < 1:
        raise CourseError(f"bits_per_dim: dims is {dims}; it must be at least 1.")
    return nats * (math.log2(math.e) / dims)
