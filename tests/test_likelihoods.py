"""Log-densities and likelihoods against quadrature, torch.distributions and their own samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Normal, kl_divergence

from coursekit.errors import CourseError
from coursekit.likelihoods import (
    Bernoulli,
    Gaussian,
    Likelihood,
    bernoulli_log_prob,
    bits_per_dim,
    gaussian_log_prob,
    kl_gaussians,
    kl_standard_normal,
    sum_per_example,
)

PER_PIXEL, SHARED, FIXED = "per-pixel", "shared", -2.0
GAUSSIANS: list[str | float] = [PER_PIXEL, SHARED, FIXED]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- the Gaussian ------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 3), (4, 2, 3, 3), (1, 1)])
def test_gaussian_against_torch(shape: tuple[int, ...]) -> None:
    x, mean, log_var = (3 * normal(*shape, seed=seed) for seed in range(3))
    expected = Normal(mean, (log_var / 2).exp()).log_prob(x).flatten(1).sum(dim=1)
    found = gaussian_log_prob(x, mean, log_var)
    assert found.shape == shape[:1]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_gaussian_integrates_to_one() -> None:
    axis = torch.linspace(-12, 12, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    mean = torch.tensor([0.5, -1.0], dtype=torch.float64)
    log_var = torch.tensor([0.7, -0.9], dtype=torch.float64)
    cell = (axis[1] - axis[0]) ** 2
    total = gaussian_log_prob(grid, mean, log_var).exp().sum() * cell
    assert total.item() == pytest.approx(1, abs=1e-6)


def test_gaussian_broadcasts_parameters_to_the_values() -> None:
    x = normal(5, 3)
    whole = gaussian_log_prob(x, torch.full((5, 3), 0.3), torch.full((5, 3), 0.7))
    for shape in ((), (1,), (3,), (1, 3), (5, 1)):
        found = gaussian_log_prob(x, torch.full(shape, 0.3), torch.full(shape, 0.7))
        torch.testing.assert_close(found, whole)


@pytest.mark.parametrize(
    ("x", "mean"), [((5, 3), (5, 4)), ((1, 3), (5, 3)), ((5, 3), (5, 1, 3)), ((5,), (5,)), ((), ())]
)
def test_gaussian_refuses_shapes_that_do_not_fit(x: Any, mean: Any) -> None:
    with pytest.raises(CourseError, match="shape"):
        gaussian_log_prob(torch.zeros(x), torch.zeros(mean), torch.zeros(()))
    with pytest.raises(CourseError, match="shape"):
        gaussian_log_prob(torch.zeros(x), torch.zeros(()), torch.zeros(mean))


@pytest.mark.parametrize("log_var", [-150.0, -20.0, 0.0, 20.0, 85.0])
def test_gaussian_is_finite_at_extreme_variances(log_var: float) -> None:
    mean = torch.zeros(1, 2, requires_grad=True)
    spread = torch.full((1, 2), log_var, requires_grad=True)
    value = gaussian_log_prob(torch.zeros(1, 2), mean, spread)
    assert value.item() == pytest.approx(-math.log(2 * math.pi) - log_var, rel=1e-5)
    value.sum().backward()
    assert mean.grad is not None and torch.isfinite(mean.grad).all()
    assert spread.grad is not None and torch.isfinite(spread.grad).all()


# --- the Bernoulli -----------------------------------------------------------------------------


def test_bernoulli_against_torch() -> None:
    x, logits = tiny.binary(6), 4 * normal(6, *tiny.SHAPE)
    expected = TorchBernoulli(logits=logits).log_prob(x).flatten(1).sum(dim=1)
    torch.testing.assert_close(bernoulli_log_prob(x, logits), expected, rtol=1e-5, atol=1e-5)


def test_bernoulli_sums_to_one_over_all_pictures() -> None:
    pictures = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
    logits = normal(1, 4).expand(16, 4)
    total = bernoulli_log_prob(pictures, logits).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-6)


def test_grey_pictures_give_the_mean_over_binary_draws() -> None:
    x, logits = torch.tensor([[0.25, 0.8]]), torch.tensor([[1.5, -0.4]])
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 2)
    chances = torch.where(corners == 1, x, 1 - x).prod(dim=1)
    expected = (chances * bernoulli_log_prob(corners, logits.expand(4, 2))).sum()
    assert bernoulli_log_prob(x, logits).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("x", "logit", "value"), [(0, 200, -200), (1, -200, -200), (1, 200, 0), (0, -200, 0)]
)
def test_bernoulli_at_the_edges(x: float, logit: float, value: float) -> None:
    logits = torch.tensor([[float(logit)]], requires_grad=True)
    found = bernoulli_log_prob(torch.tensor([[float(x)]]), logits)
    assert found.item() == pytest.approx(value, abs=1e-6)
    found.sum().backward()
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(x - (logit > 0), abs=1e-6)


@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (1, 3), (2,)])
def test_bernoulli_refuses_another_shape(shape: tuple[int, ...]) -> None:
    x = torch.zeros(2, 3)
    if shape == (2, 3):
        assert bernoulli_log_prob(x, torch.zeros(shape)).shape == (2,)
    else:
        with pytest.raises(CourseError, match="same shape"):
            bernoulli_log_prob(x, torch.zeros(shape))


# --- divergences -------------------------------------------------------------------------------


def test_divergences_against_torch() -> None:
    mu_q, log_var_q, mu_p, log_var_p = (2 * normal(6, 4, seed=seed) for seed in range(4))
    q, p = Normal(mu_q, (log_var_q / 2).exp()), Normal(mu_p, (log_var_p / 2).exp())
    expected = kl_divergence(q, p).sum(dim=1)
    found = kl_gaussians(mu_q, log_var_q, mu_p, log_var_p)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    expected = kl_divergence(q, Normal(0, 1)).sum(dim=1)
    torch.testing.assert_close(kl_standard_normal(mu_q, log_var_q), expected, rtol=1e-5, atol=1e-5)


def test_divergences_against_monte_carlo() -> None:
    mu_q, log_var_q, mu_p, log_var_p = (normal(1, 3, seed=seed) for seed in range(4))
    z = mu_q + (log_var_q / 2).exp() * normal(40_000, 3, seed=9)
    log_q = gaussian_log_prob(z, mu_q, log_var_q)
    zero = torch.zeros(1, 3)
    cases = [
        (kl_gaussians(mu_q, log_var_q, mu_p, log_var_p), gaussian_log_prob(z, mu_p, log_var_p)),
        (kl_standard_normal(mu_q, log_var_q), gaussian_log_prob(z, zero, zero)),
    ]
    for exact, log_p in cases:
        ratio = log_q - log_p
        error = ratio.std() / 200
        assert abs(ratio.mean() - exact.item()) < 4 * error
        assert exact.item() > 20 * error


def test_divergence_is_zero_at_home_and_positive_elsewhere() -> None:
    mu, log_var = normal(50, 3), normal(50, 3, seed=1)
    assert kl_gaussians(mu, log_var, mu, log_var).abs().max() < 1e-6
    assert (kl_standard_normal(mu, log_var) > 0).all()
    assert kl_standard_normal(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]


def test_divergence_shapes() -> None:
    mu = normal(5, 3)
    zero = torch.zeros(())
    torch.testing.assert_close(kl_gaussians(mu, mu, zero, zero), kl_standard_normal(mu, mu))
    with pytest.raises(CourseError, match="shape"):
        kl_standard_normal(mu, normal(5, 4))
    with pytest.raises(CourseError, match="shape"):
        kl_gaussians(mu, mu, normal(7, 1, 3), zero)
    with pytest.raises(CourseError, match="shape"):
        kl_gaussians(mu[:1], mu, zero, zero)


@pytest.mark.parametrize("log_var", [-80.0, -30.0, 30.0, 80.0])
def test_divergence_is_finite_at_extreme_variances(log_var: float) -> None:
    spread = torch.full((1, 2), log_var, requires_grad=True)
    value = kl_standard_normal(torch.zeros(1, 2), spread)
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert spread.grad is not None and torch.isfinite(spread.grad).all()


# --- bits per dimension ------------------------------------------------------------------------


def test_bits_per_dim() -> None:
    assert bits_per_dim(784 * math.log(2), 784) == pytest.approx(1)
    torch.testing.assert_close(
        bits_per_dim(torch.tensor([2.0, 4.0]) * math.log(2), 2), torch.tensor([1.0, 2.0])
    )
    with pytest.raises(CourseError, match="dims"):
        bits_per_dim(1.0, 0)


def test_a_density_has_eight_bits_added() -> None:
    # the uniform density on [0, 1] is 8 bits for each 8-bit value; a mass needs nothing added
    assert Gaussian().bits_per_dim(0.0, 12) == 8
    assert Bernoulli().bits_per_dim(12 * math.log(2), 12) == pytest.approx(1)


def test_eight_bits_are_what_the_bins_say() -> None:
    """-log2 of the mass of a bin of width 1/256 against the density within it."""
    likelihood = Gaussian(log_var=-1.0)
    x = (torch.tensor(97.0) + 0.5) / 256
    mean = torch.full((1, 1, 1, 1), 0.3)
    nats = -likelihood.log_prob(mean, x.view(1, 1, 1, 1)).item()
    exact = Normal(0.3, math.exp(-0.5))
    mass = exact.cdf(torch.tensor(98 / 256)) - exact.cdf(torch.tensor(97 / 256))
    assert likelihood.bits_per_dim(nats, 1) == pytest.approx(-math.log2(mass.item()), abs=1e-3)


# --- the likelihoods ---------------------------------------------------------------------------


def gaussian(kind: str | float) -> tuple[Gaussian, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """A Gaussian likelihood, and where its mean and variance stand, said a second time."""
    likelihood = Gaussian(log_var=kind)

    def split(params: Tensor) -> tuple[Tensor, Tensor]:
        channels = params.shape[1] // likelihood.params_per_channel
        if kind == PER_PIXEL:
            return params[:, :channels], params[:, channels:]
        fixed = -3.0 if kind == SHARED else float(kind)
        return params, torch.full_like(params, fixed)

    return likelihood, split


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", GAUSSIANS)
def test_gaussian_likelihood_against_torch(kind: str | float, channels: int) -> None:
    likelihood, split = gaussian(kind)
    x = torch.rand(4, channels, 3, 2, generator=torch.Generator().manual_seed(0))
    params = normal(4, channels * likelihood.params_per_channel, 3, 2)
    mean, log_var = split(params)
    if kind == PER_PIXEL:
        params = torch.cat([mean, log_var - 3], dim=1)  # the middle of the soft bounds
        log_var = log_var - 3
    expected = Normal(mean, (log_var / 2).exp()).log_prob(x).flatten(1).sum(dim=1)
    # near the middle of the bounds the log-variance is the decoder's own, to some 1e-3
    found = likelihood.log_prob(params, x)
    assert found.shape == (4,)
    torch.testing.assert_close(found, expected, rtol=5e-3, atol=5e-2)
    if kind != PER_PIXEL:
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def test_per_pixel_variance_is_softly_bounded() -> None:
    likelihood = Gaussian(bounds=(-12.0, 4.0))
    raw = torch.linspace(-200, 200, 401).view(-1, 1, 1, 1)
    log_var = likelihood.mean_and_log_var(torch.cat([raw, raw], dim=1))[1].flatten()
    assert log_var.min() >= -12 and log_var.max() <= 4 + 1e-5
    assert (log_var.diff() >= 0).all()
    middle = (raw.flatten() > -9) & (raw.flatten() < 1)
    assert (log_var - raw.flatten())[middle].abs().max() < 0.06


@pytest.mark.parametrize("raw", [-1000.0, -200.0, 0.0, 200.0, 1000.0])
@pytest.mark.parametrize("x", [0.0, 0.5, 1.0])
def test_per_pixel_gaussian_is_finite_at_the_edges(raw: float, x: float) -> None:
    params = torch.tensor([[[[0.5]], [[raw]]]], requires_grad=True)
    value = Gaussian().log_prob(params, torch.full((1, 1, 1, 1), x))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert params.grad is not None and torch.isfinite(params.grad).all()


def test_per_pixel_density_integrates_to_one() -> None:
    likelihood = Gaussian()
    x = torch.linspace(-15, 15, 30_001)
    params = torch.tensor([0.4, -1.0]).view(1, 2, 1, 1).expand(len(x), -1, -1, -1)
    density = likelihood.log_prob(params, x.view(-1, 1, 1, 1)).exp()
    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("kind", GAUSSIANS)
def test_gaussian_samples_agree_with_the_density(kind: str | float) -> None:
    likelihood, _ = gaussian(kind)
    # narrow and in the middle, so that the clip at 0 and 1 has nothing to do
    likelihood_fixed = {SHARED: -7.0, FIXED: -6.0}
    if kind != PER_PIXEL:
        assert likelihood.fixed is not None
        with torch.no_grad():
            likelihood.fixed.fill_(likelihood_fixed[kind])
    one = torch.tensor([0.45, 0.55, -6.5, -7.5][: 2 * likelihood.params_per_channel])
    params = one.view(1, -1, 1, 1).expand(4000, -1, -1, -1)
    drawn = likelihood.sample(params, torch.Generator().manual_seed(0))
    assert drawn.shape == (4000, 2, 1, 1)
    for channel in range(2):
        # integrate the density numerically to a distribution function for the test
        grid = torch.linspace(0, 1, 4001)
        other = one[1 - channel].expand(4001)
        pair = torch.stack([grid, other] if channel == 0 else [other, grid], dim=1)
        log_p = likelihood.log_prob(params[:1].expand(4001, -1, -1, -1), pair.view(-1, 2, 1, 1))
        density = (log_p - log_p.max()).exp().detach()
        area = torch.cumulative_trapezoid(density, grid)
        cdf = torch.cat([torch.zeros(1), area / area[-1]])
        chance = functools.partial(np.interp, xp=grid.numpy(), fp=cdf.numpy())
        assert stats.kstest(drawn[:, channel, 0, 0].detach().numpy(), chance).pvalue > 1e-3


def test_bernoulli_samples_agree_with_the_probabilities() -> None:
    logits = torch.tensor([-2.0, -0.5, 0.0, 1.0]).view(1, 1, 2, 2).expand(5000, -1, -1, -1)
    drawn = Bernoulli().sample(logits, torch.Generator().manual_seed(0))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    # all 16 pictures, counted against what log_prob says of each
    pictures = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4).view(-1, 1, 2, 2)
    expected = 5000 * Bernoulli().log_prob(logits[:16], pictures).exp()
    code = (drawn.flatten(1) @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long()
    counts = torch.bincount(code, minlength=16)
    expected = expected / expected.sum() * counts.sum()
    assert stats.chisquare(counts.numpy(), expected.double().numpy(), sum_check=False).pvalue > 1e-3


def likelihoods() -> list[Likelihood]:
    return [Bernoulli(), *(Gaussian(log_var=kind) for kind in GAUSSIANS)]


@pytest.mark.parametrize("likelihood", likelihoods(), ids=lambda item: item.name)
def test_mean_and_sample_keep_shape_and_range(likelihood: Likelihood) -> None:
    params = 50 * normal(4, 3 * likelihood.params_per_channel, 2, 5)
    kept = params.clone()
    for pictures in (likelihood.mean(params), likelihood.sample(params)):
        assert pictures.shape == (4, 3, 2, 5)
        assert pictures.min() >= 0 and pictures.max() <= 1
    assert torch.equal(params, kept)


def test_bernoulli_mean_is_the_probability() -> None:
    logits = torch.tensor([-200.0, 0.0, math.log(3), 200.0]).view(1, 1, 2, 2)
    torch.testing.assert_close(
        Bernoulli().mean(logits).flatten(), torch.tensor([0.0, 0.5, 0.75, 1.0])
    )


@pytest.mark.parametrize("likelihood", likelihoods(), ids=lambda item: item.name)
def test_the_generator_fixes_the_sample(likelihood: Likelihood) -> None:
    params = torch.zeros(3, likelihood.params_per_channel, 4, 4)
    one, other, third = (
        likelihood.sample(params, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(one, other)
    assert not torch.equal(one, third)
    assert len(one.flatten(1).unique(dim=0)) == 3, "each picture has noise of its own"


def test_shared_variance_is_learned_and_fixed_is_not() -> None:
    assert [name for name, _ in Gaussian(log_var=SHARED).named_parameters()] == ["fixed"]
    assert list(Gaussian(log_var=FIXED).parameters()) == []
    likelihood = Gaussian(log_var=SHARED)
    optimiser = torch.optim.Adam(likelihood.parameters(), lr=0.2)
    noise = 0.5 + 0.1 * normal(100, 1, 4, 4)
    for _ in range(50):
        optimiser.zero_grad()
        (-likelihood.log_prob(torch.full_like(noise, 0.5), noise).mean()).backward()
        optimiser.step()
    assert likelihood.fixed is not None
    assert likelihood.fixed.item() == pytest.approx(math.log(0.01), abs=0.2)


@pytest.mark.parametrize("likelihood", likelihoods(), ids=lambda item: item.name)
def test_likelihoods_refuse_what_does_not_fit(likelihood: Likelihood) -> None:
    params = torch.zeros(4, 3 * likelihood.params_per_channel, 2, 5)
    with pytest.raises(CourseError, match="shape"):
        likelihood.log_prob(params, torch.zeros(4, 1, 2, 5))
    with pytest.raises(CourseError, match="shape"):
        likelihood.log_prob(params, torch.zeros(2, 3, 2, 5))


def test_odd_channels_do_not_split_in_two() -> None:
    with pytest.raises(CourseError, match=r"2 \* C"):
        Gaussian().mean(torch.zeros(2, 3, 4, 4))


@pytest.mark.parametrize("log_var", ["per_pixel", "learned", ""])
def test_gaussian_refuses_an_unknown_variance(log_var: str) -> None:
    with pytest.raises(CourseError, match="per-pixel"):
        Gaussian(log_var=log_var)


def test_sum_per_example() -> None:
    assert sum_per_example(torch.ones(2, 3, 4, 5)).tolist() == [60, 60]
