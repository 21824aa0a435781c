"""The conditional VAE: encoder, decoder and, if wanted, prior are told the condition."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.likelihoods import Likelihood, gaussian_log_prob, kl_gaussians
from coursekit.likelihoods import likelihood as make_likelihood
from coursekit.models.base import Model
from coursekit.models.conditions import Condition, Labels, Quadrants
from coursekit.networks import MNIST_SHAPE, Shape, check_pictures, mlp
from coursekit.priors import StandardNormal, gaussian_sample


class CVAE(Model):
    """A model of pictures given a condition: p(z|c) p(x|z, c), with q(z|x, c).

    log p(x|c) >= E_q(z|x,c)[log p(x|z, c)] - KL(q(z|x, c) || p(z|c))

    With a condition of size 0 it is a VAE, bit for bit. Where the condition is a part of the
    picture, only the rest of the picture is explained.

    Args:
        encoder: [x, c] flattened, (B, D + M) -> (B, 2 K).
        decoder: [z, c], (B, K + M) -> (B, P * D).
        condition: what is told.
        latent_size: K.
        shape: (C, H, W).
        prior: c, (B, M) -> (B, 2 K), mean and log-variance of p(z|c); N(0, I) if None.
        likelihood: one, or its name; Bernoulli if None.

    Source: Sohn et al., Learning Structured Output Representation using Deep Conditional
    Generative Models (2015), equation 4.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        condition: Condition,
        latent_size: int,
        shape: Shape = MNIST_SHAPE,
        prior: nn.Module | None = None,
        likelihood: Likelihood | str | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.condition = condition
        self.latent_size = latent_size
        self.shape = shape
        self.prior = prior
        self.standard = StandardNormal(latent_size)
        self.likelihood = make_likelihood(likelihood)

    def encode(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x, c), each (B, K)."""
        check_pictures(x, self.shape, "encoder")
        self.condition.check(c, len(x))
        mu, log_var = self.encoder(torch.cat([x.flatten(1), c], dim=1)).chunk(2, dim=1)
        return mu, log_var

    def parameters_of(self, z: Tensor, c: Tensor) -> Tensor:
        """The likelihood's parameters of p(x|z, c), (B, P * C, H, W)."""
        self.condition.check(c, len(z))
        return self.decoder(torch.cat([z, c], dim=1)).reshape(len(z), -1, *self.shape[1:])

    def decode(self, z: Tensor, c: Tensor) -> Tensor:
        """Mean picture of p(x|z, c), (B, C, H, W), for latents (B, K) and conditions (B, M)."""
        return self.likelihood.mean(self.parameters_of(z, c))

    def prior_of(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of p(z|c), each (B, K)."""
        self.condition.check(c, len(c))
        if self.prior is None:
            zeros = c.new_zeros(len(c), self.latent_size)
            return zeros, zeros
        mu, log_var = self.prior(c).chunk(2, dim=1)
        return mu, log_var

    def place(self, noise: Tensor, c: Tensor) -> Tensor:
        """Latents with this noise: mean + standard deviation * noise of p(z|c).

        Args:
            noise: (B, K); one row with several conditions is one style for each of them.
            c: conditions, (B, M).

        Returns:
            Latents, (B, K); the noise itself where the prior is N(0, I).

        Raises:
            CourseError: if the noise fits neither the conditions nor the model.
        """
        if noise.shape != (len(c), self.latent_size):
            expected = f"expected {(len(c), self.latent_size)}, a row for each condition"
            raise CourseError(f"place: the noise has shape {tuple(noise.shape)}; {expected}.")
        mu, log_var = self.prior_of(c)
        return noise if self.prior is None else mu + torch.exp(0.5 * log_var) * noise

    def elbo_terms(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The two terms of the bound, with one draw z ~ q(z|x, c).

        Args:
            x: pictures, (B, C, H, W).
            y: labels, (B,), where the condition needs them.
            generator: source of the draw.

        Returns:
            log p(x|z, c) and KL(q(z|x, c) || p(z|c)), each (B,) nats.
        """
        c = self.condition(x, y)
        mu, log_var = self.encode(x, c)
        z = gaussian_sample(mu, log_var, generator)
        hidden = self.condition.hidden()
        log_likelihood = self.likelihood.log_prob(self.parameters_of(z, c), x, hidden)
        if self.prior is None:
            return log_likelihood, self.standard.kl(mu, log_var, z)
        return log_likelihood, kl_gaussians(mu, log_var, *self.prior_of(c))

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Negative conditional ELBO with one sample, (B,) nats; arguments as for `elbo_terms`."""
        log_likelihood, kl = self.elbo_terms(x, y, generator)
        return kl - log_likelihood

    def log_weights(
        self, x: Tensor, y: Tensor | None, n: int, proposal: str,
        generator: torch.Generator | None = None,
    ) -> Tensor:  # fmt: skip
        """Log-weights of n draws for each picture: what `conditional_log_prob` averages.

        Args:
            x: pictures, (B, C, H, W).
            y: labels, (B,), or None.
            n: draws for each picture.
            proposal: "prior" (log p(x|z, c), z ~ p(z|c)) or "encoder" (z ~ q(z|x, c), with
                log p(z|c) - log q(z|x, c) added).
            generator: source of the draws.

        Returns:
            Nats, (n, B).
        """
        c = self.condition(x, y)
        prior = self.prior_of(c)
        mu, log_var = self.encode(x, c) if proposal == "encoder" else prior

        def repeat(value: Tensor) -> Tensor:
            return value.expand(n, *value.shape).flatten(0, 1)

        z = gaussian_sample(repeat(mu), repeat(log_var), generator)
        params = self.parameters_of(z, repeat(c))
        log_w = self.likelihood.log_prob(params, repeat(x), self.condition.hidden())
        if proposal == "encoder":
            log_w = log_w + gaussian_log_prob(z, *map(repeat, prior))
            log_w = log_w - gaussian_log_prob(z, repeat(mu), repeat(log_var))
        return log_w.view(n, -1)

    @torch.no_grad()
    def sample_given(
        self,
        c: Tensor,
        mean: bool = False,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        z: Tensor | None = None,
    ) -> Tensor:
        """Draw a picture for each condition: z ~ p(z|c), x ~ p(x|z, c).

        Args:
            c: conditions, (B, M).
            mean: the mean of p(x|z, c) in place of a draw from it.
            temperature: factor on the prior's standard deviation.
            generator: source of all draws.
            z: latents of your own, (B, K), in place of the prior's.

        Returns:
            Pictures, (B, C, H, W) in [0, 1].
        """
        if z is None:
            mu, log_var = self.prior_of(c)
            z = mu + temperature * (gaussian_sample(mu, log_var, generator) - mu)
        params = self.parameters_of(z, c)
        return self.likelihood.mean(params) if mean else self.likelihood.sample(params, generator)

    def sample(
        self,
        n: int,
        mean: bool = False,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw n pictures; with labels as condition, the classes by turns 0, 1, 2, ...

        Raises:
            CourseError: where the condition is a part of a picture: then use `sample_given`; or
                if n is below 1.
        """
        c = self.condition.by_turns(n, self.device)
        return self.sample_given(c, mean, temperature, generator)


class Completer(Model):
    """The baseline of structured prediction: one answer, p(x_hidden|c), no latent variable.

    Args:
        network: c, (B, M) -> (B, P * D).
        condition: which quadrants are seen.
        shape: (C, H, W).
        likelihood: one, or its name; Bernoulli if None.
    """

    no_samples = "A completer needs the part that is seen: call complete(x)."

    def __init__(
        self,
        network: nn.Module,
        condition: Quadrants,
        shape: Shape = MNIST_SHAPE,
        likelihood: Likelihood | str | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.condition = condition
        self.shape = shape
        self.likelihood = make_likelihood(likelihood)

    def parameters_of(self, c: Tensor) -> Tensor:
        """The likelihood's parameters, (B, P * C, H, W), for conditions (B, M)."""
        return self.network(c).reshape(len(c), -1, *self.shape[1:])

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """-log p(x_hidden|c), exactly, (B,) nats."""
        params = self.parameters_of(self.condition(x, y))
        return -self.likelihood.log_prob(params, x, self.condition.hidden())

    @torch.no_grad()
    def complete(self, x: Tensor) -> Tensor:
        """The mean answer, (B, C, H, W), the seen part as it is."""
        answer = self.likelihood.mean(self.parameters_of(self.condition(x)))
        return torch.where(self.condition.seen, x, answer)


def _active(dropout: float) -> Callable[[], nn.Module]:
    """What stands between two layers: LeakyReLU, and dropout where it is wanted."""
    if not 0 <= dropout < 1:
        raise CourseError(f"dropout is {dropout}; it must be at least 0 and below 1.")
    if dropout == 0:
        return nn.LeakyReLU
    return lambda: nn.Sequential(nn.LeakyReLU(), nn.Dropout(dropout))


def mlp_cvae(
    latent_size: int = 20,
    hidden: Sequence[int] = (512, 512),
    classes: int = 0,
    quadrants: int = 0,
    conditional_prior: bool = False,
    likelihood: Likelihood | str | None = None,
    shape: Shape = MNIST_SHAPE,
    dropout: float = 0.0,
) -> CVAE:
    """Build a fully connected CVAE; with neither classes nor quadrants it is `mlp_vae`.

    Args:
        latent_size: K.
        hidden: widths of the encoder's hidden layers; reversed in the decoder.
        classes: size of a one-hot label as condition.
        quadrants: how many quadrants are seen, 1 to 3, as condition.
        conditional_prior: a network for p(z|c) in place of N(0, I).
        likelihood: one, or its name; Bernoulli if None.
        shape: (C, H, W).
        dropout: share of the hidden units that training puts out, in all networks.

    Raises:
        CourseError: for two conditions at once, or a conditional prior without any.

    Example:
        >>> mlp_cvae(2, (8,), classes=10).sample(10, mean=True).shape
        torch.Size([10, 1, 28, 28])
    """
    if classes and quadrants:
        raise CourseError("mlp_cvae: give classes or quadrants, not both.")
    condition: Condition = Condition()
    if classes:
        condition = Labels(classes)
    elif quadrants:
        condition = Quadrants(quadrants, shape)
    elif conditional_prior:
        raise CourseError("mlp_cvae: a conditional prior needs a condition.")
    made = make_likelihood(likelihood)
    dims, size, active = math.prod(shape), condition.size, _active(dropout)
    encoder = mlp([dims + size, *hidden, 2 * latent_size], active)
    out = made.params_per_channel * dims
    decoder = mlp([latent_size + size, *reversed(hidden), out], active)
    prior = mlp([size, *hidden, 2 * latent_size], active) if conditional_prior else None
    return CVAE(encoder, decoder, condition, latent_size, shape, prior, made)


def mlp_completer(
    hidden: Sequence[int] = (512, 512),
    quadrants: int = 1,
    likelihood: Likelihood | str | None = None,
    shape: Shape = MNIST_SHAPE,
    dropout: float = 0.0,
) -> Completer:
    """Build the baseline, with the decoder's layers but for the latent among its inputs.

    Args:
        hidden: widths of the hidden layers.
        quadrants: how many are seen, 1 to 3.
        likelihood: one, or its name; Bernoulli if None.
        shape: (C, H, W).
        dropout: share of the hidden units that training puts out.

    Example:
        >>> cvae, baseline = mlp_cvae(20, (64,), quadrants=1), mlp_completer((64,), 1)
        >>> from coursekit.networks import count_parameters
        >>> abs(count_parameters(baseline) / count_parameters(cvae.decoder) - 1) < 0.05
        True
    """
    made = make_likelihood(likelihood)
    condition = Quadrants(quadrants, shape)
    out = made.params_per_channel * math.prod(shape)
    network = mlp([condition.size, *hidden, out], _active(dropout))
    return Completer(network, condition, shape, made)
