"""Inference without an encoder: the optimum, the looks and stops, frozen weights, masks, gaps."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import tiny
import torch
from test_linear_gaussian import batch, divergence, oracle
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.inference import (
    Completion,
    DiagonalGaussian,
    Gap,
    Inferred,
    complete,
    elbo,
    importance_bound,
    infer,
    inference_gap,
    mean_and_interval,
)
from coursekit.likelihoods import Bernoulli, Gaussian
from coursekit.models.linear_gaussian import LinearGaussianVAE
from coursekit.models.vae import VAE
from coursekit.priors import StandardNormal

STILL = partial(torch.optim.SGD, lr=0.0)
WILD = partial(torch.optim.SGD, lr=1e30)
CERTAIN = -60.0
"""A log-variance so small that the noise is lost when it is added."""


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def run(model: VAE, x: Tensor, mask: Tensor | None = None, **settings: Any) -> Inferred:
    settings = {"steps": 30, "generator": rng()} | settings
    return infer(model.decoder, model.likelihood, model.prior, x, mask, **settings)


def fill(model: VAE, x: Tensor, mask: Tensor, n: int = 1, **settings: Any) -> Completion:
    settings = {"steps": 30, "generator": rng()} | settings
    return complete(model.decoder, model.likelihood, model.prior, x, mask, n, **settings)


def sigma_points(size: int) -> Tensor:
    """Noise with mean 0 and covariance I exactly, (2 K, 1, K): quadratics have no error on it."""
    points = math.sqrt(size) * torch.eye(size, dtype=torch.float64)
    return torch.cat([points, -points])[:, None]


def is_same(one: Inferred, other: Inferred) -> bool:
    return (
        torch.equal(one.q.mu, other.q.mu)
        and torch.equal(one.q.log_var, other.q.log_var)
        and torch.equal(one.elbo, other.elbo)
        and one.curve == other.curve
    )


# --- the ELBO and its optimum ------------------------------------------------------------------


def spoilt(model: LinearGaussianVAE, mean: float = 0.3, log_var: float = 0.7) -> LinearGaussianVAE:
    """The oracle with an encoder that errs by this much in every dimension."""
    with torch.no_grad():
        bias = model.encoder.network[1].bias  # type: ignore[index]
        bias[: model.latent_size] += mean
        bias[model.latent_size :] += log_var
    return model


@pytest.mark.parametrize("orthogonal", [True, False])
def test_the_elbo_is_log_p_less_the_divergence(orthogonal: bool) -> None:
    model = spoilt(oracle(orthogonal)).eval()
    x = batch(model)
    with torch.no_grad():
        q = DiagonalGaussian(*model.encode(x))
        noise = sigma_points(model.latent_size)
        found = elbo(model.decoder, model.likelihood, model.prior, x, q, noise)
    gap = divergence(model, x)
    assert gap.min() > 0.3
    torch.testing.assert_close(found, model.log_marginal(x) - gap)


def test_each_picture_may_have_noise_of_its_own() -> None:
    model, x = tiny.vae().eval(), tiny.binary(3)
    q = DiagonalGaussian(*model.encode(x))
    noise = torch.randn(4, 3, 2, generator=rng())
    found = elbo(model.decoder, model.likelihood, model.prior, x, q, noise)
    for i in range(3):
        row = DiagonalGaussian(q.mu[i : i + 1], q.log_var[i : i + 1])
        alone = elbo(
            model.decoder, model.likelihood, model.prior, x[i : i + 1], row, noise[:, i : i + 1]
        )
        torch.testing.assert_close(found[i : i + 1], alone)


def test_the_elbo_of_a_part_counts_what_is_seen() -> None:
    model, x = tiny.vae().eval(), tiny.binary(3)
    q = DiagonalGaussian(torch.randn(3, 2, generator=rng()), torch.full((3, 2), CERTAIN))
    seen = tiny.binary(3, seed=1).bool()
    found = elbo(
        model.decoder, model.likelihood, model.prior, x, q, torch.zeros(2, 1, 2), seen
    )  # fmt: skip
    each = torch.distributions.Bernoulli(logits=model.decoder(q.mu)).log_prob(x)
    kl = 0.5 * (q.mu.square() + math.exp(CERTAIN) - 1 - CERTAIN).sum(dim=1)
    torch.testing.assert_close(found, (each * seen).sum(dim=(1, 2, 3)) - kl)


@pytest.mark.parametrize("start", ["prior", "normal"])
def test_it_finds_the_exact_posterior(start: str) -> None:
    model = oracle(orthogonal=True, dims=4, latent_size=2).eval()
    x = batch(model, 4)
    coarse = run(model, x, steps=250, draws=64, start=start, patience=999)
    fine = partial(torch.optim.Adam, lr=0.02)
    found = run(model, x, steps=150, draws=256, start=coarse.q, optimizer=fine, patience=999)
    mean, covariance = model.posterior(x)
    variance = covariance.diagonal()
    assert ((found.q.mu - mean).abs() / variance.sqrt()).max() < 0.3
    assert (found.q.log_var - variance.log()).abs().max() < 0.5
    with torch.no_grad():
        reached = elbo(
            model.decoder, model.likelihood, model.prior, x, found.q, sigma_points(2)
        )  # fmt: skip
    exact = model.log_marginal(x)
    assert (exact - reached).max() < 0.06 and (exact - reached).min() > -1e-6
    # on its 256 draws it scatters about that by a standard error of about 1/16
    assert (found.elbo - exact).abs().max() < 0.3
    assert coarse.start_elbo.mean() < exact.mean() - 1, "the start should be far from it"


def test_with_nothing_seen_the_prior_is_the_answer() -> None:
    model, x = tiny.vae().eval(), tiny.binary(3)
    nothing = torch.zeros(4, 4, dtype=torch.bool)
    found = run(model, x, nothing)
    assert torch.equal(found.q.mu, torch.zeros(3, 2)) and torch.equal(found.elbo, torch.zeros(3))
    far = run(model, x, nothing, start="normal", steps=150, patience=999)
    assert far.start_elbo.max() < -0.05
    assert far.q.mu.abs().max() < 0.05 and far.q.log_var.abs().max() < 0.05


def test_a_part_gives_the_exact_posterior_of_the_part() -> None:
    model = oracle(dims=6, latent_size=1).eval()  # one latent: every posterior is diagonal
    x, seen = batch(model, 3), torch.tensor([1, 0, 0, 1, 0, 0]).bool()
    first = run(model, x, seen, steps=80, draws=64)
    fine = partial(torch.optim.Adam, lr=0.02)
    found = run(model, x, seen, steps=120, draws=64, start=first.q, optimizer=fine, patience=999)
    w = model.weight.detach()[seen, 0]
    precision = 1 + w.square().sum() / model.noise_var
    residual = x.flatten(1)[:, seen] - model.bias.detach()[seen]
    mean = residual @ w / model.noise_var / precision
    assert ((found.q.mu[:, 0] - mean) * precision.sqrt()).abs().max() < 0.25
    assert (found.q.log_var + precision.log()).abs().max() < 0.4


def test_pictures_do_not_mix() -> None:
    model, x = tiny.vae().eval(), tiny.binary(4)
    start = torch.randn(4, 2, generator=rng()), torch.full((4, 2), CERTAIN)
    masks = tiny.binary(4, seed=2).bool()
    for optimizer in (None, partial(torch.optim.SGD, lr=0.05)):
        settings: dict[str, Any] = {"optimizer": optimizer, "patience": 999, "look_every": 7}
        together = run(model, x, masks, start=start, **settings)
        assert (together.elbo > together.start_elbo + 0.2).all()
        for i in range(4):
            row = slice(i, i + 1)
            own = start[0][row], start[1][row]
            alone = run(model, x[row], masks[row], start=own, generator=rng(9), **settings)
            torch.testing.assert_close(together.q.mu[row], alone.q.mu, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(together.elbo[row], alone.elbo, rtol=1e-4, atol=1e-4)


# --- starts, looks and stops -------------------------------------------------------------------


class Scripted:
    """An optimiser that goes where it is told: mu of picture i after step t is path[i, t - 1]."""

    def __init__(self, path: Tensor) -> None:
        self.path, self.taken = path, 0

    def __call__(self, psi: list[Tensor]) -> Any:
        self.mu = psi[0]
        return self

    def step(self) -> None:
        with torch.no_grad():
            self.mu.copy_(self.path[:, self.taken, None])
        self.taken += 1


STEP = torch.arange(1.0, 31)
PATH = torch.stack([
    0.6 + 0.2 * (STEP - 12).abs(),  # better for 12 steps
    STEP,  # perfect at the start, then ever worse
    3 - 0.05 * STEP,  # better to the end
    torch.where(STEP < 7, 5.0, 0.01 * STEP - 0.08),  # worse for 6 steps, then nearly perfect
])  # fmt: skip
STARTS = torch.tensor([3.0, 0.0, 3.0, 1.0])


def scripted(**settings: Any) -> tuple[Inferred, Scripted]:
    """The ELBO of latent mu is a constant less mu^2."""
    script = Scripted(PATH)
    found = infer(
        lambda z: z.view(-1, 1, 1, 1), Gaussian(log_var=0.0), StandardNormal(1),
        torch.zeros(4, 1, 1, 1), steps=30, optimizer=script,
        start=(STARTS[:, None], torch.full((4, 1), CERTAIN)), **settings,
    )  # fmt: skip
    return found, script


def test_every_picture_stops_on_its_own_and_keeps_its_best() -> None:
    found, _ = scripted(patience=5, look_every=1)
    assert found.steps.tolist() == [17, 5, 30, 5]
    assert found.q.mu[:, 0].tolist() == pytest.approx([0.6, 0.0, 1.5, 1.0])
    rise = STARTS.square() - torch.tensor([0.6, 0.0, 1.5, 1.0]).square()
    torch.testing.assert_close(found.elbo - found.start_elbo, rise)


def test_patience_counts_steps_and_not_looks() -> None:
    found, _ = scripted(patience=5, look_every=4)
    assert found.steps.tolist() == [20, 8, 30, 16]
    assert found.q.mu[:, 0].tolist() == pytest.approx([0.6, 0.0, 1.5, 0.0])
    assert found.looks == [0, 4, 8, 12, 16, 20, 24, 28, 30]


def test_the_curve_is_the_best_so_far() -> None:
    found, _ = scripted(patience=999, look_every=4)
    at = [step - 1 for step in found.looks[1:]]
    best = torch.cat([STARTS[:, None], PATH[:, at]], dim=1).square().cummin(dim=1).values
    expected = (STARTS[:, None].square() - best).mean(dim=0)
    rise = torch.tensor(found.curve) - found.curve[0]
    torch.testing.assert_close(rise, expected, rtol=0, atol=1e-4)
    assert found.curve[0] == pytest.approx(found.start_elbo.mean().item())
    assert found.curve[-1] == pytest.approx(found.elbo.mean().item())


def test_it_ends_when_all_have_stopped() -> None:
    model, x = tiny.vae().eval(), tiny.binary(3)
    for look_every, patience, last in ((10, 25, 30), (1, 7, 7), (10, 50, 50), (40, 5, 40)):
        found = run(
            model, x, steps=70, optimizer=STILL, patience=patience, look_every=look_every
        )  # fmt: skip
        assert found.steps.tolist() == [last] * 3
        assert found.looks == list(range(0, last + 1, look_every))


STARTING = ["prior", "normal", "encoder", "perfect"]


def started(model: VAE, x: Tensor, start: str) -> Any:
    """The start of that name; perfect is what a first search arrived at."""
    if start == "encoder":
        return model.encode(x)
    return run(model, x, steps=200).q if start == "perfect" else start


@pytest.mark.parametrize("start", STARTING)
@pytest.mark.parametrize("lr", [1.0, 100.0, 1e30])
def test_the_answer_is_never_worse_than_the_start(start: str, lr: float) -> None:
    model, x = tiny.vae().eval(), tiny.binary(5)
    harsh = partial(torch.optim.SGD, lr=lr)
    found = run(model, x, start=started(model, x, start), optimizer=harsh, look_every=1)
    assert (found.elbo >= found.start_elbo).all()
    for value in (found.elbo, found.q.mu, found.q.log_var, torch.tensor(found.curve)):
        assert torch.isfinite(value).all()
    assert found.curve == sorted(found.curve)


def test_a_perfect_start_survives_a_search_that_explodes() -> None:
    model, x = tiny.vae().eval(), tiny.binary(5)
    perfect = started(model, x, "perfect")
    kept = perfect.mu.clone(), perfect.log_var.clone()
    found = run(model, x, start=perfect, optimizer=WILD)
    assert torch.equal(found.q.mu, kept[0]) and torch.equal(found.q.log_var, kept[1])
    assert torch.equal(found.elbo, found.start_elbo)
    assert torch.equal(perfect.mu, kept[0]), "the start that was given is left alone"


def test_the_elbo_that_is_told_is_that_of_the_answer() -> None:
    model, x = tiny.vae().eval(), tiny.binary(5)
    start = model.encode(x)
    found = run(model, x, start=start)
    again = run(model, x, start=found.q, steps=1, optimizer=STILL)  # the same draws: same seed
    torch.testing.assert_close(again.start_elbo, found.elbo)
    assert found.elbo.mean() > found.start_elbo.mean() + 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_starts_are_what_they_are_called(dtype: torch.dtype) -> None:
    model, x = tiny.vae().eval().to(dtype), tiny.binary(2000).to(dtype)
    nowhere: dict[str, Any] = {"steps": 1, "optimizer": STILL}
    prior, normal = (run(model, x, start=name, **nowhere).q for name in ("prior", "normal"))
    assert prior.mu.count_nonzero() == prior.log_var.count_nonzero() == 0
    for value in normal:
        assert value.mean().abs() < 0.1 and abs(value.std() - 1) < 0.1
        assert len(value.unique()) > 3900
    mu, log_var = model.encode(x)
    encoder = run(model, x, start=(mu, log_var), **nowhere).q
    assert torch.equal(encoder.mu, mu) and torch.equal(encoder.log_var, log_var)


@pytest.mark.parametrize("prior", ["mixture", "vamp"])
def test_a_mixture_prior(prior: str) -> None:
    model, x = tiny.vae(prior=prior, components=3).eval(), tiny.binary(4)
    before = tiny.weights(model)
    log_weights, means, log_vars = model.prior.components()  # type: ignore[operator]
    weights = log_weights.exp()[:, None]
    mean = (weights * means).sum(dim=0)
    variance = (weights * (log_vars.exp() + means.square())).sum(dim=0) - mean.square()
    start = run(model, x, steps=1, optimizer=STILL).q
    assert (start.mu - mean).abs().max() < 0.15
    assert (start.log_var - variance.log()).abs().max() < 0.15
    found = run(model, x, draws=64)
    assert found.elbo.mean() > found.start_elbo.mean() + 0.02
    assert not found.q.mu.requires_grad and not found.elbo.requires_grad
    assert tiny.same(before, tiny.weights(model))
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("start", ["prior", "normal"])
@pytest.mark.parametrize("prior", ["standard", "mixture"])
def test_the_generator_fixes_the_answer(start: str, prior: str) -> None:
    model, x = tiny.vae(prior=prior, components=3).eval(), tiny.binary(4)
    mask = torch.ones(4, 4, dtype=torch.bool).tril()
    state = torch.get_rng_state()
    one, other, third = (
        fill(model, x, mask, 2, start=start, steps=15, generator=rng(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(state, torch.get_rng_state()), "torch's own generator was used"
    assert is_same(one.inferred, other.inferred) and torch.equal(one.pictures, other.pictures)
    assert not is_same(one.inferred, third.inferred)


def test_it_works_where_gradients_are_off() -> None:
    model, x = tiny.vae().eval(), tiny.binary(3)
    plain = run(model, x)
    with torch.no_grad():
        assert is_same(plain, run(model, x))
    assert (plain.elbo > plain.start_elbo).any() and not plain.q.mu.requires_grad


# --- the decoder is left as it is --------------------------------------------------------------


def test_the_decoder_is_frozen() -> None:
    model, x = tiny.conv(likelihood=Gaussian(log_var="shared")), tiny.binary(4)
    model.loss(x)  # moves the running means off their first values
    model.eval()
    parameters = list(model.parameters())
    parameters[-1].requires_grad_(False)
    flags = [parameter.requires_grad for parameter in parameters]
    before = tiny.weights(model)
    assert any(name.endswith("running_mean") for name in before)
    found = run(model, x, start="normal")
    fill(model, x, torch.ones(4, 4, dtype=torch.bool).tril())
    inference_gap(model, x, samples=2, draws=2, steps=2)
    assert (found.elbo > found.start_elbo).all()
    assert tiny.same(before, tiny.weights(model))
    assert all(parameter.grad is None for parameter in parameters)
    assert flags == [parameter.requires_grad for parameter in parameters]
    assert not model.training


def test_a_gradient_that_was_there_stays_as_it_was() -> None:
    model, x = tiny.vae().eval(), tiny.binary(4)
    model.loss(x).sum().backward()
    before = [parameter.grad.clone() for parameter in model.parameters()]  # type: ignore[union-attr]
    run(model, x)
    for parameter, grad in zip(model.parameters(), before, strict=True):
        assert parameter.grad is not None and torch.equal(parameter.grad, grad)


# --- masks and completion ----------------------------------------------------------------------

HALF = torch.arange(4).expand(4, 4) < 2


@pytest.mark.parametrize("garbage", [1.0, 0.37, -1e30, math.inf, math.nan])
@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(), Gaussian(log_var=-2.0)])
def test_what_is_hidden_has_no_influence(garbage: float, likelihood: Any) -> None:
    model, x = tiny.vae(likelihood=likelihood).eval(), tiny.binary(3)
    other = torch.where(HALF, x, garbage)
    plain, changed = (fill(model, picture, HALF, 2) for picture in (x, other))
    assert is_same(plain.inferred, changed.inferred)
    assert torch.equal(plain.pictures, changed.pictures)
    assert torch.isfinite(plain.pictures).all()
    assert is_same(run(model, x, HALF), run(model, other, HALF))
    seen = torch.where(HALF, 1 - x, x)
    assert not is_same(plain.inferred, run(model, seen, HALF)), "what is seen has an influence"


def test_masks_of_every_shape_that_fits() -> None:
    model, x = tiny.vae().eval(), tiny.binary(3)
    one = run(model, x, HALF)
    for shape in ((1, 4, 4), (1, 1, 4, 4), (3, 1, 4, 4)):
        assert is_same(one, run(model, x, HALF.expand(shape)))
    everything = torch.ones(1, dtype=torch.bool)
    assert is_same(run(model, x), run(model, x, everything))
    assert not is_same(one, run(model, x))


def test_completions_keep_the_part_that_is_seen() -> None:
    model = tiny.vae(shape=(3, 4, 4)).eval()
    x = torch.rand(2, 3, 4, 4, generator=rng())  # not a value that Bernoulli draws could hit
    mask = tiny.binary(2, seed=3).bool()
    found = fill(model, x, mask, 6)
    assert found.pictures.shape == (6, 2, 3, 4, 4)
    wide = mask.expand(2, 3, 4, 4)
    for picture in found.pictures:
        assert torch.equal(picture[wide], x[wide])
        assert set(picture[~wide].tolist()) <= {0.0, 1.0}
    assert len(found.pictures.flatten(1).unique(dim=0)) == 6, "each completion is a draw"


def known(n: int, mean: bool, latent: float = CERTAIN) -> tuple[VAE, Completion]:
    """Completions of one picture from q(z) around (1, -1), with nothing learned about it."""
    model = tiny.vae().eval()
    start = torch.tensor([[1.0, -1.0]]), torch.full((1, 2), latent)
    settings: dict[str, Any] = {"steps": 1, "optimizer": STILL, "start": start, "mean": mean}
    return model, fill(model, tiny.binary(1), HALF, n, **settings)


def test_the_mean_is_fixed_by_the_latent_and_a_draw_is_not() -> None:
    model, means = known(3, mean=True)
    assert torch.equal(means.pictures, means.pictures[:1].expand_as(means.pictures))
    with torch.no_grad():
        expected = torch.sigmoid(model.decoder(torch.tensor([[1.0, -1.0]])))
    torch.testing.assert_close(means.pictures[0, 0, 0, ~HALF], expected[0, 0, ~HALF])
    _, draws = known(2000, mean=False)
    share = draws.pictures.mean(dim=0)[0, 0]
    assert (share[~HALF] - expected[0, 0, ~HALF]).abs().max() < 0.05
    _, scattered = known(3, mean=True, latent=0.0)
    assert len(scattered.pictures.flatten(1).unique(dim=0)) == 3, "z is drawn either way"


def test_draws_of_a_gaussian_of_its_own_for_each_picture() -> None:
    mu, spread = torch.tensor([[0.0, 5.0], [-3.0, 2.0]]), torch.tensor([[1.0, 0.1], [2.0, 0.5]])
    z = DiagonalGaussian(mu, 2 * spread.log()).sample(4000, rng())
    assert z.shape == (4000, 2, 2)
    assert ((z.mean(dim=0) - mu).abs() < 5 * spread / math.sqrt(4000)).all()
    torch.testing.assert_close(z.std(dim=0), spread, rtol=0.1, atol=0)


# --- bad input ---------------------------------------------------------------------------------

PAIR = torch.zeros(2, 2)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"x": tiny.binary(2)[0]}, r"\(B, C, H, W\)"),
        ({"x": tiny.binary(2)[:0]}, r"\(B, C, H, W\)"),
        ({"x": tiny.binary(2).byte()}, "uint8"),
        ({"x": tiny.binary(2, shape=(1, 8, 8)), "mask": torch.ones(1).bool()}, "shape"),
        ({"mask": HALF.float()}, "bool"),
        ({"mask": HALF.byte()}, "bool"),
        ({"mask": torch.ones(5, 5).bool()}, r"\(5, 5\)"),
        ({"mask": torch.ones(3, 1, 4, 4).bool()}, r"\(3, 1, 4, 4\)"),
        ({"mask": torch.ones(1, 2, 1, 4, 4).bool()}, "does not fit"),
        ({"steps": 0}, "steps is 0"),
        ({"patience": 0}, "patience"),
        ({"draws": -1}, "draws"),
        ({"look_every": 0}, "look_every"),
        ({"start": "encoder"}, "'encoder'"),
        ({"start": (PAIR[:1], PAIR)}, "start has shapes"),
        ({"start": (PAIR, PAIR[:, :1])}, "start has shapes"),
    ],
)
def test_bad_input(change: dict[str, Any], word: str) -> None:
    settings: dict[str, Any] = {"x": tiny.binary(2), "mask": HALF} | change
    model, x, mask = tiny.vae().eval(), settings.pop("x"), settings.pop("mask")
    with pytest.raises(CourseError, match=word):
        run(model, x, mask, **settings)
    with pytest.raises(CourseError, match=word):
        fill(model, x, mask, **settings)


def test_one_picture_and_several_masks_do_not_fit() -> None:
    masks = torch.ones(3, 1, 4, 4).bool()
    for ask in (run, fill):
        with pytest.raises(CourseError, match="does not fit"):
            ask(tiny.vae().eval(), tiny.binary(1), masks)


def test_training_mode_and_no_completion_at_all_are_refused() -> None:
    model, x = tiny.vae(), tiny.binary(2)
    for ask in (run, fill):
        with pytest.raises(CourseError, match=r"model\.eval\(\)"):
            ask(model, x, HALF)
    with pytest.raises(CourseError, match="n is 0"):
        fill(model.eval(), x, HALF, 0)


# --- the gaps ----------------------------------------------------------------------------------


def measured(model: VAE, x: Tensor, **settings: Any) -> Gap:
    settings = {"samples": 20, "draws": 400, "steps": 60, "generator": rng()} | settings
    return inference_gap(model, x, **settings)


def test_the_exact_encoder_leaves_no_gap() -> None:
    model = oracle(orthogonal=True, dims=4, latent_size=2).eval()
    x = batch(model, 4)
    gap = measured(model, x, samples=200)
    # the search leaves even a perfect start by a little, and the draws are from where it ends
    torch.testing.assert_close(gap.log_prob, model.log_marginal(x), rtol=0, atol=0.05)
    # 400 draws of a term whose standard deviation is about 1: the error is about 0.05
    assert gap.approximation.abs().max() < 0.25
    assert gap.amortisation.abs().max() < 0.1, "both have the same noise, so the error is small"


def test_a_spoilt_encoder_shows_as_the_amortisation_gap() -> None:
    model = spoilt(oracle(orthogonal=True, dims=4, latent_size=2)).eval()
    x = batch(model, 4)
    gap, expected = measured(model, x, samples=3000), divergence(model, x)
    assert expected.min() > 0.5
    assert (gap.amortisation - expected).abs().max() < 0.25
    assert (gap.log_prob - model.log_marginal(x)).abs().max() < 0.1
    assert gap.approximation.abs().max() < 0.25


def test_a_hopeless_encoder_does_not_spoil_the_estimate_of_log_p() -> None:
    model = spoilt(oracle(orthogonal=True, dims=4, latent_size=2), mean=5.0, log_var=-4.0).eval()
    x = batch(model, 4)
    exact = model.log_marginal(x)
    by_encoder = importance_bound(model, x, 500, rng())
    assert (exact - by_encoder).min() > 3, "draws from the encoder's q must fail plainly here"
    gap = measured(model, x, samples=500, steps=300)
    assert (gap.log_prob - exact).abs().max() < 0.05
    assert gap.approximation.abs().max() < 0.25
    assert gap.amortisation.min() > 5


def test_the_bound_of_a_proposal_is_that_of_each_picture() -> None:
    model = spoilt(oracle(dims=4, latent_size=2, orthogonal=True), mean=2.0).eval()
    x = batch(model, 7)
    mean, covariance = model.posterior(x)
    exact = mean, covariance.diagonal().log().expand_as(mean)  # a wrong row would show
    found = importance_bound(model, x, 2, rng(), chunk=3, proposal=exact)
    torch.testing.assert_close(found, model.log_marginal(x))
    with pytest.raises(CourseError, match="7 and 6 rows for 7 pictures"):
        importance_bound(model, x, 2, rng(), proposal=(exact[0], exact[1][:6]))


def test_no_diagonal_gaussian_shows_as_the_approximation_gap() -> None:
    weight = torch.tensor([[1.0, 1.0], [1.0, 0.9], [0.8, 1.0], [1.0, 0.7]], dtype=torch.float64)
    model = LinearGaussianVAE(weight, noise_var=0.3).eval()
    x = batch(model, 4)
    gap, expected = measured(model, x, samples=3000, draws=1000), divergence(model, x)
    assert expected.min() > 0.7, "the gap should be plain to see"
    assert (gap.approximation - expected).mean().abs() < 0.3
    # the search is led by a few draws, so it can leave even a perfect start by a little
    assert gap.amortisation.abs().max() < 0.3


def test_the_two_parts_make_the_whole() -> None:
    model, x = tiny.vae().eval(), tiny.binary(5)
    gap = measured(model, x, draws=100)
    assert (gap.amortisation > -0.05).all() and gap.amortisation.mean() > 0.1
    torch.testing.assert_close(gap.amortisation, gap.optimised - gap.encoder)
    torch.testing.assert_close(gap.approximation + gap.amortisation, gap.log_prob - gap.encoder)
    assert gap.q.mu.shape == (5, 2)
    for value in (gap.encoder, gap.optimised, gap.log_prob):
        assert value.shape == (5,) and not value.requires_grad
    again = measured(model, x, draws=100)
    assert torch.equal(gap.optimised, again.optimised)
    assert torch.equal(gap.log_prob, again.log_prob)


@pytest.mark.parametrize("name", ["samples", "draws", "steps"])
def test_a_gap_needs_counts(name: str) -> None:
    with pytest.raises(CourseError, match=f"{name} is 0"):
        measured(tiny.vae().eval(), tiny.binary(2), **{"steps": 1, name: 0})


def test_mean_and_interval_by_hand() -> None:
    mean, half = mean_and_interval(torch.tensor([1.0, 2.0, 3.0, 6.0]))
    # deviations -2, -1, 0, 3: variance 14/3, standard error its root over 2
    assert mean == 3.0 and half == pytest.approx(1.96 * math.sqrt(14 / 3) / 2)
