"""The VAE: shapes, ranges, gradients, determinism, and what beta may touch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.likelihoods import Bernoulli, Gaussian, kl_standard_normal
from coursekit.models.vae import VAE, conv_vae, mlp_vae
from coursekit.networks import mlp_decoder, mlp_encoder
from coursekit.priors import MixtureOfGaussians, StandardNormal

MODELS: dict[str, Callable[[], VAE]] = {
    "mlp": tiny.vae,
    "gated": lambda: tiny.vae(gated=True),
    "mixture": lambda: tiny.vae(prior="mixture", components=3),
    "vamp": lambda: tiny.vae(prior="vamp", components=3),
    "per-pixel": lambda: tiny.vae(likelihood=Gaussian()),
    "shared": lambda: tiny.vae(likelihood=Gaussian(log_var="shared")),
    "conv": tiny.conv,
    "colour": lambda: tiny.conv(shape=(3, 8, 4), likelihood=Gaussian()),
}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())


def batch(model: VAE, n: int = 5) -> Tensor:
    return tiny.binary(n, shape=model.shape)


@every_model
def test_shapes_and_ranges(make: Callable[[], VAE]) -> None:
    model = make().eval()
    x = batch(model)
    mu, log_var = model.encode(x)
    assert mu.shape == log_var.shape == (5, model.latent_size)
    log_lik, kl = model.elbo_terms(x)
    assert log_lik.shape == kl.shape == model.loss(x).shape == (5,)
    pictures = [model.decode(mu), model.reconstruct(x), model.sample(5), model.sample(5, mean=True)]
    for found in pictures:
        assert found.shape == (5, *model.shape)
        assert found.min() >= 0 and found.max() <= 1
    raw = model.decoder(mu)
    assert raw.shape == (5, model.likelihood.params_per_channel * model.shape[0], *model.shape[1:])


@every_model
def test_gradient_reaches_every_parameter(make: Callable[[], VAE]) -> None:
    model = make()
    model.loss(batch(model)).mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@every_model
def test_the_generator_fixes_every_draw(make: Callable[[], VAE]) -> None:
    model = make().eval()
    x = batch(model)
    draws: dict[str, Callable[[torch.Generator], Tensor]] = {
        "loss": lambda generator: model.loss(x, generator=generator),
        "terms": lambda generator: torch.stack(model.elbo_terms(x, generator)),
        "sample": lambda generator: model.sample(4, generator=generator),
        "mean": lambda generator: model.sample(4, mean=True, generator=generator),
    }
    state = torch.get_rng_state()
    for name, draw in draws.items():
        one, other, third = (draw(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
        assert torch.equal(one, other), name
        assert not torch.equal(one, third), name
    assert torch.equal(state, torch.get_rng_state()), "torch's own generator was used"


@every_model
def test_arguments_are_left_alone(make: Callable[[], VAE]) -> None:
    model = make()
    x, z = batch(model), torch.randn(5, model.latent_size)
    kept = x.clone(), z.clone()
    model.loss(x)
    model.reconstruct(x)
    model.decode(z)
    assert torch.equal(x, kept[0]) and torch.equal(z, kept[1])


def test_loss_is_the_negative_elbo() -> None:
    model, x = tiny.vae(), tiny.binary(6)
    log_lik, kl = model.elbo_terms(x, torch.Generator().manual_seed(0))
    found = model.loss(x, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, kl - log_lik)
    torch.testing.assert_close(kl, kl_standard_normal(*model.encode(x)))
    assert (log_lik < 0).all(), "a probability of binary pictures is below 1"


def test_terms_are_those_of_the_drawn_latent() -> None:
    model, x = tiny.vae(prior="mixture", components=3), tiny.binary(6)
    mu, log_var = model.encode(x)
    noise = torch.empty(6, 2).normal_(generator=torch.Generator().manual_seed(0))
    z = mu + (log_var / 2).exp() * noise
    log_lik, kl = model.elbo_terms(x, torch.Generator().manual_seed(0))
    torch.testing.assert_close(log_lik, model.likelihood.log_prob(model.decoder(z), x))
    log_q = torch.distributions.Normal(mu, (log_var / 2).exp()).log_prob(z).sum(dim=1)
    torch.testing.assert_close(kl, log_q - model.prior.log_prob(z))


def test_pictures_of_a_batch_do_not_mix() -> None:
    model, x = tiny.vae(), tiny.binary(6)
    noise = torch.Generator().manual_seed(0)
    together = model.loss(x, generator=noise)[:3]
    other = torch.cat([x[:3], 1 - x[3:]])
    assert torch.equal(together, model.loss(other, generator=torch.Generator().manual_seed(0))[:3])


def test_beta_weighs_the_kl_in_the_loss_alone() -> None:
    plain, weighted, x = tiny.vae(), tiny.vae(beta=4.0), tiny.binary(6)
    terms = [model.elbo_terms(x, torch.Generator().manual_seed(0)) for model in (plain, weighted)]
    assert torch.equal(terms[0][0], terms[1][0]) and torch.equal(terms[0][1], terms[1][1])
    log_lik, kl = terms[0]
    found = weighted.loss(x, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, 4 * kl - log_lik)


def test_labels_are_not_used() -> None:
    model, x = tiny.vae(), tiny.binary(4)
    one = model.loss(x, torch.arange(4), torch.Generator().manual_seed(0))
    assert torch.equal(one, model.loss(x, None, torch.Generator().manual_seed(0)))


def test_the_elbo_bounds_log_p() -> None:
    """Quadrature over the two latents, against the mean over many draws."""
    model, x = tiny.vae(), tiny.binary(3)
    axis = torch.linspace(-6, 6, 121)
    z = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        params = model.decoder(z)
        log_joint = torch.stack([
            model.likelihood.log_prob(params, picture.expand(len(z), -1, -1, -1))
            + model.prior.log_prob(z) for picture in x
        ])  # fmt: skip
        log_p = torch.logsumexp(log_joint, dim=1) + 2 * math.log(0.1)
        log_lik, kl = model.elbo_terms(x.repeat(2000, 1, 1, 1), torch.Generator().manual_seed(0))
    elbo = (log_lik - kl).view(2000, 3)
    assert (elbo.mean(dim=0) < log_p + 4 * elbo.std(dim=0) / 2000**0.5).all()


# --- sampling ----------------------------------------------------------------------------------


def test_a_draw_is_binary_and_the_mean_is_grey() -> None:
    model = tiny.vae()
    drawn = model.sample(50, generator=torch.Generator().manual_seed(0))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    mean = model.sample(50, mean=True, generator=torch.Generator().manual_seed(0))
    assert len(mean.unique()) > 100


def test_draws_have_the_decoders_mean() -> None:
    model = tiny.vae()
    drawn = model.sample(20_000, generator=torch.Generator().manual_seed(0))
    mean = model.sample(20_000, mean=True, generator=torch.Generator().manual_seed(1))
    assert (drawn.mean(dim=0) - mean.mean(dim=0)).abs().max() < 5 * 0.5 / math.sqrt(20_000) * 1.4


def test_temperature_scales_the_latent() -> None:
    model = tiny.vae()
    seen: list[Tensor] = []
    model.decoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    for temperature in (1.0, 0.5, 0.0):
        model.sample(4, temperature=temperature, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(seen[1], 0.5 * seen[0])
    assert torch.equal(seen[2], torch.zeros(4, 2))


def test_samples_come_from_the_models_own_prior() -> None:
    model = tiny.vae(prior="mixture", components=1)
    assert isinstance(model.prior, MixtureOfGaussians)
    with torch.no_grad():
        model.prior.means.fill_(7)
    seen: list[Tensor] = []
    model.decoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    model.sample(500)
    assert (seen[0].mean(dim=0) - 7).abs().max() < 0.3


def test_reconstruction_is_the_decoded_mean() -> None:
    model, x = tiny.vae(), tiny.binary(3)
    assert torch.equal(model.reconstruct(x), model.decode(model.encode(x)[0]))
    assert torch.equal(model.reconstruct(x), model.reconstruct(x))
    assert not model.reconstruct(x).requires_grad and not model.sample(2).requires_grad
    assert model.decode(torch.zeros(1, 2)).requires_grad, "latents can be optimised through it"


@pytest.mark.parametrize("n", [0, -2])
def test_sample_needs_a_count(n: int) -> None:
    with pytest.raises(CourseError, match=f"n is {n}"):
        tiny.vae().sample(n)


# --- bad input ---------------------------------------------------------------------------------


@every_model
@pytest.mark.parametrize("call", ["encode", "loss", "elbo_terms", "reconstruct"])
def test_wrong_batches_get_one_sentence(make: Callable[[], VAE], call: str) -> None:
    model = make()
    channels, height, width = model.shape
    wrong = [
        (torch.zeros(2, channels, height + 1, width), "shape"),
        (torch.zeros(2, channels + 1, height, width), "shape"),
        (torch.zeros(channels, height, width), "shape"),
        (torch.zeros(2, channels * height * width), "shape"),
        (torch.zeros(2, *model.shape, dtype=torch.uint8), "uint8"),
        (torch.zeros(2, *model.shape, dtype=torch.int64), "int64"),
    ]
    for x, word in wrong:
        with pytest.raises(CourseError, match=word) as caught:
            getattr(model, call)(x)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(3,), (3, 3), (3, 2, 1), (3, 1, 4, 4)])
def test_wrong_latents_get_one_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(CourseError, match=r"expected \(B, 2\)"):
        tiny.vae().decode(torch.zeros(shape))


def test_parts_must_fit() -> None:
    encoder, decoder = mlp_encoder(tiny.SHAPE, (8,), 2), mlp_decoder(2, (8,), tiny.SHAPE)
    with pytest.raises(CourseError, match="3 latent dimensions and the decoder 2"):
        VAE(encoder, decoder, StandardNormal(3))
    with pytest.raises(CourseError, match="'vamp'"):
        mlp_vae(prior="vampp", hidden=(8,))
    with pytest.raises(CourseError, match="shape"):  # a decoder with no variance to give
        VAE(encoder, decoder, likelihood=Gaussian()).loss(tiny.binary(2))


def test_an_encoder_of_another_size_is_refused() -> None:
    decoder = mlp_decoder(2, (8,), tiny.SHAPE)
    model = VAE(mlp_encoder(tiny.SHAPE, (8,), 3), decoder)
    with pytest.raises(CourseError, match=r"expected \(B, 2\)"):
        model.loss(tiny.binary(2))


# --- builders ----------------------------------------------------------------------------------


def test_defaults() -> None:
    model = VAE(mlp_encoder(tiny.SHAPE, (8,), 2), mlp_decoder(2, (8,), tiny.SHAPE))
    assert isinstance(model.prior, StandardNormal) and isinstance(model.likelihood, Bernoulli)
    assert model.beta == 1 and model.shape == tiny.SHAPE and model.latent_size == 2
    assert model.card == {} and model.card is not VAE(model.encoder, model.decoder).card


def test_the_decoder_mirrors_the_encoder() -> None:
    model = mlp_vae(2, (12, 6), shape=tiny.SHAPE)

    def widths(part: nn.Module) -> list[int]:
        return [layer.out_features for layer in part.modules() if isinstance(layer, nn.Linear)]

    assert widths(model.encoder) == [12, 6, 4]
    assert widths(model.decoder) == [6, 12, 16]


@pytest.mark.parametrize("build", [mlp_vae, conv_vae])
def test_builders_pass_everything_on(build: Callable[..., VAE]) -> None:
    settings: dict[str, Any] = {"latent_size": 3, "hidden": (8,), "shape": (2, 4, 8)}
    model = build(prior="mixture", components=5, likelihood=Gaussian(), beta=0.5, **settings)
    assert model.latent_size == model.prior.latent_size == 3
    assert model.prior.logits.shape == (5,)
    assert model.shape == (2, 4, 8) and model.beta == 0.5
    assert model.sample(2).shape == (2, 2, 4, 8)


def test_copies_are_independent() -> None:
    model = tiny.vae()
    other = copy.deepcopy(model)
    with torch.no_grad():
        next(other.parameters()).add_(1)
    assert not torch.equal(next(model.parameters()), next(other.parameters()))
