"""Log-densities, and the family of likelihoods p(x|z) that a decoder can end in.

A log-density is summed over all dimensions but the first and comes in nats, shape (B,).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.errors import CourseError

LOG_2PI = math.log(2 * math.pi)


def sum_per_example(values: Tensor) -> Tensor:
    """Sum over all dimensions but the first: (B, ...) -> (B,)."""
    return values.flatten(1).sum(dim=1)


def _same_shape(name: str, x: Tensor, **others: Tensor) -> None:
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
    # scaled before it is squared: exp(-log_var) alone would overflow where log_var is below -88
    deviation = (x - mean) * torch.exp(-0.5 * log_var)
    return sum_per_example(-0.5 * (LOG_2PI + log_var + deviation.square()))


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
    _same_shape("bernoulli_log_prob", x, logits=logits)
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
    _same_shape("kl_standard_normal", mu, log_var=log_var)
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


class Likelihood(nn.Module):
    """What a decoder's output means: a distribution over pictures, p(x|z).

    A decoder gives `params_per_channel` numbers for each value of the picture, as a tensor of
    shape (B, P * C, H, W): first all first parameters, then all second ones.

    Attributes:
        name: how tables call it.
        params_per_channel: P, numbers that the decoder gives for each value of a picture.
        scale: what its log_prob measures: "binary" (a mass over {0, 1}), "density" (a density
            on [0, 1], 8 bits to add for the integer picture) or "mass" (a mass over 256 values).
    """

    name: ClassVar[str] = "likelihood"
    params_per_channel: int = 1
    scale: ClassVar[str] = "binary"

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Log-probability of pictures x (B, C, H, W) given the decoder's output, (B,) nats."""
        raise NotImplementedError

    def mean(self, params: Tensor) -> Tensor:
        """Mean picture, (B, C, H, W) in [0, 1]."""
        raise NotImplementedError

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw one picture for each row of params, (B, C, H, W) in [0, 1]."""
        raise NotImplementedError

    def bits_per_dim(self, nats: Tensor | float, dims: int) -> Tensor | float:
        """Convert a negative log-likelihood to bits/dim of what this likelihood describes.

        A density on (v + u)/256 has 8 bits added, so that it speaks of the 8-bit picture:
        bits/dim = -log2 p / D + 8. A probability mass needs no 8.

        Args:
            nats: negative log-likelihood per picture.
            dims: values in a picture.

        Returns:
            Bits per dimension.
        """
        return bits_per_dim(nats, dims) + (8.0 if self.scale == "density" else 0.0)

    def split(self, params: Tensor) -> tuple[Tensor, ...]:
        """Cut the decoder's output into its P parameters, each (B, C, H, W)."""
        if params.ndim != 4 or params.shape[1] % self.params_per_channel:
            raise CourseError(
                f"{self.name}: the decoder gave shape {tuple(params.shape)}; expected "
                f"(B, {self.params_per_channel} * C, H, W)."
            )
        return params.chunk(self.params_per_channel, dim=1)


class Bernoulli(Likelihood):
    """Binary pixels, from logits: p(x|z) = prod_d sigmoid(l_d)^x_d (1 - sigmoid(l_d))^(1 - x_d).

    Example:
        >>> Bernoulli().mean(torch.zeros(1, 1, 1, 1)).item()
        0.5
    """

    name = "Bernoulli"
    params_per_channel = 1
    scale = "binary"

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """See `bernoulli_log_prob`."""
        return bernoulli_log_prob(x, params)

    def mean(self, params: Tensor) -> Tensor:
        """The probability of a white pixel, sigmoid(l)."""
        return torch.sigmoid(params)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Toss a coin for each pixel."""
        return torch.bernoulli(torch.sigmoid(params), generator=generator)


class Gaussian(Likelihood):
    """Real pixels: p(x|z) = N(x; m, v), with m and, where it is learned, log v from the decoder.

    Args:
        log_var: "per-pixel" (the decoder gives a mean and a log-variance for each value),
            "shared" (one learned log-variance for all), or a number (fixed).
        bounds: the log-variance is kept between these, softly, so that no pixel's density can
            run to infinity on data that is exactly constant there.

    Example:
        >>> fixed = Gaussian(log_var=0.0)
        >>> fixed.log_prob(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))
        tensor([-0.9189])
    """

    name = "Gaussian"
    scale = "density"

    def __init__(
        self, log_var: str | float = "per-pixel", bounds: tuple[float, float] = (-12.0, 4.0)
    ) -> None:
        super().__init__()
        if isinstance(log_var, str) and log_var not in ("per-pixel", "shared"):
            raise CourseError(
                f"Gaussian: log_var is {log_var!r}; give 'per-pixel', 'shared' or a number."
            )
        self.bounds = bounds
        self.params_per_channel = 2 if log_var == "per-pixel" else 1
        self.fixed: Tensor | None
        if log_var == "shared":
            self.fixed = nn.Parameter(torch.tensor(-3.0))
        else:
            start = None if log_var == "per-pixel" else torch.tensor(float(log_var))
            self.register_buffer("fixed", start)

    def mean_and_log_var(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance for each value of the picture."""
        if self.fixed is not None:
            (mean,) = self.split(params)
            return mean, self.fixed.expand_as(mean)
        mean, log_var = self.split(params)
        low, high = self.bounds
        return mean, low + F.softplus(high - F.softplus(high - log_var) - low)

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """See `gaussian_log_prob`."""
        mean, log_var = self.mean_and_log_var(params)
        _same_shape(self.name, x, mean=mean)
        return gaussian_log_prob(x, mean, log_var)

    def mean(self, params: Tensor) -> Tensor:
        """The mean, clipped to [0, 1] to be shown."""
        return self.mean_and_log_var(params)[0].clamp(0, 1)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Mean plus noise, clipped to [0, 1] to be shown."""
        mean, log_var = self.mean_and_log_var(params)
        noise = torch.empty_like(mean).normal_(generator=generator)
        return (mean + torch.exp(0.5 * log_var) * noise).clamp(0, 1)
