"""Densities made by change of variables: the toy in the plane, its target, its samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tiny import seeded
from tiny_flows import chi_square, lively, rng
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.models.flows import (
    ActNorm,
    AffineCoupling,
    Bijection,
    Chain,
    Density,
    Flatten,
    InvertibleConv,
    MarginalGaussian,
    RowNetwork,
    Scale,
    Scaling,
    Squeeze,
    TwoGaussians,
    half_mask,
    toy_flow,
)

DRAWS = 20_000


@pytest.fixture(scope="module")
def trained() -> Density:
    """The toy flow after a few hundred steps: not yet good, but no longer simple."""
    with seeded(0):
        flow = toy_flow(couplings=4, width=32)
    target, generator = TwoGaussians(), rng()
    optimiser = torch.optim.Adam(flow.parameters(), 5e-3)
    for _ in range(200):
        optimiser.zero_grad()
        (-flow.log_prob(target.sample(256, generator))).mean().backward()
        optimiser.step()
    return flow.eval()


def random_toy() -> Density:
    with seeded(1):
        return lively(toy_flow(couplings=4, width=8), seed=3, size=0.4)


def cells(density: Callable[[Tensor], Tensor], edge: float, n: int, inner: int) -> Tensor:
    """The mass of n x n cells of a square, (n, n), by a midpoint rule with inner^2 points each."""
    step = 2 * edge / (n * inner)
    axis = -edge + step * (torch.arange(n * inner, dtype=torch.float64) + 0.5)
    points = torch.cartesian_prod(axis, axis).float()
    with torch.no_grad():
        p = torch.cat([density(part).double().exp() for part in points.split(50_000)])
    return p.view(n, inner, n, inner).sum(dim=(1, 3)) * step**2


TOYS = pytest.mark.parametrize("name", ["trained", "random"])


def toy(name: str, trained: Density) -> Density:
    return trained if name == "trained" else random_toy()


@TOYS
def test_the_density_integrates_to_1(name: str, trained: Density) -> None:
    assert cells(toy(name, trained).log_prob, 6.0, 100, 6).sum().item() == pytest.approx(
        1, abs=2e-3
    )


@TOYS
def test_samples_follow_the_density(name: str, trained: Density) -> None:
    flow = toy(name, trained)
    expected = DRAWS * cells(flow.log_prob, 2.5, 25, 10)
    x = flow.sample(DRAWS, generator=rng())
    assert x.shape == (DRAWS, 2) and not x.requires_grad
    place = ((x + 2.5) / 0.2).floor()
    inside = ((place >= 0) & (place < 25)).all(dim=1)
    index = (25 * place[:, 0] + place[:, 1])[inside].long()
    counts = torch.cat([index.bincount(minlength=625), (~inside).sum()[None]])
    everywhere = torch.cat([expected.flatten(), (DRAWS - expected.sum()).clamp_min(0)[None]])
    assert abs(chi_square(counts, everywhere)) < 4.5
    cold = flow.sample(DRAWS, temperature=0.8, generator=rng())
    index = (25 * ((cold + 2.5) / 0.2).floor()[:, 0] + ((cold + 2.5) / 0.2).floor()[:, 1]).long()
    counts = index[(index >= 0) & (index < 625)].bincount(minlength=625)
    assert chi_square(counts, expected.flatten()) > 20, "the test cannot tell temperatures apart"


@TOYS
def test_the_toy_undoes_itself(name: str, trained: Density) -> None:
    flow = toy(name, trained).bijection
    x = TwoGaussians().sample(500, rng())
    torch.testing.assert_close(flow.inverse(flow(x)[0]), x, rtol=0, atol=1e-4)
    z = 0.3 * torch.randn(500, 2, generator=rng(1))
    torch.testing.assert_close(flow(flow.inverse(z))[0], z, rtol=0, atol=1e-4)


def test_the_trained_toy_is_between_its_start_and_the_entropy(trained: Density) -> None:
    target = TwoGaussians()
    x = target.sample(DRAWS, rng(5))
    with torch.no_grad():
        bits, best, start = (
            (-density.log_prob(x) / (2 * math.log(2)))
            for density in (trained, target, toy_flow(couplings=4, width=32))
        )
    assert best.mean() < bits.mean() < 1.2 < 5 < start.mean()
    error = best.std() / DRAWS**0.5
    assert abs(best.mean() - target.entropy_bits()) < 4 * error


def test_the_steps_of_the_toy_take_turns() -> None:
    with seeded(0):
        flow = toy_flow(couplings=3, width=4)
    steps = [step for step in flow.bijection.bijections if isinstance(step, AffineCoupling)]  # type: ignore[union-attr]
    assert [step.kept.tolist() for step in steps] == [[0], [1], [0]]
    assert flow.size == 2 and flow.std == 0.3
    x = torch.randn(5, 2, generator=rng())
    wanted = torch.distributions.Normal(0.0, 0.3).log_prob(x).sum(dim=1)
    torch.testing.assert_close(flow.log_prob(x), wanted)


# --- base and change of variables --------------------------------------------------------------


@pytest.mark.parametrize("std", [0.3, 1.0, 2.5])
def test_the_change_of_variables_by_hand(std: float) -> None:
    density = Density(Scale(1.0, 4.0), 3, std)
    x = torch.randn(5, 3, generator=rng())
    wanted = torch.distributions.Normal(1.0, 4 * std).log_prob(x).sum(dim=1)
    torch.testing.assert_close(density.log_prob(x), wanted)
    drawn = density.sample(DRAWS, generator=rng())
    spread = 4 * std
    assert ((drawn.mean(dim=0) - 1).abs() < 4 * spread / DRAWS**0.5).all()
    torch.testing.assert_close(drawn.std(dim=0), torch.full((3,), spread), rtol=0.03, atol=0)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 1.5])
def test_temperature_is_a_factor_on_z(temperature: float) -> None:
    flow = random_toy()
    z = 0.3 * temperature * torch.randn(7, 2, generator=rng(4))
    found = flow.sample(7, temperature, generator=rng(4))
    torch.testing.assert_close(found, flow.bijection.inverse(z).detach())


def test_the_generator_fixes_the_samples() -> None:
    flow, target = random_toy(), TwoGaussians()
    state = torch.get_rng_state()
    for draw in (lambda g: flow.sample(5, generator=g), lambda g: target.sample(5, g)):
        assert torch.equal(draw(rng(0)), draw(rng(0)))
        assert not torch.equal(draw(rng(0)), draw(rng(1)))
    assert torch.equal(state, torch.get_rng_state()), "torch's own generator was used"


def test_samples_are_told_the_context() -> None:
    with seeded(0):
        coupling = AffineCoupling(half_mask(2), RowNetwork(1, 2, (8,), context_size=2))
    density = Density(lively(coupling, size=0.8), 2)
    one, other = (torch.eye(2)[k].expand(6, 2) for k in range(2))
    x = density.sample(6, context=one, generator=rng())
    assert not torch.equal(x, density.sample(6, context=other, generator=rng()))
    assert not torch.equal(density.log_prob(x, one), density.log_prob(x, other))
    z = density.bijection(x, one)[0]
    torch.testing.assert_close(z, torch.randn(6, 2, generator=rng()))


# --- densities of MarginalGaussian -------------------------------------------------------------


def test_one_value_through_its_cdf_sums_to_1() -> None:
    density = Density(lively(MarginalGaussian(1), size=1.0), 1).double()
    middle = (torch.arange(256, dtype=torch.float64)[:, None] + 0.5) / 256
    p = density.log_prob(middle).exp()
    assert p.sum().item() / 256 == pytest.approx(1, abs=1e-9)
    assert p.max() > 3 * p.min(), "no histogram at all"


def test_two_values_through_their_cdfs_and_a_coupling_integrate_to_1() -> None:
    marginal = lively(MarginalGaussian(2), seed=1)
    with seeded(0):
        coupling = lively(AffineCoupling(half_mask(2), RowNetwork(1, 2, (8,))), size=0.4)
    axis = (torch.arange(512, dtype=torch.float64) + 0.5) / 512
    points = torch.cartesian_prod(axis, axis)
    plain, coupled = (
        Density(bijection, 2).double().log_prob(points).exp().mean().item()
        for bijection in (marginal, Chain(marginal, coupling))
    )
    assert plain == pytest.approx(1, abs=1e-9)
    assert coupled == pytest.approx(1, abs=3e-3)


def test_samples_of_histograms_are_histograms() -> None:
    marginal = lively(MarginalGaussian(2), seed=1)
    density = Density(marginal, 2)  # no parameter tells the device here
    x = density.sample(DRAWS, generator=rng())
    assert x.min() >= 0 and x.max() <= 1
    levels = (256 * x).floor().clamp_max(255).long()
    middle = ((torch.arange(256) + 0.5) / 256)[:, None].expand(256, 2)
    for d in range(2):
        # of two independent values, the one that is looked at
        z, _ = marginal(middle)
        slope = torch.autograd.functional.jacobian(lambda v: marginal(v)[0].sum(0), middle)[d, :, d]
        p = (-0.5 * z[:, d].square()).exp() / math.sqrt(2 * math.pi) * slope / 256
        assert abs(chi_square(levels[:, d].bincount(minlength=256), DRAWS * p)) < 4.5


# --- the target --------------------------------------------------------------------------------


def test_two_gaussians_by_hand() -> None:
    target = TwoGaussians()
    for point in [(0.0, 0.0), (1.0, 1.0), (-1.0, -0.7), (0.4, -0.3)]:
        parts = [
            math.exp(-sum((value - c) ** 2 for value in point) / (2 * 0.09)) / (2 * math.pi * 0.09)
            for c in (1, -1)
        ]
        found = target.log_prob(torch.tensor([point])).item()
        assert found == pytest.approx(math.log(sum(parts) / 2), rel=1e-5)


def test_its_entropy_is_that_of_one_part_and_a_coin() -> None:
    # nine deviations lie between the parts, so that the coin can be read off every point
    wanted = (math.log2(2 * math.pi * math.e * 0.09) + 1) / 2
    assert TwoGaussians().entropy_bits() == pytest.approx(wanted, abs=2e-4)
    assert TwoGaussians().entropy_bits() == pytest.approx(0.810, abs=5e-4)


def test_it_is_a_mixture_and_not_a_sum() -> None:
    x = TwoGaussians().sample(DRAWS, rng())
    side = x.sum(dim=1).sign()
    assert abs(side.mean()) < 4 / DRAWS**0.5
    near = x - side[:, None]
    assert (near.mean(dim=0).abs() < 4 * 0.3 / DRAWS**0.5).all()
    torch.testing.assert_close(near.std(dim=0), torch.full((2,), 0.3), rtol=0.03, atol=0)
    assert abs((near[:, 0] * near[:, 1]).mean()) < 4 * 0.09 / DRAWS**0.5
    assert (x.norm(dim=1) < 0.1).sum() == 0, "the middle is empty"


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "word"),
    [
        (lambda: AffineCoupling(torch.ones(4).bool(), RowNetwork(2, 4, ())), "some false"),
        (lambda: AffineCoupling(torch.zeros(4).bool(), RowNetwork(2, 4, ())), "some true"),
        (lambda: AffineCoupling(torch.tensor([1, 0]), RowNetwork(1, 2, ())), "int64"),
        (lambda: AffineCoupling(torch.eye(2).bool(), RowNetwork(1, 2, ())), r"\(2, 2\)"),
        (lambda: AffineCoupling(half_mask(2), RowNetwork(1, 2, ()))(torch.zeros(3)), r"\(3,\)"),
        (lambda: toy_flow(1, 4).log_prob(torch.zeros(5, 3)), r"\(5, 3\); expected \(B, 2"),
        (lambda: toy_flow(1, 4).bijection.inverse(torch.zeros(5, 1)), r"\(5, 1\)"),
        (lambda: toy_flow(1, 4).log_prob(torch.zeros(5, 2), torch.zeros(5, 3)), "but 3 were given"),
        (lambda: toy_flow(1, 4).sample(5, context=torch.zeros(5, 3)), "but 3 were given"),
        (lambda: RowNetwork(1, 2, (), 3)(torch.zeros(5, 1)), "3 numbers, but 0 were given"),
        (lambda: RowNetwork(1, 2, (), 3)(torch.zeros(5, 1), torch.zeros(4, 3)), "4 contexts"),
        (lambda: Squeeze()(torch.zeros(1, 1, 3, 4)), "even H, W"),
        (lambda: Squeeze()(torch.zeros(1, 1, 4, 3)), "even H, W"),
        (lambda: Squeeze()(torch.zeros(4, 4)), r"\(4, 4\)"),
        (lambda: Flatten((1, 2, 2))(torch.zeros(3, 1, 4, 4)), r"\(B, 1, 2, 2\)"),
        (lambda: Scaling(4)(torch.zeros(3, 1)), r"Scaling.*\(3, 1\); expected \(B, 4"),
        (lambda: ActNorm(4)(torch.zeros(3, 1, 2, 2)), r"ActNorm.*expected \(B, 4"),
        (lambda: ActNorm(4)(torch.zeros(1, 4)), "more than one picture"),
        (lambda: InvertibleConv(4)(torch.zeros(3, 3, 2, 2)), r"InvertibleConv.*\(B, 4"),
    ],
)
def test_bad_input(ask: Callable[[], Bijection | Tensor], word: str) -> None:
    with pytest.raises(CourseError, match=word):
        ask()
