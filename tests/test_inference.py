"""Importance-weighted and naive estimates: right, bounded in memory, clear about bad input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.inference import importance_bound, log_mean_exp, naive_log_prob
from coursekit.likelihoods import Gaussian
from coursekit.models.linear_gaussian import LinearGaussianVAE
from coursekit.models.vae import VAE

ESTIMATORS = [importance_bound, naive_log_prob]


class Watched(nn.Module):
    """A decoder that notes how many latents it gets at a time."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.latent_size, self.shape = inner, inner.latent_size, inner.shape
        self.seen: list[Tensor] = []

    def forward(self, z: Tensor) -> Tensor:
        self.seen.append(z.detach().clone())
        return self.inner(z)


def watched() -> tuple[VAE, Watched]:
    model = tiny.vae()
    decoder = Watched(model.decoder)
    model.decoder = decoder  # type: ignore[assignment]
    return model, decoder


def exact(model: VAE, x: Tensor) -> Tensor:
    """Log p(x) of a model with two latents, by quadrature on a fine grid."""
    axis = torch.linspace(-6, 6, 121)
    z = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        params = model.decoder(z)
        log_lik = torch.stack([
            model.likelihood.log_prob(params, picture.expand(len(z), -1, -1, -1)) for picture in x
        ])  # fmt: skip
        cell = 2 * math.log(float(axis[1] - axis[0]))
        return torch.logsumexp(log_lik + model.prior.log_prob(z) + cell, dim=1)


def test_log_mean_exp() -> None:
    log_w = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(log_mean_exp(log_w), log_w.exp().mean(dim=0).log())
    for shift in (-1000.0, 1000.0):
        torch.testing.assert_close(log_mean_exp(log_w + shift), log_mean_exp(log_w) + shift)
    assert log_mean_exp(torch.full((4, 1), -math.inf)).item() == -math.inf


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize("prior", ["standard", "mixture", "vamp"])
def test_many_samples_reach_log_p(estimate: Callable[..., Tensor], prior: str) -> None:
    model = tiny.vae(prior=prior, components=3)
    x = tiny.binary(4)
    found = estimate(model, x, 20_000, torch.Generator().manual_seed(0), chunk=80_000)
    torch.testing.assert_close(found, exact(model, x), rtol=0, atol=0.1)


def test_one_sample_is_the_elbo_draw() -> None:
    model, x = tiny.vae(prior="mixture", components=3), tiny.binary(6)
    with torch.no_grad():  # with a prior that has no closed form, even draw by draw
        log_lik, kl = model.elbo_terms(x, torch.Generator().manual_seed(4))
    found = importance_bound(model, x, 1, torch.Generator().manual_seed(4))
    torch.testing.assert_close(found, log_lik - kl)


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_it_is_the_log_of_the_mean_weight(samples: int) -> None:
    model, x = tiny.vae(), tiny.binary(3)
    with torch.no_grad():
        mu, log_var = model.encode(x)
        noise = torch.empty(samples, 3, 2).normal_(generator=torch.Generator().manual_seed(1))
        z = mu + (log_var / 2).exp() * noise
        log_w = torch.stack([
            model.likelihood.log_prob(model.decoder(draw), x)
            + torch.distributions.Normal(0, 1).log_prob(draw).sum(dim=1)
            - torch.distributions.Normal(mu, (log_var / 2).exp()).log_prob(draw).sum(dim=1)
            for draw in z
        ])  # fmt: skip
    found = importance_bound(model, x, samples, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found, log_w.exp().mean(dim=0).log(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_the_chunk_does_not_change_the_distribution(estimate: Callable[..., Tensor]) -> None:
    model = tiny.vae()
    x = tiny.binary(1).expand(200, -1, -1, -1) if estimate is importance_bound else tiny.binary(1)

    def draws(chunk: int) -> Tensor:
        if estimate is importance_bound:
            return estimate(model, x, 5, torch.Generator().manual_seed(0), chunk)
        seeds = range(200)
        return torch.cat([
            estimate(model, x, 5, torch.Generator().manual_seed(seed), chunk) for seed in seeds
        ])  # fmt: skip

    one, other = draws(3), draws(1000)
    assert one.shape == other.shape == (200,)
    error = math.hypot(one.std().item(), other.std().item()) / math.sqrt(200)
    assert abs(one.mean() - other.mean()) < 4 * error
    assert 0.7 < one.std() / other.std() < 1.4


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 7, 35, 1000])
@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_every_sample_is_counted_once(estimate: Callable[..., Tensor], chunk: int) -> None:
    model, decoder = watched()
    x = tiny.binary(4)
    found = estimate(model, x, 9, torch.Generator().manual_seed(0), chunk)
    assert found.shape == (4,)
    assert sum(len(z) for z in decoder.seen) == 4 * 9
    assert max(len(z) for z in decoder.seen) <= chunk
    # a decoder that ignores z has the same weight for each sample, so S must cancel exactly
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.zero_()
                layer.bias.zero_()
    found = estimate(model, x, 9, torch.Generator().manual_seed(0), chunk)
    torch.testing.assert_close(found, torch.full((4,), -16 * math.log(2)))


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize(("batch", "samples"), [(3, 5000), (250, 3), (1, 250)])
def test_memory_does_not_grow_with_samples_or_batch(
    estimate: Callable[..., Tensor], batch: int, samples: int
) -> None:
    model, decoder = watched()
    estimate(model, tiny.binary(batch), samples, chunk=100)
    assert max(len(z) for z in decoder.seen) <= 100
    assert sum(len(z) for z in decoder.seen) == batch * samples
    assert len(decoder.seen) <= 2 * batch * samples / 100 + 3, "the chunks should be full ones"


def test_nothing_is_kept_for_a_gradient() -> None:
    model, x = tiny.vae(), tiny.binary(2)
    assert not importance_bound(model, x, 3).requires_grad
    assert not naive_log_prob(model, x, 3).requires_grad


def test_latents_are_fresh_for_each_picture_and_sample() -> None:
    model, decoder = watched()
    x = tiny.binary(1).expand(5, -1, -1, -1)  # the same picture, so the same posterior
    importance_bound(model, x, 20, torch.Generator().manual_seed(0), chunk=30)
    z = torch.cat(decoder.seen)
    assert len(z.unique(dim=0)) == 100


def test_naive_draws_serve_all_pictures_alike() -> None:
    model = tiny.vae()
    x = tiny.binary(1).expand(5, -1, -1, -1)
    for chunk in (2, 1000):
        found = naive_log_prob(model, x, 8, torch.Generator().manual_seed(0), chunk=chunk)
        torch.testing.assert_close(found, found[:1].expand(5))


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_the_generator_fixes_the_answer(estimate: Callable[..., Tensor]) -> None:
    model, x = tiny.vae(), tiny.binary(3)
    one, other, third = (
        estimate(model, x, 4, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_pictures_do_not_mix(estimate: Callable[..., Tensor]) -> None:
    model, x = tiny.vae(), tiny.binary(6)
    together = estimate(model, x, 6000, torch.Generator().manual_seed(0))
    apart = torch.cat([estimate(model, part, 6000) for part in x.split(1)])
    torch.testing.assert_close(together, apart, rtol=0, atol=0.05)


def test_very_small_probabilities_do_not_underflow() -> None:
    model = LinearGaussianVAE(torch.ones(784, 1), noise_var=0.01)
    x = torch.rand(2, *model.shape, generator=torch.Generator().manual_seed(0))
    found = importance_bound(model, x, 50, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, model.log_marginal(x), rtol=1e-4, atol=1e-2)
    assert found.max() < -1000


def test_a_learned_variance_is_handled() -> None:
    model, x = tiny.vae(likelihood=Gaussian()), torch.rand(3, *tiny.SHAPE)
    found = importance_bound(model, x, 4000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, exact(model, x), rtol=0, atol=0.05)


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"samples": 0}, "samples"),
        ({"samples": -5}, "samples"),
        ({"chunk": 0}, "chunk"),
        ({"chunk": -1}, "chunk"),
        ({"x": tiny.binary(4)[:0]}, "no picture"),
        ({"x": tiny.binary(4, shape=(1, 8, 8))}, r"\(B, 1, 4, 4\)"),
        ({"x": tiny.binary(4).byte()}, "uint8"),
    ],
)
def test_bad_input(estimate: Callable[..., Tensor], change: dict[str, Any], word: str) -> None:
    arguments: dict[str, Any] = {"x": tiny.binary(2), "samples": 3, "chunk": 10} | change
    with pytest.raises(CourseError, match=word):
        estimate(tiny.vae(), arguments.pop("x"), **arguments)
