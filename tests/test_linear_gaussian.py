"""The oracle's closed forms, and what every bound must do beside them."""

from __future__ import annotations

import itertools
import math

import pytest
import tiny
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from coursekit.errors import CourseError
from coursekit.inference import importance_bound, naive_log_prob
from coursekit.models.linear_gaussian import LinearGaussianVAE

NOISE_VAR = 0.3


def oracle(orthogonal: bool = False, dims: int = 6, latent_size: int = 3) -> LinearGaussianVAE:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(dims, latent_size, generator=generator, dtype=torch.float64)
    if orthogonal:
        scales = torch.linspace(0.5, 2, latent_size, dtype=torch.float64)
        weight = torch.linalg.qr(weight)[0] * scales
    bias = torch.randn(dims, generator=generator, dtype=torch.float64)
    return LinearGaussianVAE(weight, bias, NOISE_VAR)


def batch(model: LinearGaussianVAE, n: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return 1.5 * torch.randn(n, *model.shape, generator=generator, dtype=torch.float64)


def marginal(model: LinearGaussianVAE) -> MultivariateNormal:
    weight = model.weight.detach()
    covariance = weight @ weight.T + NOISE_VAR * torch.eye(len(weight), dtype=weight.dtype)
    return MultivariateNormal(model.bias.detach(), covariance)


def joint(model: LinearGaussianVAE) -> Tensor:
    """Covariance of (z, x) stacked: nothing of the library's algebra is in it."""
    weight = model.weight.detach()
    dims, latent_size = weight.shape
    eye = torch.eye(latent_size, dtype=weight.dtype)
    lower = torch.cat([weight, weight @ weight.T + NOISE_VAR * torch.eye(dims)], dim=1)
    return torch.cat([torch.cat([eye, weight.T], dim=1), lower])


def divergence(model: LinearGaussianVAE, x: Tensor) -> Tensor:
    """KL(q(z|x) || p(z|x)) by torch.distributions, (B,)."""
    with torch.no_grad():
        mu, log_var = model.encode(x)
    mean, covariance = model.posterior(x)
    q = MultivariateNormal(mu, torch.diag_embed(log_var.exp()))
    return kl_divergence(q, MultivariateNormal(mean, covariance.expand(len(x), -1, -1)))


@pytest.mark.parametrize("orthogonal", [True, False])
@pytest.mark.parametrize("latent_size", [1, 3, 8])  # 8: more latents than the 6 values
def test_log_marginal(orthogonal: bool, latent_size: int) -> None:
    if orthogonal and latent_size > 6:
        pytest.skip("six dimensions hold six orthogonal columns")
    model = oracle(orthogonal, latent_size=latent_size)
    x = batch(model)
    torch.testing.assert_close(model.log_marginal(x), marginal(model).log_prob(x.flatten(1)))


def test_posterior_is_the_conditional_of_the_joint() -> None:
    model = oracle()
    x = batch(model)
    whole, k = joint(model), model.latent_size
    gain = whole[:k, k:] @ torch.linalg.inv(whole[k:, k:])
    mean, covariance = model.posterior(x)
    torch.testing.assert_close(mean, (x.flatten(1) - model.bias.detach()) @ gain.T)
    torch.testing.assert_close(covariance, whole[:k, :k] - gain @ whole[k:, :k])


def test_posterior_and_marginal_by_brute_force_on_a_grid() -> None:
    model = LinearGaussianVAE(torch.tensor([[1.0], [-0.5]]), torch.tensor([0.2, 0.1]), 0.4)
    x = torch.tensor([0.7, -0.3]).view(1, 1, 1, 2)
    z = torch.linspace(-8, 8, 4001).view(-1, 1)
    with torch.no_grad():
        log_joint = model.prior.log_prob(z) + model.likelihood.log_prob(
            model.decoder(z), x.expand(len(z), -1, -1, -1)
        )
    total = torch.trapezoid(log_joint.exp(), z[:, 0])
    assert total.log().item() == pytest.approx(model.log_marginal(x).item(), abs=1e-4)
    density = log_joint.exp() / total
    mean = torch.trapezoid(density * z[:, 0], z[:, 0])
    variance = torch.trapezoid(density * (z[:, 0] - mean) ** 2, z[:, 0])
    found_mean, found_covariance = model.posterior(x)
    assert mean.item() == pytest.approx(found_mean.item(), abs=1e-4)
    assert variance.item() == pytest.approx(found_covariance.item(), abs=1e-4)


def test_the_marginal_integrates_to_one() -> None:
    model = LinearGaussianVAE(torch.tensor([[0.7]]), noise_var=0.2)
    x = torch.linspace(-9, 9, 2001)
    density = model.log_marginal(x.view(-1, 1, 1, 1)).exp()
    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=1e-4)


def test_orthogonal_columns_make_the_elbo_exact_for_every_draw() -> None:
    model = oracle(orthogonal=True)
    x = batch(model)
    mu, log_var = model.encode(x)
    mean, covariance = model.posterior(x)
    torch.testing.assert_close(mu, mean)
    torch.testing.assert_close(torch.diag_embed(log_var[0].exp()), covariance)
    # log p(x|z) + log p(z) - log q(z|x) is log p(x) whatever z is; with one sample, IWAE is that
    for seed in range(20):
        bound = importance_bound(model, x, 1, torch.Generator().manual_seed(seed))
        torch.testing.assert_close(bound, model.log_marginal(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("orthogonal", [True, False])
def test_expected_elbo_is_log_p_less_the_divergence(orthogonal: bool) -> None:
    model, draws = oracle(orthogonal), 4000
    x = batch(model, 3)
    with torch.no_grad():
        log_lik, kl = model.elbo_terms(x.repeat(draws, 1, 1, 1), torch.Generator().manual_seed(0))
    elbo = (log_lik - kl).view(draws, 3)
    error = elbo.std(dim=0) / math.sqrt(draws)
    gap = divergence(model, x)
    if orthogonal:
        assert gap.abs().max() < 1e-6
    else:
        assert gap.min() > 8 * error.max(), "the gap should be plain to see"
    deviation = (elbo.mean(dim=0) - (model.log_marginal(x) - gap)) / error
    assert deviation.abs().max() < 4


def test_the_encoder_is_the_best_diagonal_gaussian() -> None:
    model = oracle()
    x = batch(model)
    best = divergence(model, x)
    mu, _ = model.encode(x)
    mean, covariance = model.posterior(x)
    torch.testing.assert_close(mu, mean)
    # the diagonal of the covariance is the tempting, wrong answer
    wrong = MultivariateNormal(mean, torch.diag(torch.diagonal(covariance)))
    right = MultivariateNormal(mean, covariance)
    assert (kl_divergence(wrong, right) > best + 0.05).all()
    for change in (-0.1, 0.1):
        with torch.no_grad():
            model.encoder.network[1].bias[model.latent_size :] += change  # type: ignore[index]
            assert (divergence(model, x) > best).all()
            model.encoder.network[1].bias[model.latent_size :] -= change  # type: ignore[index]


def test_iwae_rises_to_log_p_and_never_passes_it() -> None:
    model = oracle()
    x = batch(model, 1)
    exact = model.log_marginal(x).item()
    many = x.expand(3000, -1, -1, -1)
    means, errors = [], []
    for seed, samples in enumerate((1, 2, 8, 64)):
        bound = importance_bound(model, many, samples, torch.Generator().manual_seed(seed), 50_000)
        means.append(bound.mean().item())
        errors.append(bound.std().item() / math.sqrt(len(many)))
    gaps = [exact - mean for mean in means]
    assert gaps[0] == pytest.approx(divergence(model, x).item(), abs=4 * errors[0])
    for earlier, later in itertools.pairwise(gaps):
        assert later < earlier - 3 * errors[0] / 2
    assert all(gap > -4 * error for gap, error in zip(gaps, errors, strict=True))
    assert gaps[-1] < 0.1


def test_naive_estimate_is_unbiased_for_p() -> None:
    model = LinearGaussianVAE(torch.tensor([[0.6], [0.3]]), noise_var=0.5)
    x = torch.tensor([[0.5, 0.1], [-1.0, 0.4]]).view(2, 1, 1, 2)
    ratios = torch.stack([
        (naive_log_prob(model, x, 50, torch.Generator().manual_seed(seed))
         - model.log_marginal(x)).exp()
        for seed in range(300)
    ])  # fmt: skip
    error = ratios.std(dim=0) / math.sqrt(len(ratios))
    assert ((ratios.mean(dim=0) - 1).abs() < 4 * error).all()
    assert error.max() < 0.02


def test_samples_have_the_marginals_moments() -> None:
    generator = torch.Generator().manual_seed(3)
    weight = 0.05 * torch.randn(4, 2, generator=generator)
    model = LinearGaussianVAE(weight, torch.full((4,), 0.5), 0.002)  # far from the clip at 0, 1
    x = model.sample(20_000, generator=generator).flatten(1)
    covariance = weight @ weight.T + 0.002 * torch.eye(4)
    error = covariance.diagonal().max() / math.sqrt(len(x))
    assert (x.mean(dim=0) - 0.5).abs().max() < 5 * covariance.diagonal().max().sqrt() / 140
    assert (torch.cov(x.T) - covariance).abs().max() < 6 * error


def test_it_is_a_vae_that_trains() -> None:
    model = LinearGaussianVAE(torch.ones(4, 2), noise_var=0.5, shape=(1, 2, 2))
    loss = model.loss(torch.rand(3, 1, 2, 2))
    assert loss.shape == (3,)
    loss.mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_log_marginal_follows_changed_weights() -> None:
    model = oracle()
    x = batch(model)
    with torch.no_grad():
        model.weight.mul_(0.5)
        model.bias.add_(1)
    torch.testing.assert_close(model.log_marginal(x), marginal(model).log_prob(x.flatten(1)))


def test_high_dimensions_stay_finite() -> None:
    generator = torch.Generator().manual_seed(0)
    model = LinearGaussianVAE(torch.randn(784, 20, generator=generator), noise_var=1e-3)
    x = model.decoder(torch.randn(2, 20, generator=generator)).detach()
    assert torch.isfinite(model.log_marginal(x)).all()


@pytest.mark.parametrize("noise_var", [0.0, -1.0, math.nan])
def test_noise_must_be_positive(noise_var: float) -> None:
    with pytest.raises(CourseError, match="noise_var"):
        LinearGaussianVAE(torch.ones(2, 1), noise_var=noise_var)


def test_shapes_must_agree() -> None:
    with pytest.raises(CourseError, match="4 values but the weight has 6 rows"):
        LinearGaussianVAE(torch.ones(6, 1), shape=(1, 2, 2))
    with pytest.raises(CourseError, match=r"expected \(B, 1, 1, 6\)"):
        oracle().loss(torch.zeros(2, *tiny.SHAPE))


@pytest.mark.parametrize("shape", [(6,), (3, 2)])
def test_the_oracle_refuses_batches_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(CourseError, match=r"\(B, 1, 1, 6\)"):
        oracle().log_marginal(torch.zeros(shape, dtype=torch.float64))
    with pytest.raises(CourseError, match=r"\(B, 1, 1, 6\)"):
        oracle().posterior(torch.zeros(shape, dtype=torch.float64))
