"""The variational autoencoder: encoder, decoder, prior and likelihood put together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.likelihoods import Bernoulli, Likelihood
from coursekit.likelihoods import likelihood as make_likelihood
from coursekit.models.base import Model
from coursekit.networks import (
    MNIST_SHAPE,
    Decoder,
    Encoder,
    Shape,
    conv_decoder,
    conv_encoder,
    mlp_decoder,
    mlp_encoder,
)
from coursekit.priors import (
    MixtureOfGaussians,
    Prior,
    StandardNormal,
    VampPrior,
    gaussian_sample,
)


class VAE(Model):
    """A latent variable model p(z) p(x|z) with an approximate posterior q(z|x).

    ELBO(x) = E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z)) <= log p(x)

    Args:
        encoder: pictures (B, C, H, W) -> (mu, log_var) of q(z|x), each (B, K).
        decoder: latents (B, K) -> parameters of p(x|z), (B, P * C, H, W).
        prior: p(z); the standard normal if None.
        likelihood: p(x|z); Bernoulli if None.
        beta: weight of the KL term in `loss` alone (Higgins et al. 2017); 1 gives the ELBO.

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2014), equation 3.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        prior: Prior | None = None,
        likelihood: Likelihood | None = None,
        beta: float = 1.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior or StandardNormal(decoder.latent_size)
        self.likelihood = likelihood or Bernoulli()
        self.beta = beta
        if self.prior.latent_size != decoder.latent_size:
            raise CourseError(
                f"VAE: the prior has {self.prior.latent_size} latent dimensions and the decoder "
                f"{decoder.latent_size}; give both the same."
            )

    @property
    def latent_size(self) -> int:
        """K, the number of latent dimensions."""
        return self.decoder.latent_size

    @property
    def shape(self) -> Shape:
        """(C, H, W) of a picture."""
        return self.decoder.shape

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each (B, K), for pictures (B, C, H, W)."""
        mu, log_var = self.encoder(x)
        return mu, log_var

    def decode(self, z: Tensor) -> Tensor:
        """The mean picture of p(x|z), (B, C, H, W) in [0, 1], for latents (B, K)."""
        return self.likelihood.mean(self.decoder(z))

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The two terms of the ELBO, estimated with one draw z ~ q(z|x).

        Args:
            x: pictures, (B, C, H, W).
            generator: source of the draw.

        Returns:
            log p(x|z) and KL(q(z|x) || p(z)), each (B,) nats. The ELBO is their difference.
        """
        mu, log_var = self.encode(x)
        z = gaussian_sample(mu, log_var, generator)
        return self.likelihood.log_prob(self.decoder(z), x), self.prior.kl(mu, log_var, z)

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Negative ELBO with one sample: -log p(x|z) + beta * KL(q(z|x) || p(z)).

        Args:
            x: pictures, (B, C, H, W).
            y: labels; this model does not use them.
            generator: source of the draw.

        Returns:
            Nats, (B,).
        """
        log_likelihood, kl = self.elbo_terms(x, generator)
        return self.beta * kl - log_likelihood

    @torch.no_grad()
    def sample(
        self,
        n: int,
        mean: bool = False,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Ancestral sampling: z ~ p(z), then x ~ p(x|z).

        Args:
            n: how many pictures.
            mean: show the mean of p(x|z) in place of a draw from it.
            temperature: factor on z; below 1 it stays nearer to 0 than the prior does.
            generator: source of all draws.

        Returns:
            Pictures, (n, C, H, W) in [0, 1].
        """
        params = self.decoder(temperature * self.prior.sample(n, generator))
        return self.likelihood.mean(params) if mean else self.likelihood.sample(params, generator)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode the posterior's mean: pictures (B, C, H, W) to pictures of the same shape."""
        return self.decode(self.encode(x)[0])


def _prior(kind: str, encoder: Encoder, latent_size: int, shape: Shape, components: int) -> Prior:
    if kind == "standard":
        return StandardNormal(latent_size)
    if kind == "mixture":
        return MixtureOfGaussians(latent_size, components)
    if kind == "vamp":
        return VampPrior(encoder, latent_size, components, shape)
    raise CourseError(f"prior is {kind!r}; the choices are 'standard', 'mixture', 'vamp'.")


def mlp_vae(
    latent_size: int = 20,
    hidden: Sequence[int] = (512, 512),
    prior: str = "standard",
    components: int = 16,
    gated: bool = False,
    likelihood: Likelihood | str | None = None,
    shape: Shape = MNIST_SHAPE,
    beta: float = 1.0,
) -> VAE:
    """Build a fully connected VAE; the decoder is the encoder's mirror image.

    Args:
        latent_size: K.
        hidden: widths of the encoder's hidden layers; reversed in the decoder.
        prior: "standard", "mixture" or "vamp".
        components: of the mixture, or pseudo-inputs of the VampPrior.
        gated: gated layers in place of LeakyReLU.
        likelihood: one, or its name in `likelihoods.LIKELIHOODS`; Bernoulli if None.
        shape: (C, H, W).
        beta: weight of the KL term in the loss.

    Example:
        >>> mlp_vae(latent_size=2, hidden=(8,)).sample(3).shape
        torch.Size([3, 1, 28, 28])
    """
    likelihood = make_likelihood(likelihood)
    encoder = mlp_encoder(shape, hidden, latent_size, gated)
    decoder = mlp_decoder(
        latent_size, tuple(reversed(hidden)), shape, likelihood.params_per_channel, gated
    )
    return VAE(
        encoder, decoder, _prior(prior, encoder, latent_size, shape, components), likelihood, beta
    )


def conv_vae(
    latent_size: int = 16,
    channels: Sequence[int] = (32, 64),
    hidden: Sequence[int] = (256,),
    prior: str = "standard",
    components: int = 16,
    likelihood: Likelihood | str | None = None,
    shape: Shape = MNIST_SHAPE,
    beta: float = 1.0,
    head: int = 0,
) -> VAE:
    """Build a convolutional VAE; arguments as for `mlp_vae` and `networks.conv_encoder`.

    Example:
        >>> conv_vae(latent_size=2, channels=(4, 8), hidden=(16,)).sample(3).shape
        torch.Size([3, 1, 28, 28])
    """
    likelihood = make_likelihood(likelihood)
    encoder = conv_encoder(shape, latent_size, channels, hidden)
    width = likelihood.params_per_channel
    decoder = conv_decoder(latent_size, shape, width, channels, hidden, head)
    return VAE(
        encoder, decoder, _prior(prior, encoder, latent_size, shape, components), likelihood, beta
    )
