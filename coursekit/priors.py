"""Priors p(z): where a latent variable model expects its latents to lie.

Every prior has `log_prob(z) -> (B,)` in nats and `sample(n) -> (n, K)`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.likelihoods import LOG_2PI, gaussian_log_prob, kl_standard_normal

Encoder = Callable[[Tensor], tuple[Tensor, Tensor]]


def _check_count(what: str, value: int) -> None:
    if value < 1:
        raise CourseError(f"{what} is {value}; it must be at least 1.")


def gaussian_sample(
    mean: Tensor, log_var: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Draw from N(mean, diag exp(log_var)): mean + exp(log_var / 2) * noise, noise ~ N(0, I).

    Args:
        mean: means, any shape.
        log_var: logarithms of the variances, the same shape.
        generator: source of the noise; torch's own if None.

    Returns:
        Draws of the same shape; gradients reach mean and log_var (the reparameterisation).
    """
    noise = torch.empty_like(mean).normal_(generator=generator)
    return mean + torch.exp(0.5 * log_var) * noise


class Prior(nn.Module):
    """What the priors share: a latent size and the KL term of the ELBO."""

    def __init__(self, latent_size: int) -> None:
        super().__init__()
        _check_count("latent_size", latent_size)
        self.latent_size = latent_size

    def _check_latents(self, z: Tensor) -> None:
        if z.ndim != 2 or z.shape[1] != self.latent_size:
            raise CourseError(
                f"prior: the latents have shape {tuple(z.shape)}; expected (B, {self.latent_size})."
            )

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density of latents (B, K) in nats, (B,)."""
        raise NotImplementedError

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, K)."""
        raise NotImplementedError

    def kl(self, mu: Tensor, log_var: Tensor, z: Tensor) -> Tensor:
        """KL(q || p) for q = N(mu, diag exp(log_var)): exact where a closed form exists.

        Otherwise the unbiased one-sample estimate log q(z) - log p(z), z drawn from q.

        Args:
            mu: the posterior's means, (B, K).
            log_var: logarithms of its variances, (B, K).
            z: one draw from it, (B, K).

        Returns:
            Nats, (B,).
        """
        return gaussian_log_prob(z, mu, log_var) - self.log_prob(z)


class StandardNormal(Prior):
    """p(z) = N(0, I).

    Example:
        >>> StandardNormal(2).log_prob(torch.zeros(1, 2))
        tensor([-1.8379])
    """

    def __init__(self, latent_size: int) -> None:
        super().__init__(latent_size)
        self.register_buffer("zero", torch.zeros(()), persistent=False)
        self.zero: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density, (B,) nats."""
        self._check_latents(z)
        return gaussian_log_prob(z, self.zero, self.zero)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents."""
        _check_count("n", n)
        empty = self.zero.new_empty(n, self.latent_size)
        return empty.normal_(generator=generator)

    def kl(self, mu: Tensor, log_var: Tensor, z: Tensor) -> Tensor:
        """The closed form; z is not needed."""
        return kl_standard_normal(mu, log_var)


class _Mixture(Prior):
    """A mixture of diagonal Gaussians; a subclass says where the components are."""

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights (M,), means (M, K), log-variances (M, K)."""
        raise NotImplementedError

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute log sum_m w_m N(z; mean_m, var_m), one component a vector; (B,) nats."""
        self._check_latents(z)
        log_weights, means, log_vars = self.components()
        deviation = (z[:, None] - means) * torch.exp(-0.5 * log_vars)  # (B, M, K)
        constant = log_vars.sum(dim=1) + self.latent_size * LOG_2PI
        log_components = -0.5 * (deviation.square().sum(dim=2) + constant)
        return torch.logsumexp(log_weights + log_components, dim=1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw a component for each latent, then the latent from it."""
        _check_count("n", n)
        log_weights, means, log_vars = self.components()
        chosen = torch.multinomial(log_weights.exp(), n, replacement=True, generator=generator)
        return gaussian_sample(means[chosen], log_vars[chosen], generator)


class MixtureOfGaussians(_Mixture):
    """p(z) = sum_m w_m N(z; mean_m, diag var_m) with weights, means and variances learned.

    Args:
        latent_size: K.
        components: M.
        spread: standard deviation of the means at the start; equal means would stay equal.

    Example:
        >>> prior = MixtureOfGaussians(2, components=3)
        >>> prior.sample(5).shape, prior.log_prob(torch.zeros(4, 2)).shape
        (torch.Size([5, 2]), torch.Size([4]))
    """

    def __init__(self, latent_size: int, components: int = 16, spread: float = 1.0) -> None:
        super().__init__(latent_size)
        _check_count("components", components)
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(spread * torch.randn(components, latent_size))
        self.log_vars = nn.Parameter(torch.zeros(components, latent_size))

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights, means, log-variances, as learned."""
        return torch.log_softmax(self.logits, dim=0), self.means, self.log_vars


class VampPrior(_Mixture):
    """The encoder's answers to learned pseudo-pictures, mixed: p(z) = 1/M sum_m q(z | u_m).

    Args:
        encoder: maps pictures (M, C, H, W) to mean and log-variance, each (M, K). It is shared
            with the model, not owned: its weights are saved with the model only.
        latent_size: K.
        pseudo_inputs: M.
        shape: (C, H, W).

    Source: Tomczak and Welling, VAE with a VampPrior (2018), equation 9.
    """

    def __init__(
        self,
        encoder: Encoder,
        latent_size: int,
        pseudo_inputs: int = 500,
        shape: tuple[int, int, int] = (1, 28, 28),
    ) -> None:
        super().__init__(latent_size)
        _check_count("pseudo_inputs", pseudo_inputs)
        self._encoder = (encoder,)  # the tuple hides it from Module: no second copy of weights
        # dark pictures with a little ink, until `start_from` gives real ones
        self.pseudo = nn.Parameter(0.05 + 0.01 * torch.randn(pseudo_inputs, *shape))

    @torch.no_grad()
    def start_from(self, pictures: Tensor) -> None:
        """Begin at real pictures, (M, C, H, W) in [0, 1], pulled a little towards grey.

        At exactly 0 or 1 the clamp would pass no gradient.
        """
        if pictures.shape != self.pseudo.shape:
            raise CourseError(
                f"VampPrior.start_from: pictures have shape {tuple(pictures.shape)}; give "
                f"{tuple(self.pseudo.shape)}, one for each pseudo-input."
            )
        self.pseudo.copy_(0.01 + 0.98 * pictures)

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        """Equal weights; means and log-variances from the encoder."""
        means, log_vars = self._encoder[0](self.pseudo.clamp(0, 1))
        count = len(self.pseudo)
        return -torch.log(means.new_full((count,), float(count))), means, log_vars
