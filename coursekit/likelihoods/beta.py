"""The Beta likelihood: a density on (0, 1) that can pile up at either end."""

from __future__ import annotations

import torch
from torch import Tensor

from coursekit.likelihoods.base import Likelihood, soft_bounds
from coursekit.likelihoods.densities import check_same_shape


class Beta(Likelihood):
    """Real pixels in (0, 1): p(x|z) = prod_d x^(a - 1) (1 - x)^(b - 1) / B(a, b).

    B(a, b) = Gamma(a) Gamma(b) / Gamma(a + b); the decoder gives log a and log b. At x = 0 and
    x = 1 the density is 0 or infinite wherever a or b is not 1, and so is its gradient: pixels
    are moved inside by `edge`. Mass that a small a or b piles up within `edge` of an end is lost
    by that (0.05 % at a = b = 1/2, 12 % at a = b = 0.14): the bits it reports are then a little
    too many, never too few.

    Args:
        edge: pixels are kept between edge and 1 - edge.
        bounds: log a and log b are kept between these, softly.

    Example:
        >>> Beta().mean(torch.tensor([2.0, 2.0]).view(1, 2, 1, 1)).item()  # a = b
        0.5
    """

    name = "Beta"
    params_per_channel = 2
    scale = "density"

    def __init__(self, edge: float = 1e-6, bounds: tuple[float, float] = (-5.0, 8.0)) -> None:
        super().__init__()
        self.edge = edge
        self.bounds = bounds

    def concentrations(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """The parameters a and b, each (B, C, H, W), positive."""
        log_a, log_b = (soft_bounds(part, *self.bounds) for part in self.split(params))
        return log_a.exp(), log_b.exp()

    def log_prob_each(self, params: Tensor, x: Tensor) -> Tensor:
        """The terms (a - 1) log x + (b - 1) log(1 - x) - log B(a, b)."""
        a, b = self.concentrations(params)
        check_same_shape(self.name, x, a=a)
        x = x.clamp(self.edge, 1 - self.edge)
        # the three gammas nearly cancel where a and b are large: 64 bits for them alone
        a64, b64 = a.double(), b.double()
        log_b = torch.lgamma(a64) + torch.lgamma(b64) - torch.lgamma(a64 + b64)
        powers = (a - 1) * torch.log(x) + (b - 1) * torch.log1p(-x)
        return powers - log_b.to(powers.dtype)

    def mean(self, params: Tensor) -> Tensor:
        """The mean, a / (a + b)."""
        a, b = self.concentrations(params)
        return a / (a + b)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw by torch's own sampler, seeded from the generator."""
        a, b = self.concentrations(params)
        if generator is None:
            return torch.distributions.Beta(a, b).sample()
        # that sampler takes no generator: it is given a seed of its own for this one draw
        seed = torch.randint(2**62, (), generator=generator, device=generator.device)
        gpus = [a.device] if a.device.type == "cuda" else []
        with torch.random.fork_rng(devices=gpus):
            torch.manual_seed(int(seed))
            return torch.distributions.Beta(a, b).sample()
