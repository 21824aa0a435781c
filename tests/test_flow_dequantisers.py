"""Dequantisation: bits/dim is right by construction, and bounds are below log P."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from statistics import NormalDist

import pytest
import torch
from tiny import seeded
from tiny_flows import grey, lively, rng
from torch import Tensor

from coursekit.data.preparations import dequantise
from coursekit.models.flows import (
    Bijection,
    Chain,
    Flatten,
    Flow,
    Logit,
    MarginalGaussian,
    Scale,
    UniformDequantiser,
    VariationalDequantiser,
    mlp_flow,
)

LEVELS = torch.arange(256.0).view(256, 1, 1, 1)


def single(bijection: Bijection) -> Flow:
    return Flow(Chain(bijection, Flatten((1, 1, 1))), (1, 1, 1)).eval()


# --- cells: the exact mass of a level, and its bounds ------------------------------------------

CELLS: dict[str, Callable[[], Flow]] = {
    "scale": lambda: single(Scale(0.4, 0.2)),
    "logit": lambda: single(Logit(0.01)),
    "gaussian": lambda: single(lively(MarginalGaussian(1))),
}


def log_mass(model: Flow, levels: Tensor, steps: int) -> Tensor:
    """log P(v) of the cell of each picture of one or two values, by a midpoint rule."""
    axis = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    values = levels[0].numel()
    u = torch.cartesian_prod(*[axis] * values).view(-1, 1, *levels.shape[1:])
    x = (levels + u).flatten(0, 1) / 256
    with torch.no_grad():
        log_p = model.double().log_prob(x).view(len(u), len(levels))
    return log_p.logsumexp(dim=0) - math.log(len(u)) - values * math.log(256)


@pytest.mark.parametrize("name", CELLS)
def test_the_masses_of_all_levels_are_those_of_the_cells(name: str) -> None:
    model = CELLS[name]()
    mass = log_mass(model, LEVELS, 40).exp()
    # what of N(0, 1) lies in the reach of the forward map
    ends = model.density.bijection(torch.tensor([[[[0.0]]], [[[1.0]]]]).double())[0].flatten()
    share = NormalDist().cdf(ends[1].item()) - NormalDist().cdf(ends[0].item())
    assert mass.sum().item() == pytest.approx(share, abs=1e-4)
    axis = (torch.arange(40, dtype=torch.float64) + 0.5) / 40
    with torch.no_grad():
        inside = [model.log_prob((LEVELS.double() + u) / 256) - math.log(256) for u in axis]
        many = LEVELS.double().repeat(400, 1, 1, 1) / 255
        loss = model.loss(many, generator=rng()).view(400, 256)
    bound = torch.stack(inside).mean(dim=0)
    assert (bound <= mass.log() + 1e-9).all()
    assert ((loss.mean(dim=0) + bound).abs() < 5 * loss.std(dim=0) / 20 + 1e-3).all()


def couple(variational: bool = False) -> tuple[Flow, Tensor]:
    """A flow of two values whose couplings do much, and a few of its pictures."""
    with seeded(0):
        plain = mlp_flow(4, (8,), preprocessing="scale", shape=(1, 1, 2))
        model = Flow(plain.density.bijection, (1, 1, 2))
        if variational:
            model.dequantiser = VariationalDequantiser(1, 4, 1)
        lively(model, size=0.3)
        with torch.no_grad():
            model.density.bijection.bijections[-1].log_scale += 5.0  # type: ignore[union-attr,index,operator]
    return model, (256 * model.sample(8, generator=rng())).floor().clamp_max(255)


@pytest.mark.parametrize("variational", [False, True])
def test_bounds_are_below_log_p_and_tighten_with_n(variational: bool) -> None:
    model, levels = couple(variational)
    with torch.no_grad():
        log_w = model.log_weights(levels.repeat(256, 1, 1, 1) / 255, None, 16, rng())
        assert log_w.shape == (16, 256 * 8)
        log_w = log_w.view(16 * 256, 8).double()
        exact = log_mass(model, levels, 64)
    bounds = []
    for n in (1, 8, 64, 4096):
        groups = log_w.view(-1, n, 8).logsumexp(dim=1) - math.log(n)
        bounds.append(groups.mean(dim=0))
    assert (bounds[0] < exact).all() and (exact - bounds[0]).mean() > 0.05
    for loose, tight in pairwise(bounds):
        assert (tight > loose).all()
    torch.testing.assert_close(bounds[-1], exact, rtol=0, atol=0.1)


# --- dequantisers ------------------------------------------------------------------------------


def test_uniform_noise_stays_in_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    uniform = UniformDequantiser()
    levels = torch.arange(256.0).view(1, 1, 16, 16).expand(200, 1, 16, 16)
    x, log_q = uniform(levels, rng())
    assert torch.equal((256 * x).floor(), levels)
    torch.testing.assert_close(log_q, torch.full((200,), 256 * math.log(256)))
    u = (256 * x - levels).flatten().sort()[0]
    even = torch.linspace(0, 1, len(u))
    assert (u - even).abs().max() < 1.95 / len(u) ** 0.5  # Kolmogorov and Smirnov
    assert torch.equal(x, dequantise(levels.byte(), rng()))
    # the largest float32 below 1 must not carry a level into the next cell
    monkeypatch.setattr(Tensor, "uniform_", lambda self, generator=None: self.fill_(1 - 2**-24))
    assert torch.equal((256 * uniform(levels)[0]).floor(), levels)


def with_noise(monkeypatch: pytest.MonkeyPatch, e: Tensor) -> None:
    monkeypatch.setattr(Tensor, "normal_", lambda self, generator=None: e.to(self.dtype))


def variational(channels: int = 1, size: float = 0.5) -> VariationalDequantiser:
    with seeded(0):
        return lively(VariationalDequantiser(channels, 4, 1), size=size)


def test_learned_noise_stays_in_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    dequantiser = variational()
    levels = torch.arange(256.0).view(1, 1, 16, 16).expand(50, 1, 16, 16)
    x, log_q = dequantiser(levels, rng())
    assert torch.equal((256 * x).floor(), levels) and log_q.isfinite().all()
    for extreme in (-60.0, -9.0, 9.0, 60.0):
        with_noise(monkeypatch, torch.full(levels.shape, extreme))
        x, log_q = dequantiser(levels)
        assert torch.equal((256 * x).floor(), levels) and log_q.isfinite().all()


@pytest.mark.parametrize("channels", [1, 2])
def test_log_q_is_the_density_of_the_learned_noise(
    monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    dequantiser = variational(channels).double()
    levels = (255 * grey(1, shape=(channels, 2, 2))).round().double()

    def noisy(e: Tensor) -> Tensor:
        with_noise(monkeypatch, e.view(levels.shape))
        return dequantiser(levels)[0].flatten()

    e = torch.randn(4 * channels, generator=rng(), dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(noisy, e)
    base = torch.distributions.Normal(0.0, 1.0).log_prob(e).sum()
    wanted = base - torch.linalg.slogdet(jacobian).logabsdet  # type: ignore[arg-type]
    with_noise(monkeypatch, e.view(levels.shape))
    torch.testing.assert_close(dequantiser(levels)[1][0], wanted)


@pytest.mark.parametrize("level", [0, 3, 255])
@pytest.mark.parametrize("size", [0.0, 0.5])
def test_learned_noise_integrates_to_1_over_a_cell(
    monkeypatch: pytest.MonkeyPatch, level: int, size: float
) -> None:
    dequantiser = variational(size=size).double()
    e = torch.linspace(-9, 9, 4001, dtype=torch.float64).view(-1, 1, 1, 1)
    with_noise(monkeypatch, e)
    x, log_q = dequantiser(torch.full_like(e, level))
    x, q = x.flatten(), log_q.exp()
    assert ((q[1:] + q[:-1]) / 2 * x.diff()).sum().item() == pytest.approx(1, abs=1e-3)
    if size == 0:  # as built, nearly even
        assert (q * x.diff(append=x[-1:]) * (q / 256).log()).sum() < 0.05


def test_learned_noise_listens_to_the_picture_and_learns() -> None:
    dequantiser = variational()
    one, other = torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 255.0)
    u = [256 * dequantiser(levels, rng())[0] - levels for levels in (one, other)]
    assert not torch.allclose(u[0], u[1], atol=1e-3)
    x, log_q = dequantiser(one, rng())
    (log_q + x.flatten(1).sum(dim=1)).sum().backward()
    for name, parameter in dequantiser.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
