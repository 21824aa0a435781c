"""Preprocessing: bijections from [0, 1] that keep account; the histogram baseline."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from tiny_flows import flow, lively, log_determinants, rng
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.models.flows import (
    Bijection,
    Chain,
    Flatten,
    Flow,
    Logit,
    MarginalGaussian,
    Scale,
    mlp_flow,
    preprocessing,
)

EDGES = [0, 1, 2, 4, 8, 16, 32, 56, 80, 104, 128, 152, 176, 200, 224, 240, 248, 252, 253, 254,
         255, 256]  # fmt: skip
BIN = np.repeat(np.arange(21), np.diff(EDGES))  # the bin of each level
KINDS: dict[str, Callable[[], Bijection]] = {
    "scale": lambda: Scale(0.3, 0.7),
    "logit": Logit,
    "logit-wide": lambda: Logit(0.05),
    "gaussian": lambda: lively(MarginalGaussian(6), size=1.0),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def pictures(n: int, seed: int = 0) -> Tensor:
    """Bytes (n, 1, 2, 2) whose values are mostly 0, mostly 255, bimodal, and even."""
    v = torch.randint(0, 256, (n, 1, 2, 2), generator=rng(seed), dtype=torch.uint8)
    dice = torch.rand(n, generator=rng(seed + 100))
    v[:, 0, 0, 0][dice < 0.9] = 0
    v[:, 0, 0, 1][dice < 0.8] = 255
    v[:, 0, 1, 0] = torch.where(dice < 0.5, v[:, 0, 1, 0] // 64, 255 - v[:, 0, 1, 0] // 100)
    return v


# --- the bijections ----------------------------------------------------------------------------


@every_kind
def test_the_determinant_is_that_of_the_jacobian(kind: str) -> None:
    bijection = KINDS[kind]().double()
    x = torch.rand(4, 1, 2, 3, generator=rng(), dtype=torch.float64)
    x[0, 0, 0] = torch.tensor([1e-5, 1 - 1e-5, 0.5])
    z, logdet = bijection(x)
    assert z.shape == x.shape and logdet.shape == (4,)
    torch.testing.assert_close(logdet, log_determinants(bijection, x))


@every_kind
def test_x_comes_back_in_single_precision_from_end_to_end(kind: str) -> None:
    bijection = KINDS[kind]()
    x = torch.cat([torch.linspace(0, 1, 1001), torch.tensor([1e-7, 1 - 6e-8, 1e-4, 0.9999, 0.5])])
    x = x[:, None].expand(-1, 6).reshape(-1, 1, 2, 3)
    given = x.clone()
    z, logdet = bijection(x)
    assert z.isfinite().all() and logdet.isfinite().all()
    back = bijection.inverse(z)
    assert back.min() >= -1e-6 and back.max() <= 1 + 1e-6
    torch.testing.assert_close(back, x, rtol=0, atol=1e-5)
    assert torch.equal(x, given) and (z[1:1001].diff(dim=0) > 0).all(), "not monotone"


REACH = {"scale": (-5.0, 5.0), "logit": (-13.5, 7.0), "logit-wide": (-2.9, 2.9),
         "gaussian": (-5.0, 2.5)}  # fmt: skip


@every_kind
def test_z_comes_back_within_its_reach(kind: str) -> None:
    """Single precision holds x = 1 - 1e-7 but not 1 - 1e-8, and so z has less room at the top."""
    low, high = REACH[kind]
    z = torch.linspace(low, high, 501)[:, None].expand(-1, 6).contiguous()
    bijection = KINDS[kind]()
    torch.testing.assert_close(bijection(bijection.inverse(z))[0], z, rtol=0, atol=2e-4)
    far = torch.linspace(low, -low if kind != "logit" else 13.5, 501, dtype=torch.float64)
    far, bijection = far[:, None].expand(-1, 6).contiguous(), bijection.double()
    torch.testing.assert_close(bijection(bijection.inverse(far))[0], far, rtol=0, atol=1e-6)


@every_kind
def test_single_precision_loses_no_digits_at_the_ends(kind: str) -> None:
    bijection = KINDS[kind]()
    x = torch.cat([10 ** torch.linspace(-7, -1, 200), torch.linspace(0.1, 1, 200)])
    x = torch.cat([x, 1 - x, torch.tensor([0.0, 1.0])])[:, None].expand(-1, 6).contiguous()
    z, _ = bijection(x)
    exact, _ = bijection.double()(x.double())
    inside = (x > 0) & (x < 1) if kind == "gaussian" else torch.ones_like(x, dtype=torch.bool)
    torch.testing.assert_close(z[inside].double(), exact[inside], rtol=1e-6, atol=2e-6)


def test_before_counting_z_is_the_percent_point_to_the_last_digit() -> None:
    x = torch.cat([10 ** torch.linspace(-7, -1, 300), 1 - 10 ** torch.linspace(-6, -1, 300)])
    wanted = torch.tensor([NormalDist().inv_cdf(value) for value in x.tolist()])
    z, _ = MarginalGaussian(1)(x[:, None])
    torch.testing.assert_close(z[:, 0], wanted, rtol=1e-6, atol=2e-7)


def test_far_latents_give_finite_pictures() -> None:
    z = torch.tensor([[-1e4, -40.0, -8.0, 8.0, 40.0, 1e4]])
    for kind in ("logit", "gaussian"):
        x = KINDS[kind]().inverse(z)
        assert x.isfinite().all() and x.min() > -0.06 and x.max() < 1.06
        assert (x.diff() >= 0).all()


def test_logit_and_scale_by_hand() -> None:
    z, logdet = Logit(0.1)(torch.tensor([[0.0, 0.25, 1.0]]))
    s = [0.1, 0.3, 0.9]
    wanted = [math.log(value / (1 - value)) for value in s]
    torch.testing.assert_close(z, torch.tensor([wanted]))
    slopes = [0.8 / (value * (1 - value)) for value in s]
    assert logdet.item() == pytest.approx(math.log(math.prod(slopes)), rel=1e-6)
    z, logdet = Scale(0.5, 0.25)(torch.tensor([[0.0, 1.0]]))
    assert z.tolist() == [[-2.0, 2.0]] and logdet.item() == pytest.approx(2 * math.log(4))


# --- histograms --------------------------------------------------------------------------------


def histogram(v: np.ndarray, strength: float) -> np.ndarray:
    """P(level) of each value, (D, 256): bins counted one by one, equal inside a bin."""
    own = np.stack([np.bincount(BIN[column], minlength=21) for column in v.reshape(len(v), -1).T])
    common = own.sum(axis=0) + 1
    mass = (own + strength * common / common.sum()) / (len(v) + strength)
    return (mass / np.diff(EDGES))[:, BIN]


@pytest.mark.parametrize("strength", [0.01, 20.0])
def test_with_nothing_behind_it_it_is_the_histogram_baseline(strength: float) -> None:
    train, test = pictures(300), pictures(200, seed=1)
    model = Flow(Chain(MarginalGaussian(4), Flatten((1, 2, 2))), (1, 2, 2)).eval()
    model.density.bijection.bijections[0].count(train, strength)  # type: ignore[union-attr,index]
    p = histogram(train.numpy(), strength)
    nats = -np.log(p[np.arange(4), test.view(-1, 4).numpy()]).sum(axis=1)
    found = model.loss(test / 255, generator=rng())
    torch.testing.assert_close(found, torch.from_numpy(nats).float(), rtol=1e-4, atol=1e-4)
    bits = model.bits_per_dim(found).mean().item()
    assert bits == pytest.approx(float(nats.mean()) / 4 / math.log(2), rel=1e-5)
    assert model.device.type == "cpu", "no parameter tells the device here"


def test_count_reaches_the_histograms_of_a_flow_and_leaves_the_rest() -> None:
    train, model = pictures(100), mlp_flow(2, (4,), shape=(1, 2, 2))
    before = model.loss(train / 255, generator=rng())
    torch.testing.assert_close(before, torch.full((100,), 4 * math.log(256)))
    model.count(train)
    nats = -np.log(histogram(train.numpy(), 20.0)[np.arange(4), train.view(-1, 4).numpy()])
    after = model.loss(train / 255, generator=rng())
    torch.testing.assert_close(after, torch.from_numpy(nats.sum(axis=1)).float(), rtol=1e-4, atol=0)
    mlp_flow(2, (4,), shape=(1, 2, 2), preprocessing="logit").count(train)  # nothing to count


def test_z_is_the_percent_point_of_x_in_both_tails() -> None:
    marginal = MarginalGaussian(2)
    mass = torch.full((2, 21), 1e-9, dtype=torch.float64)
    mass[0, 0] = mass[1, 20] = 1 - 20e-9  # nearly always 0, nearly always 255
    marginal.logits.copy_(mass.log())
    x = torch.tensor([[255.5, 0.5], [128.0, 128.0], [0.25, 255.25]]) / 256
    z, logdet = marginal(x)
    inverse = NormalDist().inv_cdf
    wanted = [
        [-inverse(0.5e-9), inverse(0.5e-9)],
        [-inverse(11e-9), inverse(10e-9)],  # 128 begins a bin: ten below it, eleven above
        [inverse(0.25 * (1 - 20e-9)), inverse(20e-9 + 0.25 * (1 - 20e-9))],
    ]
    torch.testing.assert_close(z, torch.tensor(wanted), rtol=1e-4, atol=0)
    density = [(1e-9 * 256) ** 2, (1e-9 * 256 / 24) ** 2, 256.0**2]
    log_p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1) + logdet
    torch.testing.assert_close(log_p, torch.tensor(density).log(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(marginal.inverse(z), x, rtol=0, atol=1e-5)


def test_a_known_distribution_costs_its_entropy() -> None:
    """Exactly: all levels, each weighted with its probability, two values that differ."""
    marginal = lively(MarginalGaussian(2), size=1.0)
    mass = marginal.logits.double().softmax(dim=1)
    p = (mass / torch.tensor(np.diff(EDGES)))[:, BIN]  # (2, 256)
    model = Flow(Chain(marginal, Flatten((1, 1, 2))), (1, 1, 2)).eval()
    pairs = torch.cartesian_prod(torch.arange(256.0), torch.arange(256.0)).view(-1, 1, 1, 2)
    nats = model.loss(pairs / 255, generator=rng()).double()
    found = (p[0][:, None] * p[1]).flatten() @ nats
    entropy = -(p * p.log()).sum().item()
    assert found.item() == pytest.approx(entropy, rel=1e-5)
    bits = model.bits_per_dim(found)
    assert bits.item() == pytest.approx(entropy / (2 * math.log(2)), rel=1e-5)
    assert 4 < bits < 7.9


# --- bad input ---------------------------------------------------------------------------------

BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: Scale(0.0, 0.0), "width is 0"),
    (lambda: Scale(0.0, float("nan")), "width is nan"),
    (lambda: Logit(0.0), "alpha is 0"),
    (lambda: Logit(0.5), "alpha is 0.5"),
    (lambda: MarginalGaussian(4)(torch.rand(3, 1, 2, 3)), r"\(3, 1, 2, 3\); expected 4 values"),
    (lambda: MarginalGaussian(4).inverse(torch.rand(3, 5)), r"\(3, 5\); expected 4 values"),
    (lambda: MarginalGaussian(4).count(torch.rand(3, 1, 2, 2)), "float32"),
    (lambda: MarginalGaussian(4).count(torch.zeros(3, 1, 2, 3).byte()), "uint8 of shape"),
    (lambda: preprocessing("sigmoid"), "'sigmoid'; the choices are gaussian, logit, scale"),
    (lambda: flow(preprocessing="none"), "'none'; the choices are"),
]


@pytest.mark.parametrize(("ask", "word"), BAD)
def test_bad_input(ask: Callable[[], Any], word: str) -> None:
    with pytest.raises(CourseError, match=word):
        ask()
