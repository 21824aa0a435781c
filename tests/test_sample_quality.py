"""Measures of sample quality against other libraries, brute force and worked examples."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import tiny
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.models.classifier import DigitClassifier
from coursekit.sample_quality import (
    class_shares,
    classes_covered,
    classifier_score,
    confident_share,
    features_of,
    frechet_distance,
    modes_covered,
    precision_recall,
)


def normal(n: int, dims: int, seed: int, spread: float = 1.0) -> Tensor:
    """Correlated Gaussian features with a mean of their own."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dims, dims, generator=generator)
    return spread * torch.randn(n, dims, generator=generator) @ mixing + seed


# --- Frechet distance --------------------------------------------------------------------------


def by_square_root(a: Tensor, b: Tensor) -> float:
    x, y = a.double().numpy(), b.double().numpy()
    cov_x, cov_y = np.cov(x.T), np.cov(y.T)
    gap = x.mean(axis=0) - y.mean(axis=0)
    return float(gap @ gap + np.trace(cov_x + cov_y - 2 * sqrtm(cov_x @ cov_y).real))


@pytest.mark.parametrize(("n", "m", "dims"), [(200, 200, 5), (50, 300, 8), (400, 90, 2)])
def test_frechet_distance_against_scipy(n: int, m: int, dims: int) -> None:
    a, b = normal(n, dims, 1), normal(m, dims, 2, spread=0.5)
    found = frechet_distance(a, b)
    assert found == pytest.approx(by_square_root(a, b), rel=1e-6)
    assert found == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_frechet_distance_against_torchmetrics() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Flat(nn.Module):
        num_features = 12

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)

    metric = FrechetInceptionDistance(
        feature=Flat(), normalize=True, input_img_size=(3, 2, 2), antialias=False
    )
    metric.set_dtype(torch.float64)
    a, b = torch.rand(300, 3, 2, 2), torch.rand(260, 3, 2, 2) ** 2
    metric.update(a, real=True)
    metric.update(b, real=False)
    seen = [(255 * x).byte().flatten(1).double() for x in (a, b)]  # what torchmetrics looks at
    found = [frechet_distance(*parts) for parts in (seen, [a.flatten(1), b.flatten(1)])]
    assert any(metric.compute().item() == pytest.approx(value, rel=1e-3) for value in found)


def test_frechet_distance_in_one_dimension() -> None:
    """(mu_a - mu_b)^2 + (s_a - s_b)^2 with spreads divided by N - 1."""
    a, b = torch.tensor([[0.0], [2.0], [4.0]]), torch.tensor([[10.0], [11.0], [12.0]])
    assert frechet_distance(a, b) == pytest.approx((2 - 11) ** 2 + (2 - 1) ** 2)


def test_frechet_distance_of_commuting_covariances() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(500, 3, generator=generator).double()
    points = points - points.mean(dim=0)
    points = points @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(points.T))).T
    wide = points * torch.tensor([1.0, 2.0, 5.0]).double() + torch.tensor([3.0, 0, 0]).double()
    assert frechet_distance(points, wide) == pytest.approx(9 + 0 + 1 + 16)


def test_frechet_distance_does_not_care_for_rotations_and_features_that_never_vary() -> None:
    a, b = normal(300, 6, 3), normal(300, 6, 4)
    turn = torch.linalg.qr(normal(6, 6, 5).double()).Q.float()
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(frechet_distance(a, b), rel=1e-4)
    dead = torch.zeros(300, 3)
    padded = frechet_distance(torch.cat([a, dead], dim=1), torch.cat([b, dead], dim=1))
    assert padded == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_frechet_distance_of_a_set_to_itself_is_nothing_and_few_pictures_do_no_harm() -> None:
    a = normal(300, 6, 3)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    few = normal(4, 30, 3)  # a covariance of rank 3
    assert frechet_distance(few, few.flip(0)) == pytest.approx(0, abs=1e-4)
    assert math.isfinite(frechet_distance(few, normal(5, 30, 4)))


def test_frechet_distance_in_double_precision() -> None:
    far = 1e4 + torch.randn(500, 2, generator=torch.Generator().manual_seed(0)).double()
    near = far - 1e4
    assert frechet_distance(far, far + 3) == pytest.approx(18, rel=1e-6)
    assert frechet_distance(near, near + 3) == pytest.approx(18, rel=1e-6)


# --- precision and recall ----------------------------------------------------------------------


def slowly(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    def radius(points: Tensor, i: int) -> float:
        others = [(points[i] - p).norm().item() for j, p in enumerate(points) if j != i]
        return sorted(others)[k - 1]

    def share(points: Tensor, centres: Tensor) -> float:
        radii = [radius(centres, i) for i in range(len(centres))]
        inside = [
            any((p - c).norm().item() <= r for c, r in zip(centres, radii, strict=True))
            for p in points
        ]
        return sum(inside) / len(inside)

    return share(fake, real), share(real, fake)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("chunk", [7, 1000])
def test_precision_and_recall_against_brute_force(k: int, chunk: int) -> None:
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(40, 2, generator=generator).double()
    fake = torch.randn(30, 2, generator=generator).double() + 2.5
    expected = slowly(real, fake, k)
    assert precision_recall(real, fake, k, chunk) == pytest.approx(expected)
    assert precision_recall(fake, real, k, chunk) == pytest.approx(expected[::-1])
    assert 0 < expected[0] < 1 and 0 < expected[1] < 1 and expected[0] != expected[1]


def test_precision_and_recall_take_two_faults_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    real = torch.cat([torch.randn(200, 2, generator=generator) + 20 * k for k in range(4)])
    again = torch.cat([torch.randn(200, 2, generator=generator) + 20 * k for k in range(4)])
    precision, recall = precision_recall(real, again)
    assert precision > 0.9 and recall > 0.9
    one_mode = torch.randn(800, 2, generator=generator) * 0.5
    precision, recall = precision_recall(real, one_mode)
    assert precision > 0.95 and recall < 0.26
    everywhere = 80 * torch.rand(800, 2, generator=generator) - 10
    precision, recall = precision_recall(real, everywhere)
    assert precision < 0.3 and recall > 0.6


# --- what a classifier says --------------------------------------------------------------------


def test_classifier_score_at_both_ends() -> None:
    assert classifier_score(torch.eye(10).repeat(7, 1)) == pytest.approx(10)
    assert classifier_score(torch.full((9, 10), 0.1)) == pytest.approx(1)
    certain = torch.zeros(5, 4)
    certain[:, 2] = 1
    assert classifier_score(certain) == pytest.approx(1), "one class only: sure, not varied"
    # two pictures, p(y) = (0.7, 0.3)
    rows = torch.tensor([[0.9, 0.1], [0.5, 0.5]])
    kl = [0.9 * math.log(0.9 / 0.7) + 0.1 * math.log(0.1 / 0.3),
          0.5 * math.log(0.5 / 0.7) + 0.5 * math.log(0.5 / 0.3)]  # fmt: skip
    assert classifier_score(rows) == pytest.approx(math.exp(sum(kl) / 2))


def test_classifier_score_against_torchmetrics() -> None:
    from torchmetrics.image.inception import InceptionScore

    class Logits(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1).float()[:, :6] / 40

    metric = InceptionScore(feature=Logits(), splits=1)
    pictures = torch.randint(0, 256, (80, 3, 2, 2), dtype=torch.uint8,
                             generator=torch.Generator().manual_seed(0))  # fmt: skip
    metric.update(pictures)
    p = torch.softmax(Logits()(pictures), dim=1)
    assert classifier_score(p) == pytest.approx(metric.compute()[0].item(), rel=1e-4)


def test_shares_and_coverage() -> None:
    shares = class_shares(torch.tensor([0, 2, 2, 2, 0, 1, 1, 1, 1, 1]), 4)
    assert shares.tolist() == pytest.approx([0.2, 0.5, 0.3, 0.0])
    assert shares.sum().item() == pytest.approx(1)
    wanted = torch.tensor([0.3, 0.3, 0.3, 0.1], dtype=torch.float64)
    # 0.2 is exactly 0.3 / 1.5; 0.5 is above 0.45; 0.0 is below
    found = torch.tensor([0.2, 0.5, 0.3, 0.0], dtype=torch.float64)
    assert classes_covered(found, wanted) == 2
    assert classes_covered(wanted, wanted, factor=1.0) == 4
    assert classes_covered(shares, wanted, factor=2.0) == 3


def test_confident_share() -> None:
    assert confident_share(torch.tensor([0.5, 0.51, 0.99, 0.1])) == 0.5
    assert confident_share(torch.tensor([0.5, 0.51, 0.99, 0.1]), above=0.9) == 0.25


def test_modes_covered() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = torch.tensor([[0.0, 1.0], [0.0, -0.5], [10.0, 1.0], [10.0, 1.001], [5.0, 5.0]])
    assert modes_covered(points, centres, radius=1.0, least=1) == (2, 0.6)
    assert modes_covered(points, centres, radius=1.0, least=2) == (1, 0.6)
    assert modes_covered(points, centres, radius=1.1, least=2) == (2, 0.8)
    assert modes_covered(points, centres, radius=0.1, least=1) == (0, 0.0)


def test_overlapping_modes_share_no_point() -> None:
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    points = torch.tensor([[0.4, 0.0]] * 5)
    assert modes_covered(points, centres, radius=1.0, least=1) == (1, 1.0)


# --- features and refusals ---------------------------------------------------------------------


def test_features_are_those_of_the_classifier() -> None:
    with tiny.seeded(0):
        judge = DigitClassifier((2, 2, 2), features=5, shape=tiny.SHAPE).eval()
    pictures = torch.rand(25, *tiny.SHAPE)
    found = features_of(judge, pictures, chunk=10)
    assert found.shape == (25, 5) and not found.requires_grad
    assert torch.allclose(found, judge.features(pictures), atol=1e-6)
    with pytest.raises(CourseError, match="eval"):
        features_of(judge.train(), pictures)


@pytest.mark.parametrize(
    "act",
    [
        lambda: frechet_distance(torch.zeros(5, 3), torch.zeros(5, 4)),
        lambda: frechet_distance(torch.zeros(5), torch.zeros(5)),
        lambda: frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3)),
        lambda: frechet_distance(torch.full((5, 3), math.nan), torch.zeros(5, 3)),
        lambda: precision_recall(torch.zeros(3, 3), torch.zeros(9, 3)),
        lambda: precision_recall(torch.zeros(9, 3), torch.zeros(9, 3), k=0),
        lambda: classifier_score(torch.tensor([[0.5, 0.2]])),
        lambda: classifier_score(torch.tensor([[1.5, -0.5]])),
        lambda: classifier_score(torch.zeros(0, 3)),
        lambda: class_shares(torch.tensor([0, 3]), 3),
        lambda: class_shares(torch.tensor([], dtype=torch.int64), 3),
        lambda: confident_share(torch.zeros(0)),
    ],
)
def test_what_makes_no_sense_is_refused(act: Callable[[], object]) -> None:
    with pytest.raises(CourseError) as caught:
        act()
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
