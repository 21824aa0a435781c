"""The Gaussian likelihood, with four ways to come by its variance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.likelihoods.base import Likelihood, soft_bounds
from coursekit.likelihoods.densities import check_same_shape, gaussian_log_prob_each

_START = -3.0
_MEMORY = 0.99


class Gaussian(Likelihood):
    """Real pixels: p(x|z) = N(x; m, v), with m and, where it is learned, log v from the decoder.

    Args:
        log_var: "per-pixel" (the decoder gives a mean and a log-variance for each value),
            "shared" (one learned log-variance for all), "optimal" (one for all, not learned by
            gradient but put where the likelihood is largest: v = mean squared error of the
            batch; evaluation uses its running mean over training batches, because the variance
            of a test picture's own errors is not known to who has to describe it), or a
            number (fixed).
        bounds: the log-variance is kept between these, softly, so that no pixel's density can
            run to infinity on data that is exactly constant there. A pixel that is always 0 and
            dequantised has log-variance log(1 / (12 * 256^2)) = -13.6.

    Source of "optimal": Rybkin et al., Simple and Effective VAE Training with Calibrated Decoders
    (2021), equation 5.

    Example:
        >>> fixed = Gaussian(log_var=0.0)
        >>> fixed.log_prob(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))
        tensor([-0.9189])
    """

    name = "Gaussian"
    scale = "density"

    def __init__(
        self, log_var: str | float = "per-pixel", bounds: tuple[float, float] = (-14.0, 4.0)
    ) -> None:
        super().__init__()
        if isinstance(log_var, str) and log_var not in ("per-pixel", "shared", "optimal"):
            raise CourseError(
                f"Gaussian: log_var is {log_var!r}; give 'per-pixel', 'shared', 'optimal' or a "
                "number."
            )
        self.bounds = bounds
        self.params_per_channel = 2 if log_var == "per-pixel" else 1
        self.optimal = log_var == "optimal"
        self.fixed: Tensor | None
        if log_var == "shared":
            self.fixed = nn.Parameter(torch.tensor(_START))
        elif log_var == "per-pixel":
            self.register_buffer("fixed", None)
        else:
            start = _START if isinstance(log_var, str) else float(log_var)
            self.register_buffer("fixed", torch.tensor(start))

    def mean_and_log_var(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance for each value of the picture."""
        if self.fixed is not None:
            (mean,) = self.split(params)
            return mean, self.fixed.expand_as(mean)
        mean, log_var = self.split(params)
        return mean, soft_bounds(log_var, *self.bounds)

    def log_prob_each(self, params: Tensor, x: Tensor) -> Tensor:
        """See `gaussian_log_prob`."""
        mean, log_var = self.mean_and_log_var(params)
        check_same_shape(self.name, x, mean=mean)
        if self.optimal and self.training:
            log_var = (x - mean).square().mean().clamp(min=1e-8).log()
            self._remember(log_var.detach())
        return gaussian_log_prob_each(x, mean, log_var)

    @torch.no_grad()
    def _remember(self, log_var: Tensor) -> None:
        assert self.fixed is not None
        self.fixed.copy_(torch.lerp(log_var, self.fixed, _MEMORY))

    def mean(self, params: Tensor) -> Tensor:
        """The mean, clipped to [0, 1] to be shown."""
        return self.mean_and_log_var(params)[0].clamp(0, 1)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Mean plus noise, clipped to [0, 1] to be shown."""
        mean, log_var = self.mean_and_log_var(params)
        noise = torch.empty_like(mean).normal_(generator=generator)
        return (mean + torch.exp(0.5 * log_var) * noise).clamp(0, 1)
