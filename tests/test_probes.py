"""Probes and measurements in latent spaces, against hand-made cases and independent oracles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, pearsonr
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KNeighborsClassifier

from coursekit import latent_space
from coursekit.errors import CourseError
from coursekit.probes import linear_probe, regression_probe


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clouds(n: int, distance: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes in 3-D, apart along the last axis only; the first axis is by far the widest."""
    g = generator(seed)
    labels = torch.arange(n) % 2
    z = torch.randn(n, 3, generator=g) * torch.tensor([50.0, 1.0, 0.1])
    z[:, 2] += 0.1 * distance * (labels - 0.5)
    return z, labels


# The linear probe.


def test_a_probe_finds_classes_that_a_plane_divides_whatever_the_scales_are():
    train, test = clouds(400, 8.0, 0), clouds(300, 8.0, 1)
    assert linear_probe(*train, *test) > 0.99


def test_a_probe_does_no_better_than_chance_where_there_is_nothing_to_find():
    train, test = clouds(400, 0.0, 0), clouds(400, 0.0, 1)
    assert 0.4 < linear_probe(*train, *test) < 0.6


def test_a_probe_is_linear():
    """Four clusters in a checkerboard: no plane divides the classes."""
    corners = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    which = torch.arange(400) % 4
    z = corners[which] + 0.1 * torch.randn(400, 2, generator=generator())
    assert linear_probe(z, which // 2, z, which // 2) < 0.8


def test_a_probe_is_scored_on_the_test_pictures():
    train, (z, labels) = clouds(400, 8.0, 0), clouds(200, 8.0, 1)
    assert linear_probe(*train, z, 1 - labels) < 0.01


def test_a_probe_standardises_with_the_training_latents():
    """A test set moved as a whole must not be moved back."""
    train, (z, labels) = clouds(400, 8.0, 0), clouds(200, 8.0, 1)
    assert abs(linear_probe(*train, z + torch.tensor([0.0, 0.0, 5.0]), labels) - 0.5) < 0.05


def test_a_probe_gives_the_same_figure_each_time_and_changes_nothing():
    train, test = clouds(300, 1.5, 0), clouds(200, 1.5, 1)
    before = [t.clone() for t in (*train, *test)]
    assert linear_probe(*train, *test) == linear_probe(*train, *test)
    for now, then in zip((*train, *test), before, strict=True):
        assert torch.equal(now, then)


def test_r2_is_one_for_a_line_and_below_zero_for_a_prediction_worse_than_the_mean():
    g = generator()
    z, other = torch.randn(200, 4, generator=g), torch.randn(100, 4, generator=g)
    weights = torch.tensor([1.0, -2.0, 0.0, 0.5])
    assert regression_probe(z, z @ weights + 3, other, other @ weights + 3) > 0.9999
    assert regression_probe(z, z @ weights, other, -(other @ weights)) < -1


def test_r2_of_noise_is_about_zero_on_pictures_not_seen():
    g = generator()
    z, noise = torch.randn(2000, 5, generator=g), torch.randn(2000, generator=g)
    other, more = torch.randn(2000, 5, generator=g), torch.randn(2000, generator=g)
    assert abs(regression_probe(z, noise, other, more)) < 0.02


# Neighbours.


def test_confusion_agrees_with_scikit_learn_one_left_out():
    g = generator(3)
    z, labels = torch.randn(60, 3, generator=g), torch.randint(0, 4, (60,), generator=g)
    found = []
    for one in range(60):
        rest = [index for index in range(60) if index != one]
        near = KNeighborsClassifier(1).fit(z[rest].numpy(), labels[rest].numpy())
        found.append(near.predict(z[one : one + 1].numpy())[0])
    wanted = confusion_matrix(labels.numpy(), found, labels=range(4), normalize="true")
    ours = latent_space.neighbour_confusion(z, labels, 4, chunk=7)
    assert np.allclose(ours.numpy(), wanted)


def test_confusion_has_a_row_of_zeros_for_a_class_without_points():
    ours = latent_space.neighbour_confusion(torch.rand(6, 2), torch.tensor([0, 0, 0, 2, 2, 2]), 3)
    assert ours[1].sum() == 0 and torch.allclose(ours[[0, 2]].sum(dim=1), torch.ones(2))


def test_two_points_in_one_place_are_each_others_neighbours():
    z = torch.tensor([[1.0, 1.0], [1.0, 1.0], [9.0, 9.0], [9.0, 9.0]])
    ours = latent_space.neighbour_confusion(z, torch.tensor([0, 1, 1, 1]), 2)
    assert torch.allclose(ours, torch.tensor([[0.0, 1.0], [1 / 3, 2 / 3]]))


def test_nearest_training_finds_the_smallest_distance_in_any_chunk():
    g = generator(4)
    train = torch.randint(0, 256, (50, 1, 4, 4), generator=g).to(torch.uint8)
    samples = torch.rand(9, 1, 4, 4, generator=g)
    difference = samples.flatten(1)[:, None] - train.flatten(1).float() / 255
    wanted = difference.square().mean(dim=2).sqrt()
    index, distance = latent_space.nearest_training(samples, train, chunk=8)
    assert torch.equal(index, wanted.argmin(dim=1))
    assert torch.allclose(distance, wanted.min(dim=1).values, atol=1e-5)
    again, zero = latent_space.nearest_training(train[[41, 3]].float() / 255, train, chunk=8)
    assert again.tolist() == [41, 3] and zero.max() < 1e-3


# The aggregate posterior.


def test_aggregate_density_agrees_with_scipy():
    g = generator(5)
    z, mu, log_var = (torch.randn(n, 3, generator=g, dtype=torch.float64) for n in (6, 8, 8))
    ours = latent_space.aggregate_log_density(z, mu, log_var, chunk=4)
    parts = [
        multivariate_normal(m.numpy(), np.diag(v.exp().numpy())).pdf(z.numpy())
        for m, v in zip(mu, log_var, strict=True)
    ]
    assert np.allclose(ours.numpy(), np.log(np.mean(parts, axis=0)))


def test_aggregate_density_is_finite_far_away():
    far = torch.full((1, 2), 300.0)
    value = latent_space.aggregate_log_density(far, torch.zeros(3, 2), torch.zeros(3, 2))
    assert torch.allclose(value, torch.tensor([-90001.8379]))


def test_aggregate_density_integrates_to_one():
    side = torch.linspace(-8, 8, 161)
    z = torch.cartesian_prod(side, side)
    mu, log_var = torch.tensor([[1.0, 0.0], [-2.0, 1.0]]), torch.tensor([[0.0, -1.0], [0.3, 0.2]])
    mass = latent_space.aggregate_log_density(z, mu, log_var).exp().sum() * 0.1**2
    assert abs(float(mass) - 1) < 1e-3


# Paths, attributes, factors.


def test_slerp_keeps_the_length_and_the_speed():
    g = generator(6)
    a, b = torch.randn(2, 16, generator=g, dtype=torch.float64)
    b = b * a.norm() / b.norm()
    path = latent_space.slerp(a, b, torch.linspace(0, 1, 9, dtype=torch.float64))
    assert torch.allclose(path.norm(dim=1), a.norm().expand(9))
    assert torch.allclose(path[0], a) and torch.allclose(path[-1], b)
    steps = path.diff(dim=0).norm(dim=1)
    assert torch.allclose(steps, steps[:1].expand(8))


def test_slerp_of_parallel_latents_is_a_straight_line():
    a = torch.tensor([1.0, 2.0])
    path = latent_space.slerp(a, 3 * a, torch.tensor([0.0, 0.5, 1.0]))
    assert torch.allclose(path, torch.stack([a, 2 * a, 3 * a]))
    assert torch.isfinite(latent_space.slerp(a, -a, torch.tensor([0.5]))).all()


@pytest.mark.parametrize("seed", [12, 16, 30, 34])  # here the float32 cosine is not quite -1
def test_slerp_of_opposite_latents_is_a_straight_line(seed):
    a = torch.randn(6, generator=torch.Generator().manual_seed(seed))
    weights = torch.tensor([0.0, 0.3, 0.5, 1.0])
    path = latent_space.slerp(a, -2.7 * a, weights)
    assert torch.allclose(path, (1 - 3.7 * weights)[:, None] * a, atol=1e-5)


def test_attribute_vector_is_a_difference_of_means():
    z = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0], [0.0, 7.0]])
    has = torch.tensor([True, True, False, False])
    assert latent_space.attribute_vector(z, has).tolist() == [2.0, -6.0]
    assert latent_space.attribute_vector(z, ~has).tolist() == [-2.0, 6.0]


def test_squared_correlations_agree_with_scipy_and_are_zero_where_nothing_varies():
    g = generator(7)
    z, factor = torch.randn(80, 3, generator=g), torch.randn(80, generator=g)
    z[:, 0] += factor
    z[:, 2] = 0.1  # a constant that a mean over float32 would not hit exactly
    ours = latent_space.squared_correlations(z, factor)
    wanted = [pearsonr(z[:, k].numpy(), factor.numpy())[0] ** 2 for k in range(2)]
    assert np.allclose(ours[:2].numpy(), wanted, atol=1e-5)
    assert ours[2] == 0
    assert latent_space.squared_correlations(z, torch.full((80,), 0.3)).tolist() == [0, 0, 0]


# What is refused.


Z, Y = torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linear_probe(Z, Y[:3], Z, Y), "the train latents have shape"),
        (lambda: linear_probe(Z, Y, Z[:, :1], Y), "2 latents in training and 1 in the test"),
        (lambda: linear_probe(Z, 0 * Y, Z, Y), "one class only"),
        (lambda: linear_probe(Z, Y, Z / 0, Y), "not finite"),
        (lambda: regression_probe(Z, Y.float(), Z, 0.0 * Y), "nothing to predict"),
        (lambda: latent_space.slerp(Z, Z, torch.ones(1)), r"give \(K,\) twice"),
        (lambda: latent_space.neighbour_confusion(Z, Y, 1), "between 0 and 0"),
        (lambda: latent_space.neighbour_confusion(Z[:1], Y[:1], 2), "N at least 2"),
        (lambda: latent_space.aggregate_log_density(Z, Z[:, :1], Z), "the same K"),
        (lambda: latent_space.aggregate_log_density(Z, Z, Z[:2]), "both the same"),
        (lambda: latent_space.attribute_vector(Z, Y), "give bool"),
        (lambda: latent_space.attribute_vector(Z, Y < 5), "no opposite"),
        (lambda: latent_space.squared_correlations(Z, Y[:2]), r"give \(4,\)"),
        (lambda: latent_space.nearest_training(Z, Z), "of the same size"),
        (
            lambda: latent_space.nearest_training(
                torch.zeros(1, 1, 2, 2, dtype=torch.uint8), torch.zeros(1, 1, 2, 2)
            ),
            "floats in",
        ),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words):
    with pytest.raises(CourseError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
