"""Every likelihood of the family: normalised, equal to an oracle, drawn from as it says, finite.

A pixel's parameters are given as the decoder's raw output. The oracles are written in NumPy and
SciPy, with soft bounds of their own; "lossy" settings of the Beta are those whose density piles
up within 1e-6 of an end, where the library cuts it off.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, distributions

from coursekit.data import prepare
from coursekit.errors import CourseError
from coursekit.likelihoods import (
    LIKELIHOODS,
    Beta,
    Categorical,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
    Likelihood,
    LogisticMixture,
    likelihood,
)

LEVELS = np.arange(256) / 255
RAMP = np.linspace(-3, 3, 256)


def mixture(weights: list[float], shifts: list[float], log_scales: list[float]) -> list[float]:
    return [*weights, *shifts, *log_scales]


ORDINARY: dict[str, list[list[float]]] = {
    "bernoulli": [[0.0], [-2.0], [0.7]],
    "continuous-bernoulli": [[0.0], [1e-4], [-0.0999], [0.1001], [0.8], [-2.5], [6.0]],
    "gaussian-per-pixel": [[0.4, -5.0], [0.6, -7.0], [0.1, -1.0]],
    "gaussian-shared": [[0.45], [0.9]],
    "gaussian-optimal": [[0.45], [0.9]],
    "beta": [[0.0, 0.0], [0.7, 1.6], [-0.7, -0.6], [3.0, 2.0]],
    "categorical-4": [[0.0] * 4, [1.0, -2.0, 0.5, 3.0]],
    "categorical-256": [[0.0] * 256, RAMP.tolist(), (2 * np.sin(7 * RAMP)).tolist()],
    "discretised-logistic": [[0.0, 0.0], [-0.45, -1.0], [0.6, 0.5], [0.1, -4.0]],
    "logistic-mixture": [
        [0.0] * 15,
        mixture([1, 0, -1, 0.5, 0], [-0.1, 0.1, 0, 0.2, 0.3], [-2, -1, 0, 0.5, -3]),
    ],
}
EXTREME: dict[str, list[list[float]]] = {
    "bernoulli": [[50.0], [-200.0]],
    "continuous-bernoulli": [[50.0], [-50.0], [200.0], [-200.0]],
    "gaussian-per-pixel": [[50.0, 50.0], [-200.0, -200.0], [0.0, 200.0], [200.0, -50.0]],
    "gaussian-shared": [[50.0], [-200.0]],
    "gaussian-optimal": [[50.0], [-200.0]],
    "beta": [[50.0, 50.0], [200.0, -1.0], [-1.0, 200.0], [-200.0, -200.0], [-50.0, 50.0]],
    "categorical-4": [[50.0, -50.0, 200.0, -200.0], [200.0, 200.0, -200.0, 0.0]],
    "categorical-256": [(60 * RAMP).tolist()],
    "discretised-logistic": [[50.0, 50.0], [-200.0, -200.0], [200.0, 200.0], [0.0, -50.0]],
    "logistic-mixture": [
        mixture([200, -200, 0, 50, -50], [50, -50, 200, -200, 0], [-200, 200, -50, 50, 0]),
        mixture([0, 0, 0, 0, -200], [0, 0, 0, 0, 0], [-200, -200, -50, -50, 200]),
    ],
}
CASES = [(name, raw) for name in LIKELIHOODS for raw in (*ORDINARY[name], *EXTREME[name])]
ORDINARY_CASES = [(name, raw) for name in LIKELIHOODS for raw in ORDINARY[name]]


def _case_id(value: object) -> str:
    if isinstance(value, str):
        return value
    assert isinstance(value, list)
    return ",".join(f"{number:g}" for number in value[:4])


every_case = pytest.mark.parametrize(("name", "raw"), CASES, ids=_case_id)
every_ordinary_case = pytest.mark.parametrize(("name", "raw"), ORDINARY_CASES, ids=_case_id)
every_name = pytest.mark.parametrize("name", LIKELIHOODS)


def made(name: str) -> Likelihood:
    return likelihood(name).eval()


def one_pixel(raw: list[float], n: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(raw, dtype=dtype).view(1, -1, 1, 1).expand(n, -1, -1, -1)


def log_prob(
    name: str, raw: list[float], x: np.ndarray, dtype: torch.dtype = torch.float64
) -> np.ndarray:
    """What the library says of one pixel at many values."""
    values = torch.from_numpy(x).to(dtype).view(-1, 1, 1, 1)
    with torch.no_grad():
        return made(name).log_prob(one_pixel(raw, len(x), dtype), values).double().numpy()


# --- oracles -----------------------------------------------------------------------------------


def bounded(raw: float, low: float, high: float) -> float:
    """Soft bounds, by logaddexp."""
    from_above = high - np.logaddexp(0, high - raw)
    return float(low + np.logaddexp(0, from_above - low))


def gaussian_of(name: str, raw: list[float]) -> tuple[float, float]:
    """Mean and standard deviation; those that are not per pixel start at log-variance -3."""
    log_var = bounded(raw[1], -14, 4) if name == "gaussian-per-pixel" else -3.0
    return raw[0], math.exp(log_var / 2)


def beta_of(raw: list[float]) -> tuple[float, float]:
    return math.exp(bounded(raw[0], -5, 8)), math.exp(bounded(raw[1], -5, 8))


def logistic_log_masses(mean: float, scale: float) -> np.ndarray:
    """Log-masses of all levels; each difference of two values is taken on its thinner side."""
    cuts = (np.arange(1, 256) - 0.5) / 255
    below = np.concatenate([[-np.inf], stats.logistic.logcdf(cuts, mean, scale), [0.0]])
    above = np.concatenate([[0.0], stats.logistic.logsf(cuts, mean, scale), [-np.inf]])
    with np.errstate(divide="ignore", invalid="ignore"):
        from_below = below[1:] + np.log(-np.expm1(below[:-1] - below[1:]))
        from_above = above[:-1] + np.log(-np.expm1(above[1:] - above[:-1]))
    return np.where(below[1:] < above[:-1], from_below, from_above)


def logistics_of(name: str, raw: list[float]) -> list[tuple[float, float, float]]:
    """Log-weight, mean and scale of each component."""
    count = 1 if name == "discretised-logistic" else 5
    logits = np.zeros(1) if count == 1 else np.array(raw[:count])
    shifts, log_scales = raw[-2 * count : -count], raw[-count:]
    weights = logits - np.logaddexp.reduce(logits)
    return [
        (weights[m], (m + 0.5) / count + shifts[m], math.exp(bounded(log_scales[m] - 2, -8, 2)))
        for m in range(count)
    ]


def oracle(name: str, raw: list[float], x: np.ndarray) -> np.ndarray:
    """Log-density or log-mass at x, without the library."""
    if name == "bernoulli":
        return x * -np.logaddexp(0, -raw[0]) + (1 - x) * -np.logaddexp(0, raw[0])
    if name == "continuous-bernoulli":
        # exp(l x) over its own integral, (exp(l) - 1) / l
        (logit,) = raw
        return logit * x - (math.log(math.expm1(logit) / logit) if logit else 0.0)
    if name.startswith("gaussian"):
        return stats.norm.logpdf(x, *gaussian_of(name, raw))
    if name == "beta":
        return stats.beta.logpdf(np.clip(x, 1e-6, 1 - 1e-6), *beta_of(raw))
    level = np.rint(255 * x).astype(int)
    if name.startswith("categorical"):
        logits = np.array(raw)
        return (logits - np.logaddexp.reduce(logits))[level * len(raw) // 256] - math.log(
            256 / len(raw)
        )
    parts = [weight + logistic_log_masses(m, s) for weight, m, s in logistics_of(name, raw)]
    return np.logaddexp.reduce(parts)[level]


def quadrature(name: str, raw: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights: sum(weight * f(place)) is the integral, or the sum, of f."""
    scale = made(name).scale
    if scale == "binary":
        return np.array([0.0, 1.0]), np.ones(2)
    if scale == "mass":
        return LEVELS, np.ones(256)
    if name.startswith("gaussian"):
        mean, std = gaussian_of(name, raw)
        x = mean + std * np.linspace(-12, 12, 2001)
        return x, np.full(2001, 24 * std / 2000)
    # x = sigmoid(t): many places near both ends
    t = np.linspace(-36, 36, 14_401)
    x = stats.logistic.cdf(t)
    return x, stats.logistic.pdf(t) * 72 / 14_400


def places(name: str, raw: list[float]) -> np.ndarray:
    """Values to compare at: the whole support, or many values in it and both its ends."""
    scale = made(name).scale
    if scale == "binary":
        return np.array([0.0, 1.0])
    if scale == "mass":
        return LEVELS
    return np.concatenate([np.linspace(0, 1, 101), [1e-7, 1e-5, 1 - 1e-5]])


# --- log_prob ----------------------------------------------------------------------------------


@every_case
def test_total_probability_is_one(name: str, raw: list[float]) -> None:
    x, weight = quadrature(name, raw)
    total = float((weight * np.exp(log_prob(name, raw, x))).sum())
    wanted = 1.0
    if name == "beta":
        # what lies within the edge of either end is replaced by a rectangle; never more than 1
        a, b = beta_of(raw)
        law = stats.beta(a, b)
        ends = law.cdf(1e-6) + law.sf(1 - 1e-6)
        wanted = 1 - ends + 1e-6 * (law.pdf(1e-6) + law.pdf(1 - 1e-6))
        assert total < 1 + 1e-5
    assert total == pytest.approx(wanted, abs=1e-5)


@every_case
def test_log_prob_agrees_with_the_oracle(name: str, raw: list[float]) -> None:
    x = places(name, raw)
    np.testing.assert_allclose(log_prob(name, raw, x), oracle(name, raw, x), rtol=1e-5, atol=1e-5)


@every_ordinary_case
def test_32_bits_are_enough(name: str, raw: list[float]) -> None:
    x = places(name, raw)
    found = log_prob(name, raw, x, torch.float32)
    np.testing.assert_allclose(found, oracle(name, raw, x.astype(np.float32)), rtol=2e-5, atol=5e-4)


def torch_law(name: str, raw: list[float]) -> distributions.Distribution | None:
    values = torch.tensor(raw, dtype=torch.float64)
    if name == "bernoulli":
        return distributions.Bernoulli(logits=values[0])
    if name == "continuous-bernoulli":
        return distributions.ContinuousBernoulli(logits=values[0])
    if name.startswith("gaussian"):
        return distributions.Normal(*gaussian_of(name, raw))
    if name == "beta":
        return distributions.Beta(*torch.tensor(beta_of(raw), dtype=torch.float64))
    if name.startswith("categorical"):
        return distributions.Categorical(logits=values)
    return None


# torch has no discretised logistic: SciPy's is the oracle above
@pytest.mark.parametrize(
    ("name", "raw"), [case for case in ORDINARY_CASES if torch_law(*case) is not None], ids=_case_id
)
def test_log_prob_agrees_with_torch(name: str, raw: list[float]) -> None:
    law = torch_law(name, raw)
    assert law is not None
    x = torch.from_numpy(places(name, raw))
    if name.startswith("categorical"):
        bins = torch.arange(256) * len(raw) // 256
        wanted = law.log_prob(bins) - math.log(256 / len(raw))
    else:
        wanted = law.log_prob(x.clamp(1e-6, 1 - 1e-6) if name == "beta" else x)
    found = log_prob(name, raw, x.numpy())
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@every_case
def test_values_and_gradients_are_finite_even_at_the_ends(
    name: str, raw: list[float], dtype: torch.dtype
) -> None:
    ends = torch.tensor([0.0, 1 / 255, 127 / 255, 254 / 255, 1.0], dtype=dtype)
    if made(name).scale == "binary":
        ends = ends[[0, -1]]
    params = one_pixel(raw, len(ends), dtype).clone().requires_grad_()
    found = made(name).log_prob(params, ends.view(-1, 1, 1, 1))
    assert found.dtype == dtype
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert params.grad is not None and torch.isfinite(params.grad).all()


@every_ordinary_case
def test_the_gradient_is_that_of_the_oracle(name: str, raw: list[float]) -> None:
    """Autograd against central differences of the oracle, at values in and at the ends."""
    x = np.array([0.0, 1.0]) if name == "bernoulli" else LEVELS[[0, 3, 100, 255]]
    params = one_pixel(raw, len(x)).clone().requires_grad_()
    made(name).log_prob(params, torch.from_numpy(x).view(-1, 1, 1, 1)).sum().backward()
    assert params.grad is not None
    found = params.grad.flatten(1).numpy()
    step = 1e-3 if name == "continuous-bernoulli" else 1e-5
    for place in range(0, len(raw), max(1, len(raw) // 16)):
        up, down = raw.copy(), raw.copy()
        up[place] += step
        down[place] -= step
        wanted = (oracle(name, up, x) - oracle(name, down, x)) / (2 * step)
        np.testing.assert_allclose(found[:, place], wanted, rtol=1e-3, atol=1e-4)


# --- mean and sample ---------------------------------------------------------------------------


@every_case
def test_the_mean_is_the_first_moment(name: str, raw: list[float]) -> None:
    found = made(name).mean(one_pixel(raw, 1)).item()
    if name == "beta":
        a, b = beta_of(raw)
        assert found == pytest.approx(a / (a + b), abs=1e-5)
        if min(a, b) < 0.4:
            return  # lossy: what log_prob leaves out lacks in its own first moment
    x, weight = quadrature(name, raw)
    wanted = float((weight * x * np.exp(log_prob(name, raw, x))).sum())
    if name.startswith("gaussian"):
        wanted = min(max(wanted, 0.0), 1.0)  # clipped to be shown
    assert found == pytest.approx(wanted, abs=1e-5 if name != "beta" else 2e-3)


def drawn(name: str, raw: list[float], n: int, seed: int = 0) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        pixels = made(name).sample(one_pixel(raw, n, torch.float32), generator)
    assert pixels.shape == (n, 1, 1, 1)
    return pixels.flatten().double().numpy()


@every_ordinary_case
def test_moments_of_the_draws(name: str, raw: list[float]) -> None:
    """E x and E x^2 within 4 standard errors, all of them worked out from log_prob."""
    x, weight = quadrature(name, raw)
    chance = weight * np.exp(log_prob(name, raw, x))
    seen = x.clip(0, 1)  # a Gaussian is clipped to be shown
    draws = drawn(name, raw, 20_000)
    for power in (1, 2):
        wanted = (chance * seen**power).sum()
        error = math.sqrt(((chance * seen ** (2 * power)).sum() - wanted**2) / len(draws))
        slack = 2e-3 if name == "beta" and min(beta_of(raw)) < 1 else 1e-5
        assert abs((draws**power).mean() - wanted) < 4 * error + slack


@every_ordinary_case
def test_the_draws_are_distributed_as_log_prob_says(name: str, raw: list[float]) -> None:
    draws = drawn(name, raw, 8000, seed=1)
    x, weight = quadrature(name, raw)
    chance = weight * np.exp(log_prob(name, raw, x))
    if made(name).scale == "density":
        edges = (x <= 0, x >= 1)
        for edge, end in zip(edges, (0.0, 1.0), strict=True):
            share = chance[edge].sum()  # what is clipped to that end
            expected, count = len(draws) * share, (draws == end).sum()
            assert abs(count - expected) < 4 * math.sqrt(expected * (1 - share)) + 2
        inner = draws[(draws > 0) & (draws < 1)]
        kept = ~(edges[0] | edges[1])
        cumulative = np.cumsum(chance[kept]) - chance[kept] / 2

        def below(value: np.ndarray) -> np.ndarray:
            return np.interp(value, x[kept], cumulative / chance[kept].sum())

        assert stats.kstest(inner, below).pvalue > 1e-3
        return
    index = np.rint(draws * (len(x) - 1)).astype(int)
    counts = np.bincount(index, minlength=len(x))
    assert counts[chance < 1e-9].sum() == 0
    # neighbours are counted together until at least 8 draws are expected of them
    group = np.floor(np.cumsum(len(draws) * chance) / 8).astype(int).clip(0, len(draws) // 8 - 1)
    _, group = np.unique(group, return_inverse=True)
    expected, found = (np.bincount(group, values) for values in (len(draws) * chance, counts))
    expected *= found.sum() / expected.sum()
    assert len(found) > 1
    assert stats.chisquare(found, expected).pvalue > 1e-3


@pytest.mark.parametrize("spread", [1.0, 200.0])
@every_name
def test_draws_lie_in_the_support_and_have_the_pictures_shape(name: str, spread: float) -> None:
    member = made(name)
    generator = torch.Generator().manual_seed(0)
    params = spread * torch.randn(4, 3 * member.params_per_channel, 5, 2, generator=generator)
    kept = params.clone()
    pictures, means = member.sample(params, generator), member.mean(params)
    assert pictures.shape == means.shape == (4, 3, 5, 2)
    assert torch.equal(params, kept), "the decoder's output was changed in place"
    for values in (pictures, means):
        assert torch.isfinite(values).all()
        assert values.min() >= 0 and values.max() <= 1
    if member.scale == "binary":
        assert set(pictures.unique().tolist()) <= {0.0, 1.0}
    if member.scale == "mass":
        levels = 255 * pictures
        assert (levels - levels.round()).abs().max() < 1e-4
    assert torch.isfinite(member.log_prob(params, pictures)).all()


@every_name
def test_a_generator_fixes_the_draws_and_is_the_only_one_used(name: str) -> None:
    member = made(name)
    params = torch.zeros(3, 2 * member.params_per_channel, 4, 4)
    torch.manual_seed(11)
    state = torch.get_rng_state()
    one, other, third = (
        member.sample(params, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(state, torch.get_rng_state()), "torch's own generator was used or moved"
    torch.manual_seed(12)
    assert torch.equal(one, member.sample(params, torch.Generator().manual_seed(0)))
    assert torch.equal(one, other) and not torch.equal(one, third)
    generator = torch.Generator().manual_seed(0)
    first, second = member.sample(params, generator), member.sample(params, generator)
    assert torch.equal(one, first) and not torch.equal(first, second)
    assert len(one.flatten(1).unique(dim=0)) == 3, "each picture is drawn on its own"


@every_name
def test_without_a_generator_torchs_own_is_used(name: str) -> None:
    member = made(name)
    params = torch.zeros(3, member.params_per_channel, 4, 4)
    draws = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        draws.append(member.sample(params))
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[2], member.sample(params))
    gaussian = name.startswith("gaussian")
    lopsided = one_pixel(ORDINARY[name][0 if gaussian else 1], 4000, torch.float32)
    pixels = member.sample(lopsided).detach()
    error = pixels.std().item() / math.sqrt(4000)
    slack = 0.01 if gaussian else 1e-4  # clipped to be shown
    assert abs(pixels.mean() - member.mean(lopsided[:1])).item() < 5 * error + slack


# --- pictures: shapes, channels, places --------------------------------------------------------


@every_name
def test_shapes_that_do_not_fit_are_refused(name: str) -> None:
    member = made(name)
    per = member.params_per_channel
    good = torch.zeros(4, 3 * per, 2, 5)
    assert member.log_prob(good, torch.zeros(4, 3, 2, 5)).shape == (4,)
    wrong = [
        (good, (4, 1, 2, 5)),
        (good, (2, 3, 2, 5)),
        (good, (1, 3, 2, 5)),
        (good, (4, 3, 5, 2)),
        (good, (4, 3, 10)),
        (good[:1], (4, 3, 2, 5)),
        (good[:, :per], (4, 3, 2, 5)),
        (good[:, :, :1], (4, 3, 2, 5)),
        (good.flatten(2), (4, 3, 2, 5)),
        (good.flatten(1), (4, 3, 2, 5)),
    ]
    for params, shape in wrong:
        with pytest.raises(CourseError, match="shape") as caught:
            member.log_prob(params, torch.zeros(shape))
        assert "\n" not in str(caught.value)
    if per > 1:
        odd = torch.zeros(4, per + 1, 2, 5)
        calls: list[Callable[[], Tensor]] = [
            lambda: member.log_prob(odd, torch.zeros(4, 1, 2, 5)),
            lambda: member.mean(odd),
            lambda: member.sample(odd),
            lambda: member.mean(good.flatten(1)),
        ]
        for call in calls:
            with pytest.raises(CourseError, match=rf"{per} \* C"):
                call()


def random_pictures(name: str, channels: int) -> tuple[Tensor, Tensor]:
    """Params that differ everywhere, and a draw from them."""
    member = made(name)
    generator = torch.Generator().manual_seed(4)
    params = torch.randn(3, channels * member.params_per_channel, 2, 4, generator=generator)
    return params, member.sample(params, generator)


@every_name
def test_log_prob_adds_up_over_channels_and_pixels(name: str) -> None:
    member, (params, x) = made(name), random_pictures(name, 3)
    total = torch.zeros(3)
    for channel in range(3):
        for row in range(2):
            for column in range(4):
                place = (slice(None), slice(channel, None, 3), slice(row, row + 1))
                one = params[place][..., column : column + 1]
                value = x[:, channel, row, column].view(3, 1, 1, 1)
                total += member.log_prob(one, value)
    torch.testing.assert_close(member.log_prob(params, x), total, rtol=1e-5, atol=1e-3)


@every_name
def test_values_that_are_not_seen_are_not_counted(name: str) -> None:
    member, (params, x) = made(name), random_pictures(name, 3)
    each = member.log_prob_each(params, x)
    assert each.shape == x.shape
    torch.testing.assert_close(member.log_prob(params, x), each.flatten(1).sum(dim=1))
    left = torch.zeros(1, 1, 2, 4, dtype=torch.bool)
    left[..., :2] = True
    cut = member.log_prob(params[..., :2], x[..., :2])
    torch.testing.assert_close(member.log_prob(params, x, left), cut, rtol=1e-5, atol=1e-4)
    nothing = member.log_prob(params, x, torch.zeros_like(left))
    assert nothing.tolist() == [0.0] * 3
    hidden = torch.where(left, x, 1 - x)
    torch.testing.assert_close(member.log_prob(params, hidden, left), cut, rtol=1e-5, atol=1e-4)


@every_name
def test_a_channels_parameters_touch_no_other_channel(name: str) -> None:
    member, (params, x) = made(name), random_pictures(name, 3)
    changed = params.clone()
    changed[:, 1::3] = params[:, 1::3].flip(1) + 0.5
    before, after = member.mean(params), member.mean(changed)
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.equal(before[:, 1], after[:, 1])
    difference = member.log_prob(changed, x) - member.log_prob(params, x)
    alone = member.log_prob(changed[:, 1::3], x[:, 1:2]) - member.log_prob(
        params[:, 1::3], x[:, 1:2]
    )
    torch.testing.assert_close(difference, alone, rtol=1e-4, atol=1e-3)


@every_name
def test_draws_follow_the_mean_of_their_own_channel_and_place(name: str) -> None:
    member = made(name)
    params = 1.5 * random_pictures(name, 3)[0][:1]
    if name.startswith("gaussian"):
        params = params / 10 + 0.5
        params[:, 3:] -= 6.5
        if member.fixed is not None:
            member.fixed.data.fill_(-6.0)
    draws = member.sample(params.expand(3000, -1, -1, -1), torch.Generator().manual_seed(2))
    error = draws.std(dim=0) / math.sqrt(3000)
    away = (draws.mean(dim=0) - member.mean(params)[0]).abs()
    assert (away < 4.5 * error + 1e-4).all()
    assert member.mean(params).flatten().sort().values.diff().max() > 3 * error.max()


@every_name
def test_pictures_of_a_batch_do_not_touch_each_other(name: str) -> None:
    member, (params, x) = made(name), random_pictures(name, 2)
    together = member.log_prob(params, x)
    for index in range(3):
        alone = member.log_prob(params[index : index + 1], x[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, rtol=1e-5, atol=1e-4)


# --- bits --------------------------------------------------------------------------------------


@every_name
def test_bits_per_dim_on_each_scale(name: str) -> None:
    member = made(name)
    added = {"binary": 0.0, "density": 8.0, "mass": 0.0}[member.scale]
    assert member.bits_per_dim(12 * math.log(2), 12) == pytest.approx(1 + added)
    found = member.bits_per_dim(torch.tensor([0.0, 24 * math.log(2)]), 12)
    torch.testing.assert_close(found, torch.tensor([added, 2 + added]))


def levels(n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 1, 8, 8), generator=generator, dtype=torch.uint8)


@every_name
def test_its_preparation_gives_pictures_it_can_describe(name: str) -> None:
    member = made(name)
    pictures = levels(5)
    pictures[0], pictures[1] = 0, 255
    x = prepare(pictures, member.preparation, torch.Generator().manual_seed(0))
    params = torch.zeros(5, member.params_per_channel, 8, 8)
    assert torch.isfinite(member.log_prob(params, x)).all()
    wanted = {"binary": "dynamic", "density": "dequantised", "mass": "grey"}
    assert member.preparation == wanted[member.scale]


def hard(value: float, low: float, high: float) -> float:
    """The raw output that the soft bounds take to a value, by bisection."""
    below, above = -100.0, 100.0
    for _ in range(80):
        middle = (below + above) / 2
        below, above = (middle, above) if bounded(middle, low, high) < value else (below, middle)
    return below


UNIFORM: dict[str, Callable[[], tuple[Likelihood, list[float]]]] = {
    "continuous Bernoulli at logit 0": lambda: (ContinuousBernoulli(), [0.0]),
    "Beta(1, 1)": lambda: (Beta(), [hard(0.0, -5, 8)] * 2),
    "256 bins": lambda: (Categorical(256), [0.0] * 256),
    "4 bins": lambda: (Categorical(4), [0.0] * 4),
    "2 bins": lambda: (Categorical(2), [3.0] * 2),
}


@pytest.mark.parametrize("make", UNIFORM.values(), ids=UNIFORM.keys())
def test_a_uniform_likelihood_costs_8_bits_a_pixel(
    make: Callable[[], tuple[Likelihood, list[float]]],
) -> None:
    member, raw = make()
    x = prepare(levels(6), member.preparation, torch.Generator().manual_seed(1))
    params = torch.tensor(raw).view(1, -1, 1, 1).expand(6, -1, 8, 8)
    bits = member.bits_per_dim(-member.log_prob(params, x), 64)
    torch.testing.assert_close(bits, torch.full((6,), 8.0), rtol=1e-5, atol=1e-5)


def entropy_of(name: str, raw: list[float]) -> float:
    """Bits of a pixel whose draws are described by the distribution they came from."""
    law = torch_law(name, raw)
    if name == "categorical-4":
        assert law is not None
        return law.entropy().item() / math.log(2) + 6
    if law is not None:
        bits = law.entropy().item() / math.log(2)
        return bits + 8 if name not in ("bernoulli", "categorical-256") else bits
    mass = np.exp(oracle(name, raw, LEVELS))
    return float(-(mass * np.log2(mass)).sum())


@pytest.mark.parametrize("name", [name for name in LIKELIHOODS if name != "gaussian-optimal"])
def test_known_pictures_cost_what_their_entropy_says(name: str) -> None:
    raw = ORDINARY[name][1]
    member = made(name)
    if name == "gaussian-shared":
        member.fixed.data.fill_(-7.0)
        raw = [0.5]
    x = torch.from_numpy(drawn(name, raw, 20_000)).view(-1, 1, 1, 1)
    if name == "gaussian-shared":
        noise = torch.randn(20_000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
        x = (0.5 + math.exp(-3.5) * noise).double()
    with torch.no_grad():
        bits = member.bits_per_dim(-member.log_prob(one_pixel(raw, len(x)), x), 1)
    assert isinstance(bits, Tensor)
    wanted = entropy_of(name, raw)
    if name == "gaussian-shared":
        wanted = 8 + (0.5 * math.log(2 * math.pi * math.e) - 3.5) / math.log(2)
    error = bits.std().item() / math.sqrt(len(bits))
    assert abs(bits.mean().item() - wanted) < 4 * error + 1e-4


# --- one member at a time ----------------------------------------------------------------------


def test_what_a_bin_costs_inside() -> None:
    """A certain bin costs log2(256 / k) bits when it is spread evenly, exactly."""
    for bins in (2, 4, 32, 256):
        member = Categorical(bins)
        x = torch.arange(256).view(256, 1, 1, 1) / 255
        params = torch.full((256, bins, 1, 1), -500.0)
        params[torch.arange(256), torch.arange(256) * bins // 256] = 500.0
        bits = member.bits_per_dim(-member.log_prob(params, x), 1)
        torch.testing.assert_close(bits, torch.full((256,), 8.0 - math.log2(bins)))
        wrong = params.roll(1, dims=1)
        assert (-member.log_prob(wrong, x) > 900).all()


def test_grey_values_are_read_as_the_nearest_level() -> None:
    member, params = Categorical(256), torch.linspace(-3, 3, 256).view(1, -1, 1, 1)
    for shift in (-0.4, 0.4):
        x = torch.tensor((100 + shift) / 255).view(1, 1, 1, 1)
        exact = member.log_prob(params, torch.tensor(100 / 255).view(1, 1, 1, 1))
        assert torch.equal(member.log_prob(params, x), exact)


def test_counting_inside_the_bins() -> None:
    member = Categorical(4)
    pictures = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)  # 128 values
    pictures[0, 0, 0] = 255  # 8 of them
    pictures[1, 0, 1, :3] = 70
    member.count_inside(pictures)
    shares = member.inside.exp().double()
    torch.testing.assert_close(shares.view(4, 64).sum(dim=1), torch.ones(4).double())
    assert shares[0].item() == pytest.approx((117 + 1) / (117 + 64))
    assert shares[1].item() == pytest.approx(1 / (117 + 64))
    assert shares[70].item() == pytest.approx(4 / (3 + 64))
    assert shares[128:192] == pytest.approx(1 / 64)
    assert shares[255].item() == pytest.approx(9 / (8 + 64))
    x = torch.arange(256).view(256, 1, 1, 1) / 255
    params = torch.tensor([1.0, 0.0, -1.0, 2.0]).view(1, 4, 1, 1).expand(256, -1, -1, -1)
    mass = member.log_prob(params, x).exp().double()
    assert mass.sum().item() == pytest.approx(1, abs=1e-5)
    chosen = torch.tensor([1.0, 0.0, -1.0, 2.0]).softmax(0).double().repeat_interleave(64)
    torch.testing.assert_close(mass, chosen * shares, rtol=1e-4, atol=1e-7)
    mean = member.mean(params[:1]).item()
    assert mean == pytest.approx((mass * torch.arange(256) / 255).sum().item(), abs=1e-5)
    draws = member.sample(params[:1].expand(20_000, -1, -1, -1), torch.Generator().manual_seed(0))
    counts = torch.bincount((255 * draws).round().long().flatten(), minlength=256)
    assert counts[0].item() == pytest.approx(20_000 * mass[0].item(), rel=0.1)
    assert counts[255].item() == pytest.approx(20_000 * mass[255].item(), rel=0.1)
    assert "inside" in member.state_dict(), "a checkpoint has to keep the shares"
    member.spread_evenly()
    torch.testing.assert_close(member.inside, torch.full((256,), -math.log(64)))


def test_counted_shares_cost_less_on_what_was_counted() -> None:
    member = Categorical(4)
    pictures = torch.where(levels(20) < 200, 0, levels(20, seed=1))
    x = prepare(pictures, "grey")
    params = torch.zeros(20, 4, 8, 8)
    evenly = member.bits_per_dim(-member.log_prob(params, x), 64).mean().item()
    member.count_inside(pictures)
    counted = member.bits_per_dim(-member.log_prob(params, x), 64).mean().item()
    assert evenly == pytest.approx(8)
    assert counted < evenly - 2


def test_categorical_refuses_bins_that_do_not_divide_and_pictures_that_are_no_bytes() -> None:
    for bins in (0, 1, 3, 512):
        with pytest.raises(CourseError, match="divisor of 256"):
            Categorical(bins)
    with pytest.raises(CourseError, match="uint8"):
        Categorical(4).count_inside(torch.zeros(1, 1, 2, 2))
    with pytest.raises(CourseError, match="1 or more"):
        LogisticMixture(0)


def test_the_optimal_variance_is_the_best_of_a_grid() -> None:
    member = Gaussian("optimal").train()
    generator = torch.Generator().manual_seed(0)
    mean = torch.rand(6, 2, 4, 3, generator=generator)
    x = (mean + 0.2 * torch.randn(6, 2, 4, 3, generator=generator)).clamp(0, 1)
    found = member.log_prob(mean, x)
    v = torch.linspace(0.005, 0.2, 4001)
    totals = distributions.Normal(mean[..., None], v.sqrt()).log_prob(x[..., None])
    best = totals.sum(dim=(0, 1, 2, 3))
    assert 0 < best.argmax() < 4000
    assert found.sum().item() == pytest.approx(best.max().item(), rel=1e-5)
    law = distributions.Normal(mean, v[best.argmax()].sqrt())
    wanted = law.log_prob(x).flatten(1).sum(dim=1)
    torch.testing.assert_close(found, wanted, rtol=1e-2, atol=1e-2)


def test_the_optimal_variance_is_remembered_for_evaluation() -> None:
    member = Gaussian("optimal")
    noise = 0.1 * torch.randn(400, 8, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    member.log_prob(torch.zeros_like(noise[0]), noise[0])
    first = noise[0].square().mean().log().item()
    assert member.state_dict()["fixed"].item() == pytest.approx(-3 + 0.01 * (first + 3), abs=1e-5)
    for batch in noise[1:]:
        member.log_prob(torch.zeros_like(batch), batch)
    assert list(member.parameters()) == []
    kept = member.state_dict()["fixed"].clone()
    # 400 steps leave 0.99^400 = 2 % of the start
    assert kept.item() == pytest.approx(
        2 * math.log(0.1) + 0.018 * (-3 - 2 * math.log(0.1)), abs=0.05
    )
    member.eval()
    near, far = torch.full((2, 1, 6, 6), 0.05), torch.full((2, 1, 6, 6), 0.9)
    zero = torch.zeros(2, 1, 6, 6)
    for x in (near, far):
        law = distributions.Normal(0.0, (kept / 2).exp())
        wanted = law.log_prob(x).flatten(1).sum(dim=1)
        torch.testing.assert_close(member.log_prob(zero, x), wanted, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(member.state_dict()["fixed"], kept, rtol=0, atol=0)
    again = Gaussian("optimal").eval()
    again.load_state_dict(member.state_dict())
    assert torch.equal(again.log_prob(zero, near), member.log_prob(zero, near))
    draws = member.sample(torch.full((500, 1, 6, 6), 0.5), torch.Generator().manual_seed(0))
    assert draws.std().item() == pytest.approx(math.exp(kept.item() / 2), rel=0.03)


def test_the_optimal_variance_stays_finite_where_nothing_is_wrong() -> None:
    member = Gaussian("optimal").train()
    mean = torch.full((2, 1, 2, 2), 0.5, requires_grad=True)
    found = member.log_prob(mean, torch.full((2, 1, 2, 2), 0.5))
    found.sum().backward()
    assert torch.isfinite(found).all() and mean.grad is not None
    assert torch.isfinite(mean.grad).all()
    assert torch.isfinite(member.state_dict()["fixed"])


def test_the_beta_keeps_its_digits_where_a_and_b_are_large() -> None:
    """Its three gammas are some 10^4 there, and nearly cancel."""
    raw = torch.linspace(5, 7.9, 200).view(-1, 1, 1, 1)
    params = torch.cat([raw, raw.flip(0)], dim=1)
    member = Beta()
    a, b = (part.double().numpy() for part in member.concentrations(params))
    x = member.mean(params)
    wanted = stats.beta.logpdf(x.double().numpy(), a, b).flatten()
    np.testing.assert_allclose(member.log_prob(params, x).numpy(), wanted, rtol=0, atol=3e-4)


def test_the_continuous_bernoulli_against_its_mirror_image() -> None:
    logits = torch.linspace(-30, 30, 601).view(-1, 1, 1, 1)
    x = torch.rand(601, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    member = ContinuousBernoulli()
    torch.testing.assert_close(member.log_prob(logits, x), member.log_prob(-logits, 1 - x))
    torch.testing.assert_close(member.mean(logits), 1 - member.mean(-logits), rtol=0, atol=2e-6)
    assert (member.mean(logits).flatten().diff() > -1e-6).all()


@pytest.mark.parametrize("logit", [1e-3, -1e-3, 0.05, 0.1, -0.1, 30.0, -200.0, 200.0])
def test_continuous_bernoulli_draws_at_every_size_of_logit(logit: float) -> None:
    draws = drawn("continuous-bernoulli", [logit], 5000)

    def below(x: np.ndarray) -> np.ndarray:
        if logit > 0:
            rise = np.exp(logit * (x - 1)) - math.exp(-logit)
            return rise / -math.expm1(-logit)
        return np.expm1(logit * x) / math.expm1(logit)

    assert stats.kstest(draws, below).pvalue > 1e-3


def test_a_mixture_of_equal_parts_is_one_part() -> None:
    single, pair = DiscretisedLogistic(), LogisticMixture(2)
    x = torch.arange(256).view(256, 1, 1, 1) / 255
    raw = torch.tensor([0.1, -0.5]).view(1, 2, 1, 1).expand(256, -1, -1, -1)
    shifts = [0.6 - 0.25, 0.6 - 0.75]
    both = torch.tensor([0.3, -0.8, *shifts, -0.5, -0.5]).view(1, 6, 1, 1).expand(256, -1, -1, -1)
    torch.testing.assert_close(single.log_prob(raw, x), pair.log_prob(both, x))


def test_the_ends_take_the_tails_of_a_logistic() -> None:
    """Far above the range all the mass is on level 255, far below on level 0."""
    member = DiscretisedLogistic()
    for shift, level in ((5.0, 255), (-5.0, 0)):
        params = torch.tensor([shift, -2.0]).view(1, 2, 1, 1)
        x = torch.full((1, 1, 1, 1), level / 255)
        assert member.log_prob(params, x).item() == pytest.approx(0, abs=1e-6)
        assert member.mean(params).item() == pytest.approx(level / 255, abs=1e-6)
        assert member.sample(params).item() == pytest.approx(level / 255)


def test_names() -> None:
    assert set(ORDINARY) == set(EXTREME) == set(LIKELIHOODS)
    made_here = Beta()
    assert likelihood(made_here) is made_here
    assert likelihood(None).name == "Bernoulli"
    assert likelihood("beta") is not likelihood("beta")
    with pytest.raises(CourseError, match="categorical-256"):
        likelihood("poisson")
    for name in LIKELIHOODS:
        assert len(ORDINARY[name][0]) == likelihood(name).params_per_channel
