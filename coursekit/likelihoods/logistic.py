"""Logistic curves cut into 256 levels: one, or a mixture of several."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from coursekit.errors import CourseError
from coursekit.likelihoods.base import Likelihood, grey_levels, soft_bounds, uniform
from coursekit.likelihoods.densities import check_same_shape

_BOUNDS = (-8.0, 2.0)
_HALF = 0.5 / 255


def logistic_log_mass(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Log-mass that a logistic distribution puts on one of 256 levels, elementwise.

    P(v) = sigmoid(b) - sigmoid(a), b = (x + 1/510 - m) / s and a = (x - 1/510 - m) / s, with
    x = v / 255; the lowest level takes all that lies below it, the highest all above. Written as
    log sigmoid(b) + log sigmoid(-a) + log(1 - exp(a - b)), no two near numbers are subtracted.

    Args:
        x: grey values v / 255, broadcastable to the others.
        mean: m, in units of the grey range.
        log_scale: log s; the standard deviation is s pi / sqrt(3).

    Returns:
        Nats, the shape of mean.

    Source: Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow
    (2016), equation 24; Salimans et al., PixelCNN++ (2017), equation 2.

    Example:
        >>> levels = torch.arange(256) / 255
        >>> mass = logistic_log_mass(levels, torch.tensor(0.3), torch.tensor(-2.0)).exp().sum()
        >>> round(mass.item(), 5)
        1.0
    """
    level = grey_levels(x)
    per_scale = torch.exp(-log_scale)
    upper = (x + _HALF - mean) * per_scale
    lower = (x - _HALF - mean) * per_scale
    below = torch.where(level < 255, F.logsigmoid(upper), 0.0)
    above = torch.where(level > 0, F.logsigmoid(-lower), 0.0)
    inner = (level > 0) & (level < 255)
    return below + above + torch.where(inner, torch.log(-torch.expm1(-2 * _HALF * per_scale)), 0.0)


def _mean_level(survival: torch.Tensor, mean: Tensor, log_scale: Tensor, weight: Tensor) -> Tensor:
    """Mean of v / 255: the sum over thresholds of P(V >= v), over 255; components in dim 1."""
    per_scale = torch.exp(-log_scale)
    total = torch.zeros_like(mean[:, 0])
    for threshold in survival.tolist():
        total += (weight * torch.sigmoid((mean - threshold) * per_scale)).sum(dim=1)
    return (total / 255).clamp(0, 1)


class LogisticMixture(Likelihood):
    """8-bit pixels: p(v|z) = prod_d sum_m w_m P(v_d; m_m, s_m), P a logistic cut into levels.

    Args:
        components: M. The decoder gives M weights (logits), M means and M log-scales for each
            value; at output 0 the means are spread evenly over the grey range.

    Source: Salimans et al., PixelCNN++ (2017), section 2.1, here without its coupling of colours.

    Example:
        >>> LogisticMixture(components=5).params_per_channel
        15
    """

    name = "mixture of logistics"
    scale = "mass"
    centres: Tensor

    def __init__(self, components: int = 5) -> None:
        super().__init__()
        if components < 1:
            raise CourseError(f"LogisticMixture: components is {components}; give 1 or more.")
        self.components = components
        self.params_per_channel = 3 * components
        centres = (torch.arange(components) + 0.5) / components
        self.register_buffer("centres", centres.view(-1, 1, 1, 1), persistent=False)

    def parts(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights, means and log-scales, each (B, M, C, H, W)."""
        self.split(params)
        logits, shift, log_scale = params.unflatten(1, (3, self.components, -1)).unbind(dim=1)
        mean = self.centres + shift
        return F.log_softmax(logits, dim=1), mean, soft_bounds(log_scale - 2, *_BOUNDS)

    def log_prob_each(self, params: Tensor, x: Tensor) -> Tensor:
        """The terms log sum_m w_m P(v; m_m, s_m)."""
        log_weight, mean, log_scale = self.parts(params)
        check_same_shape(self.name, x, mean=mean[:, 0])
        each = log_weight + logistic_log_mass(x.unsqueeze(1), mean, log_scale)
        return torch.logsumexp(each, dim=1)

    def mean(self, params: Tensor) -> Tensor:
        """Mean level, over 255."""
        log_weight, mean, log_scale = self.parts(params)
        thresholds = (torch.arange(1, 256) - 0.5) / 255
        return _mean_level(thresholds, mean, log_scale, log_weight.exp())

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw a component for each pixel, a value from it, and the level it falls into."""
        log_weight, mean, log_scale = self.parts(params)
        weight = log_weight.exp().movedim(1, -1)
        flat = weight.reshape(-1, self.components)
        choice = torch.multinomial(flat, 1, generator=generator).view(weight.shape[:-1])
        chosen = choice.unsqueeze(1)
        mean = mean.gather(1, chosen).squeeze(1)
        scale = log_scale.gather(1, chosen).squeeze(1).exp()
        u = uniform(mean, generator)
        value = mean + scale * torch.logit(u)
        return (255 * value).round().clamp(0, 255) / 255


class DiscretisedLogistic(LogisticMixture):
    """8-bit pixels: p(v|z) = prod_d P(v_d; m_d, s_d), one logistic cut into levels a pixel.

    The decoder gives mean and log-scale. It is the mixture of one component, without its weight.

    Source: Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow
    (2016), equation 24.

    Example:
        >>> nats = -DiscretisedLogistic().log_prob(torch.zeros(1, 2, 1, 1), torch.ones(1, 1, 1, 1))
        >>> bool(nats > 0)
        True
    """

    name = "discretised logistic"

    def __init__(self) -> None:
        super().__init__(components=1)
        self.params_per_channel = 2

    def parts(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weight (0), mean and log-scale, each (B, 1, C, H, W)."""
        mean, log_scale = (part.unsqueeze(1) for part in self.split(params))
        mean = self.centres + mean
        return torch.zeros_like(mean), mean, soft_bounds(log_scale - 2, *_BOUNDS)
