"""Adversarial losses against values worked out by hand, their optima, and their stability."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from coursekit.adversarial import (
    LOSSES,
    adversarial_loss,
    bilinear_orbit,
    gradient_penalty,
    optimal_discriminator,
)
from coursekit.errors import CourseError

NAMES = ["minimax", "non-saturating", "least-squares", "hinge", "wasserstein"]
REAL, FAKE = [1.0, -2.0], [0.5, 3.0, -1.5]


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def mean(cost: Callable[[float], float], logits: list[float]) -> float:
    return sum(map(cost, logits)) / len(logits)


LOG_D, LOG_NOT_D = (lambda v: math.log(sigmoid(v))), (lambda v: math.log(1 - sigmoid(v)))
BY_HAND: dict[str, tuple[float, float]] = {
    "minimax": (-mean(LOG_D, REAL) - mean(LOG_NOT_D, FAKE), mean(LOG_NOT_D, FAKE)),
    "non-saturating": (-mean(LOG_D, REAL) - mean(LOG_NOT_D, FAKE), -mean(LOG_D, FAKE)),
    # (0 + 9) / 2 + (0.25 + 9 + 2.25) / 3 and (0.25 + 4 + 6.25) / 3
    "least-squares": (4.5 + 11.5 / 3, 10.5 / 3),
    # (0 + 3) / 2 + (1.5 + 4 + 0) / 3 and -(0.5 + 3 - 1.5) / 3
    "hinge": (1.5 + 5.5 / 3, -2 / 3),
    "wasserstein": (0.5 + 2 / 3, -2 / 3),
}


def test_the_losses_are_those_promised() -> None:
    assert list(LOSSES) == NAMES
    assert all(loss.name == name for name, loss in LOSSES.items())
    with pytest.raises(CourseError, match="non-saturating"):
        adversarial_loss("nonsaturating")


@pytest.mark.parametrize("name", NAMES)
def test_values_by_hand(name: str) -> None:
    loss = adversarial_loss(name)
    discriminator = loss.discriminator(torch.tensor(REAL), torch.tensor(FAKE))
    generator = loss.generator(torch.tensor(FAKE))
    assert discriminator.shape == generator.shape == ()
    assert discriminator.item() == pytest.approx(BY_HAND[name][0], rel=1e-6)
    assert generator.item() == pytest.approx(BY_HAND[name][1], rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1000.0, -1000.0, 1e6, -1e6])
def test_any_logit_gives_finite_losses_and_gradients(name: str, size: float) -> None:
    logits = torch.tensor([size, 0.0], requires_grad=True)
    loss = LOSSES[name]
    for value in (loss.discriminator(logits, -logits), loss.generator(logits)):
        (slope,) = torch.autograd.grad(value, logits)
        assert value.isfinite() and slope.isfinite().all()


# three places, with the data's and the generator's probabilities there
P, Q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.1, 0.3, 0.6]).double()
OPTIMA: dict[str, tuple[Tensor, float]] = {
    "minimax": (torch.log(P / Q), 0.0),
    "non-saturating": (torch.log(P / Q), 0.0),
    "least-squares": (P / (P + Q), 0.0),
}


def expected(name: str, logits: Tensor) -> Tensor:
    """The discriminator's loss where the data and the generator are the tables P and Q."""
    loss = LOSSES[name]
    return (P * loss.real(logits)).sum() + (Q * loss.fake(logits)).sum()


@pytest.mark.parametrize("name", OPTIMA)
def test_the_best_discriminator_is_the_known_one(name: str) -> None:
    best = OPTIMA[name][0].clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(expected(name, best), best)
    assert slope.abs().max() < 1e-12
    for shift in (0.1, -0.1):
        for place in range(3):
            moved = best.detach().clone()
            moved[place] += shift
            assert expected(name, moved) > expected(name, best.detach())


def test_the_best_hinge_discriminator_is_the_sign() -> None:
    best = torch.tensor([1.0, 0.0, -1.0]).double()
    lowest = expected("hinge", best)
    assert lowest.item() == pytest.approx(2 * torch.minimum(P, Q).sum().item())
    grid = torch.linspace(-2, 2, 41).double()
    for place in range(3):
        for value in grid:
            moved = best.clone()
            moved[place] = value
            assert expected("hinge", moved) >= lowest - 1e-12


def test_wasserstein_has_no_best_discriminator_without_a_bound() -> None:
    logits = torch.zeros(3).double().requires_grad_(True)
    (slope,) = torch.autograd.grad(expected("wasserstein", logits), logits)
    assert torch.allclose(slope, Q - P)


@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_the_value_at_convergence(name: str) -> None:
    zeros = torch.zeros(5)
    assert LOSSES[name].discriminator(zeros, zeros).item() == pytest.approx(math.log(4))


def test_minimax_saturates_where_non_saturating_pulls() -> None:
    logits = torch.tensor([-12.0], requires_grad=True)
    slopes = [torch.autograd.grad(LOSSES[n].generator(logits), logits)[0].item() for n in NAMES[:2]]
    assert slopes[0] == pytest.approx(-sigmoid(-12), rel=1e-4)
    assert slopes[1] == pytest.approx(-1, rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_gains_by_a_higher_logit(name: str) -> None:
    logits = torch.tensor([-0.3], requires_grad=True)
    (slope,) = torch.autograd.grad(LOSSES[name].generator(logits), logits)
    assert slope.item() < 0


@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_smoothing_asks_for_less_than_certainty(name: str) -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    value = LOSSES[name].discriminator(real, fake, smooth=0.1)
    by_hand = -mean(lambda v: 0.9 * LOG_D(v) + 0.1 * LOG_NOT_D(v), REAL) - mean(LOG_NOT_D, FAKE)
    assert value.item() == pytest.approx(by_hand, rel=1e-6)
    logit = torch.tensor([math.log(9)], requires_grad=True)
    smoothed = LOSSES[name].smoothed
    assert smoothed is not None
    (slope,) = torch.autograd.grad(smoothed(logit, 0.1).sum(), logit)
    assert slope.abs().item() < 1e-6, "the best answer to a real picture is now 0.9"


def test_smoothing_elsewhere() -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    value = LOSSES["least-squares"].discriminator(real, fake, smooth=0.25)
    assert value.item() == pytest.approx((0.25**2 + 2.75**2) / 2 + 11.5 / 3)
    for name in ("hinge", "wasserstein"):
        with pytest.raises(CourseError, match="smooth"):
            LOSSES[name].discriminator(real, fake, smooth=0.1)


# --- gradient penalty --------------------------------------------------------------------------


class Slope(nn.Module):
    """A linear critic: its gradient is its weight, wherever it is asked."""

    def __init__(self, shape: tuple[int, ...], value: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full(shape, value))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x).flatten(1).sum(dim=1)


def test_penalty_of_a_linear_critic() -> None:
    critic = Slope((1, 2, 2), 0.75)  # norm 1.5 over all four values
    real, fake = torch.randn(5, 1, 2, 2), torch.randn(5, 1, 2, 2)
    penalty = gradient_penalty(critic, real, fake, torch.rand(5))
    assert penalty.shape == (5,)
    assert torch.allclose(penalty, torch.full((5,), 0.25))
    (slope,) = torch.autograd.grad(penalty.mean(), critic.weight)
    # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|
    assert torch.allclose(slope, torch.full((1, 2, 2), 2 * 0.5 * 0.75 / 1.5))


def test_penalty_is_taken_between_the_two_pictures() -> None:
    def critic(x: Tensor) -> Tensor:
        return (x**2).flatten(1).sum(dim=1) / 2  # its gradient at x is x

    generator = torch.Generator().manual_seed(0)
    real = torch.randn(6, 3, generator=generator)
    fake = torch.randn(6, 3, generator=generator)
    mix = torch.tensor([0.0, 1.0, 0.5, 0.25, 0.9, 0.1])
    by_hand = [
        ((m * r + (1 - m) * f).norm() - 1) ** 2 for m, r, f in zip(mix, real, fake, strict=True)
    ]
    assert torch.allclose(gradient_penalty(critic, real, fake, mix), torch.stack(by_hand))


def test_penalty_leaves_the_pictures_alone() -> None:
    critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
    real = torch.randn(2, 1, 2, 2, requires_grad=True)
    fake = torch.randn(2, 1, 2, 2, requires_grad=True)
    kept = real.detach().clone(), fake.detach().clone()
    with torch.no_grad():
        outer = gradient_penalty(critic, real, fake, torch.rand(2))
    assert outer.isfinite().all()
    gradient_penalty(critic, real, fake, torch.rand(2)).sum().backward()
    assert real.grad is None and fake.grad is None
    assert torch.equal(real, kept[0]) and torch.equal(fake, kept[1])
    assert all(p.grad is not None for name, p in critic.named_parameters() if "weight" in name)


def test_penalty_refuses_batches_that_do_not_fit() -> None:
    critic = Slope((3,), 1.0)
    pictures = torch.zeros(4, 3)
    for real, mix in ((torch.zeros(3, 3), torch.rand(3)), (pictures, torch.rand(4, 1))):
        with pytest.raises(CourseError, match="gradient_penalty"):
            gradient_penalty(critic, real, pictures, mix)


# --- known games -------------------------------------------------------------------------------


def test_optimal_discriminator() -> None:
    log_p = torch.tensor([math.log(0.6), -3000.0, 3000.0, -math.inf, 1.0, -5000.0])
    log_q = torch.tensor([math.log(0.2), 3000.0, -3000.0, 1.0, -math.inf, -5000.0])
    found = optimal_discriminator(log_p, log_q)
    assert torch.allclose(found, torch.tensor([0.75, 0.0, 1.0, 0.0, 1.0, 0.5]))


def test_bilinear_orbits() -> None:
    for alternating in (False, True):
        path = bilinear_orbit(1.0, 2.0, rate=0.1, steps=200, alternating=alternating)
        assert path.shape == (201, 2) and path[0].tolist() == [1.0, 2.0]
        radii = path.norm(dim=1)
        if alternating:
            assert radii.max() < 1.1 * radii[0] and radii[-50:].max() > 0.9 * radii[0]
        else:
            grown = radii[1:] / radii[:-1]
            assert torch.allclose(grown, torch.full_like(grown, math.sqrt(1.01)))
    assert bilinear_orbit(1.0, 2.0, 0.1, 1, True)[1].tolist() == pytest.approx([0.8, 2.08])
    assert bilinear_orbit(1.0, 2.0, 0.1, 1, False)[1].tolist() == pytest.approx([0.8, 2.1])
