"""Priors: densities, samples, and the VampPrior's tie to the encoder."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import tiny
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from coursekit.errors import CourseError
from coursekit.priors import (
    MixtureOfGaussians,
    Prior,
    StandardNormal,
    VampPrior,
    gaussian_sample,
)


def mixture(components: int = 3, latent_size: int = 2, seed: int = 0) -> MixtureOfGaussians:
    """A mixture whose weights, means and variances are all different."""
    with tiny.seeded(seed):
        prior = MixtureOfGaussians(latent_size, components)
        with torch.no_grad():
            prior.logits.copy_(torch.linspace(-1, 1.5, components) + 5)  # not normalised
            prior.means.mul_(2)
            prior.log_vars.normal_(-0.5, 0.8)
    return prior


def vamp(pseudo_inputs: int = 4) -> VampPrior:
    model = tiny.vae(prior="vamp", components=pseudo_inputs)
    assert isinstance(model.prior, VampPrior)
    with torch.no_grad():
        model.prior.pseudo.copy_(torch.rand_like(model.prior.pseudo))
        for parameter in model.encoder.parameters():
            parameter.mul_(3)  # untrained posteriors hardly differ
    return model.prior


def reference(prior: Prior) -> torch.distributions.Distribution:
    if isinstance(prior, StandardNormal):
        return MultivariateNormal(torch.zeros(2), torch.eye(2))
    if isinstance(prior, MixtureOfGaussians):
        parts = Normal(prior.means.detach(), (prior.log_vars.detach() / 2).exp())
        return MixtureSameFamily(Categorical(logits=prior.logits.detach()), Independent(parts, 1))
    assert isinstance(prior, VampPrior)
    with torch.no_grad():
        means, log_vars = prior._encoder[0](prior.pseudo.clamp(0, 1))
    parts = Normal(means, (log_vars / 2).exp())
    return MixtureSameFamily(Categorical(logits=torch.zeros(len(means))), Independent(parts, 1))


PRIORS: dict[str, Callable[[], Prior]] = {
    "standard": lambda: StandardNormal(2),
    "mixture": mixture,
    "one component": lambda: mixture(1),
    "vamp": vamp,
}
every_prior = pytest.mark.parametrize("make", PRIORS.values(), ids=PRIORS.keys())


@every_prior
def test_log_prob_against_torch(make: Callable[[], Prior]) -> None:
    prior = make()
    z = 3 * torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    found = prior.log_prob(z)
    assert found.shape == (50,)
    torch.testing.assert_close(found.detach(), reference(prior).log_prob(z), rtol=1e-5, atol=1e-5)


@every_prior
def test_density_integrates_to_one(make: Callable[[], Prior]) -> None:
    axis = torch.linspace(-16, 16, 481)
    with torch.no_grad():
        log_p = make().log_prob(torch.cartesian_prod(axis, axis))
    assert (log_p.exp().sum() * (axis[1] - axis[0]) ** 2).item() == pytest.approx(1, abs=1e-3)


@every_prior
def test_sample_moments(make: Callable[[], Prior]) -> None:
    prior, n = make(), 20_000
    with torch.no_grad():
        z = prior.sample(n, torch.Generator().manual_seed(0))
    expected = reference(prior)
    error = (expected.variance / n).sqrt()
    assert ((z.mean(dim=0) - expected.mean).abs() < 4 * error).all()
    torch.testing.assert_close(z.var(dim=0), expected.variance, rtol=0.06, atol=0)


@every_prior
def test_samples_fit_the_density(make: Callable[[], Prior]) -> None:
    """A chi-square test over the cells of a grid, against the integral of exp(log_prob)."""
    prior, n = make(), 6000
    fine = torch.linspace(-12, 12, 961)
    with torch.no_grad():
        z = prior.sample(n, torch.Generator().manual_seed(0))
        mass = prior.log_prob(torch.cartesian_prod(fine, fine)).exp().view(961, 961)[:-1, :-1]
    cells = mass.view(12, 80, 12, 80).sum(dim=(1, 3)) * (fine[1] - fine[0]) ** 2
    index = ((z + 12) / 2).floor().long().clamp(0, 11)
    counts = torch.bincount(index[:, 0] * 12 + index[:, 1], minlength=144).double()
    expected = n * cells.flatten().double()
    usual = expected > 8
    observed = torch.cat([counts[usual], counts[~usual].sum()[None] + 8])
    wanted = torch.cat([expected[usual], n - expected[usual].sum()[None] + 8])
    assert int(usual.sum()) > 4
    assert stats.chisquare(observed.numpy(), wanted.numpy(), sum_check=False).pvalue > 1e-3


def test_components_are_drawn_by_weight_and_whole() -> None:
    """Far apart on a diagonal: every draw lies near one mean in all its dimensions at once."""
    prior = MixtureOfGaussians(3, components=3)
    with torch.no_grad():
        prior.logits.copy_(torch.tensor([0.2, 0.3, 0.5]).log() + 4)
        prior.means.copy_(torch.tensor([-20.0, 0.0, 20.0])[:, None].expand(3, 3))
        prior.log_vars.fill_(2 * math.log(0.5))
        z = prior.sample(6000, torch.Generator().manual_seed(0))
    nearest = (z[:, None] - prior.means).abs().sum(dim=2).argmin(dim=1)
    deviation = z - prior.means[nearest].detach()
    assert deviation.abs().max() < 5 * 0.5
    assert deviation.std().item() == pytest.approx(0.5, rel=0.02)
    counts = torch.bincount(nearest, minlength=3).numpy()
    assert stats.chisquare(counts, [1200, 1800, 3000]).pvalue > 1e-3


def test_one_far_component_does_not_underflow() -> None:
    prior = mixture()
    z = torch.full((1, 2), 300.0)
    expected = reference(prior).log_prob(z)
    assert torch.isfinite(expected).all() and expected.item() < -1000
    torch.testing.assert_close(prior.log_prob(z).detach(), expected, rtol=1e-5, atol=1e-3)


@every_prior
def test_the_generator_fixes_the_sample(make: Callable[[], Prior]) -> None:
    prior = make()
    one, other, third = (prior.sample(5, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert one.shape == (5, 2)
    assert torch.equal(one, other)
    assert not torch.equal(one, third)
    state = torch.get_rng_state()
    prior.sample(5, torch.Generator().manual_seed(0))
    assert torch.equal(state, torch.get_rng_state()), "torch's own generator was used"


@every_prior
@pytest.mark.parametrize("n", [0, -1])
def test_sample_needs_a_count(make: Callable[[], Prior], n: int) -> None:
    with pytest.raises(CourseError, match=f"n is {n}"):
        make().sample(n)


@every_prior
@pytest.mark.parametrize("shape", [(2,), (5, 3), (5, 1), (5, 1, 2)])
def test_log_prob_refuses_another_shape(make: Callable[[], Prior], shape: tuple[int, ...]) -> None:
    with pytest.raises(CourseError, match=r"expected \(B, 2\)"):
        make().log_prob(torch.zeros(shape))


def test_sizes_must_be_positive() -> None:
    for make in (lambda: StandardNormal(0), lambda: MixtureOfGaussians(0, 3)):
        with pytest.raises(CourseError, match="latent_size"):
            make()
    with pytest.raises(CourseError, match="components"):
        MixtureOfGaussians(2, components=0)
    with pytest.raises(CourseError, match="pseudo_inputs"):
        VampPrior(tiny.vae().encoder, 2, pseudo_inputs=0, shape=tiny.SHAPE)


# --- the KL term -------------------------------------------------------------------------------


@every_prior
def test_kl_is_right_on_average(make: Callable[[], Prior]) -> None:
    prior = make()
    n = 20_000
    mu = torch.tensor([[0.5, -1.0]]).expand(n, 2)
    log_var = torch.tensor([[-1.0, 0.3]]).expand(n, 2)
    z = gaussian_sample(mu, log_var, torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = prior.kl(mu, log_var, z)
    q = Independent(Normal(mu[0], (log_var[0] / 2).exp()), 1)
    fresh = q.sample(torch.Size([n]))
    ratio = q.log_prob(fresh) - reference(prior).log_prob(fresh)
    error = math.hypot(ratio.std().item(), found.std().item()) / math.sqrt(n)
    assert abs(found.mean() - ratio.mean()) < 4 * error
    assert found.shape == (n,)


def test_a_mixture_of_one_standard_normal_gives_the_same_kl_on_average() -> None:
    one = MixtureOfGaussians(2, components=1, spread=0.0)
    mu, log_var = torch.full((20_000, 2), 0.7), torch.full((20_000, 2), -0.4)
    z = gaussian_sample(mu, log_var, torch.Generator().manual_seed(0))
    with torch.no_grad():
        estimate = one.kl(mu, log_var, z)
    exact = StandardNormal(2).kl(mu[:1], log_var[:1], z[:1]).item()
    assert estimate.mean().item() == pytest.approx(exact, abs=4 * estimate.std().item() / 141)


def test_reparameterised_draws() -> None:
    mean = torch.zeros(20_000, 2, requires_grad=True)
    log_var = torch.full((20_000, 2), 2 * math.log(3.0), requires_grad=True)
    z = gaussian_sample(mean, log_var, torch.Generator().manual_seed(0))
    assert z.std().item() == pytest.approx(3, rel=0.02)
    z.sum().backward()
    assert mean.grad is not None and log_var.grad is not None
    assert torch.equal(mean.grad, torch.ones_like(mean))
    torch.testing.assert_close(log_var.grad, z.detach() / 2)


def test_equal_broadcast_means_have_noise_of_their_own() -> None:
    mean = torch.zeros(1, 2).expand(50, 2)
    assert len(gaussian_sample(mean, mean).unique(dim=0)) == 50


# --- learning ----------------------------------------------------------------------------------


def test_the_mixture_learns_weights_means_and_variances() -> None:
    prior = mixture()
    prior.log_prob(torch.randn(20, 2)).mean().backward()
    for name, parameter in prior.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().min() > 0, name


def test_fresh_components_differ() -> None:
    assert len(MixtureOfGaussians(2, components=8).means.unique(dim=0)) == 8


# --- the VampPrior -----------------------------------------------------------------------------


def test_vamp_does_not_own_the_encoder() -> None:
    prior = vamp()
    assert [name for name, _ in prior.named_parameters()] == ["pseudo"]
    assert list(prior.state_dict()) == ["pseudo"]
    plain, with_vamp = tiny.vae(), tiny.vae(prior="vamp", components=4)
    extra = set(with_vamp.state_dict()) - set(plain.state_dict())
    assert extra == {"prior.pseudo"}


def test_vamp_gradient_reaches_pseudo_inputs_and_encoder() -> None:
    model = tiny.vae(prior="vamp", components=4)
    assert isinstance(model.prior, VampPrior)
    model.prior.log_prob(torch.randn(6, 2)).sum().backward()
    assert model.prior.pseudo.grad is not None
    assert model.prior.pseudo.grad.flatten(1).abs().sum(dim=1).min() > 0
    for name, parameter in model.encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_a_copied_vae_uses_the_copied_encoder() -> None:
    model = tiny.vae(prior="vamp", components=4)
    other = copy.deepcopy(model)
    assert isinstance(other.prior, VampPrior)
    assert other.prior._encoder[0] is other.encoder
    assert other.encoder is not model.encoder
    z = torch.randn(3, 2)
    before = model.prior.log_prob(z)
    with torch.no_grad():
        for parameter in other.encoder.parameters():
            parameter.add_(1)
    assert torch.equal(model.prior.log_prob(z), before)
    assert not torch.allclose(other.prior.log_prob(z), before)


def test_vamp_follows_the_encoder_through_loading_and_dtype() -> None:
    model, other = tiny.vae(prior="vamp", components=4), tiny.vae(5, prior="vamp", components=4)
    other.load_state_dict(model.state_dict())
    z = torch.randn(3, 2)
    assert torch.equal(other.prior.log_prob(z), model.prior.log_prob(z))
    assert model.double().prior.log_prob(z.double()).dtype == torch.float64


def test_vamp_starts_from_pictures_and_still_learns() -> None:
    model = tiny.vae(prior="vamp", components=4)
    assert isinstance(model.prior, VampPrior)
    pictures = tiny.binary(4)
    kept = pictures.clone()
    model.prior.start_from(pictures)
    assert torch.equal(pictures, kept)
    assert (model.prior.pseudo - pictures).abs().max() < 0.05
    model.prior.log_prob(torch.randn(6, 2)).sum().backward()
    assert model.prior.pseudo.grad is not None
    assert (model.prior.pseudo.grad != 0).all(), "a pixel at 0 or 1 is stuck behind the clamp"
    for wrong in (tiny.binary(3), tiny.binary(4, shape=(1, 8, 8)), Tensor()):
        with pytest.raises(CourseError, match=r"\(4, 1, 4, 4\)"):
            model.prior.start_from(wrong)
