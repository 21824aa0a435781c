"""Quantisers: nearest codes, gradients past them, what moves a codebook, codes in use."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import tiny
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.distributions import Categorical
from torch.nn import functional as F
from vector_quantize_pytorch import VectorQuantize

from coursekit.errors import CourseError
from coursekit.models.codes import smoothed_counts
from coursekit.models.quantisers import (
    EMAQuantizer,
    FiniteScalarQuantizer,
    Quantiser,
    VectorQuantizer,
    ema_step,
    nearest_codes,
    perplexity,
    rotated,
    straight_through,
)

K, D = 7, 3


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(kind: type[VectorQuantizer] = EMAQuantizer, **settings: float) -> VectorQuantizer:
    """A quantiser whose codes lie among the vectors that `draw` gives."""
    with tiny.seeded(0):
        quantiser = kind(K, D, **settings)  # type: ignore[arg-type]
    with torch.no_grad():
        quantiser.codebook.copy_(draw(K, D, seed=9))
    return quantiser


MAKERS: dict[str, Callable[[], Quantiser]] = {
    "loss": lambda: made(VectorQuantizer),
    "ema": made,
    "rotation": lambda: made(rotate=True),
    "restart": lambda: made(restart=3),
    "fsq": lambda: FiniteScalarQuantizer((4, 3, 2)),
}
every_quantiser = pytest.mark.parametrize("name", MAKERS)


# --- the parts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_nearest_codes_against_two_oracles(scale: float) -> None:
    z, codebook = scale * draw(500, 5, seed=1), scale * draw(40, 5, seed=2)
    found = nearest_codes(z, codebook)
    brute = (z[:, None] - codebook[None]).double().square().sum(dim=2).argmin(dim=1)
    assert torch.equal(found, brute)
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(codebook.numpy())
    assert found.tolist() == search.kneighbors(z.numpy(), return_distance=False)[:, 0].tolist()


def test_nearest_codes_keep_their_digits_far_from_zero() -> None:
    z, codebook = draw(300, 4, seed=1), draw(20, 4, seed=2)
    assert torch.equal(nearest_codes(z + 500, codebook + 500), nearest_codes(z, codebook))


def test_the_first_of_equal_codes() -> None:
    codebook = draw(3, 2).repeat(2, 1)
    assert nearest_codes(codebook, codebook).tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("shapes", [((4,), (K, 4)), ((2, 4), (K, 3)), ((2, 4), (K, 4, 1))])
def test_nearest_codes_name_a_wrong_shape(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(CourseError, match="nearest_codes"):
        nearest_codes(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


def test_perplexity() -> None:
    assert perplexity(torch.arange(12).view(3, 4), 12).item() == pytest.approx(12, rel=1e-5)
    assert perplexity(torch.full((5, 2), 3), 12).item() == 1
    indices = torch.tensor([[0, 0, 0], [1, 1, 5]])
    entropy = Categorical(probs=torch.tensor([3.0, 2.0, 1.0])).entropy()
    assert perplexity(indices, 512).item() == pytest.approx(entropy.exp().item(), rel=1e-6)
    with pytest.raises(CourseError, match="no indices"):
        perplexity(torch.zeros(0, dtype=torch.int64), 4)


def test_straight_through_is_the_code_with_the_gradient_of_the_identity() -> None:
    z, z_q = draw(4, D).requires_grad_(), draw(4, D, seed=1).requires_grad_()
    weights = draw(4, D, seed=2)
    out = straight_through(z, z_q)
    torch.testing.assert_close(out, z_q)
    (out * weights).sum().backward()
    assert z.grad is not None and torch.equal(z.grad, weights)
    assert z_q.grad is None


def test_rotation_trick_by_a_written_out_rotation() -> None:
    """The matrix that turns a into b in their plane, and nothing outside it; times the scale."""
    z, z_q = draw(6, 4).requires_grad_(), draw(6, 4, seed=1)
    weights = draw(6, 4, seed=2)
    out = rotated(z, z_q)
    torch.testing.assert_close(out, z_q, rtol=1e-6, atol=1e-6)
    (out * weights).sum().backward()
    assert z.grad is not None
    for row, code, gradient, upstream in zip(z.detach(), z_q, z.grad, weights, strict=True):
        a, b = row / row.norm(), code / code.norm()
        across = b - (a @ b) * a
        across = across / across.norm()
        cos, sin = a @ b, b @ across
        plane = torch.stack([a, across])
        turn = torch.eye(4) - plane.T @ plane
        turn = turn + plane.T @ torch.tensor([[cos, -sin], [sin, cos]]) @ plane
        matrix = code.norm() / row.norm() * turn
        torch.testing.assert_close(matrix @ row, code, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(gradient, matrix.T @ upstream, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("code", [[0.0, 0.0], [-2.0, -4.0], [1.0, 2.0]])
def test_rotation_trick_at_its_edges(code: list[float]) -> None:
    """A code at 0, one opposite to z, one that is z: right value, finite gradient."""
    z, z_q = torch.tensor([[1.0, 2.0]], requires_grad=True), torch.tensor([code])
    out = rotated(z, z_q)
    out.sum().backward()
    torch.testing.assert_close(out, z_q)
    assert z.grad is not None and torch.isfinite(z.grad).all()


def test_one_ema_step_by_hand() -> None:
    counts, sums = torch.tensor([2.0, 1.0]), torch.tensor([[4.0], [3.0]])
    z, indices = torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 0])
    before = [value.clone() for value in (counts, sums, z, indices)]
    new_counts, new_sums, codebook = ema_step(counts, sums, z, indices, 0.9, 0.5)
    torch.testing.assert_close(new_counts, torch.tensor([0.9 * 2 + 0.1 * 3, 0.9]))
    torch.testing.assert_close(new_sums, torch.tensor([[0.9 * 4 + 0.1 * 9], [0.9 * 3]]))
    # N = (2.1, 0.9), total 3: (2.1 + 0.5) / (3 + 1) * 3 = 1.95 and (0.9 + 0.5) / 4 * 3 = 1.05
    torch.testing.assert_close(codebook, torch.tensor([[4.5 / 1.95], [2.7 / 1.05]]))
    for value, kept in zip((counts, sums, z, indices), before, strict=True):
        assert torch.equal(value, kept), "changed in place"


def test_smoothing_keeps_the_sum() -> None:
    counts = torch.tensor([0.0, 5.0, 1.0])
    smooth = smoothed_counts(counts, 0.1)
    assert smooth.sum().item() == pytest.approx(6) and smooth.min() > 0


# --- the contract ------------------------------------------------------------------------------


@every_quantiser
def test_the_contract(name: str) -> None:
    quantiser = MAKERS[name]().eval()
    z = draw(2, D, 4, 5).requires_grad_()
    z_q, indices, loss, perplexed = quantiser.quantise(z)
    assert z_q.shape == z.shape and loss.shape == (2,) and perplexed.shape == ()
    assert indices.shape == (2, 4, 5) and indices.dtype == torch.int64
    assert quantiser.codebook.shape == (quantiser.codes, quantiser.size)
    torch.testing.assert_close(z_q, quantiser.look_up(indices))
    torch.testing.assert_close(z_q, quantiser.codebook[indices].permute(0, 3, 1, 2))
    assert perplexed == perplexity(indices, quantiser.codes)
    assert indices.min() >= 0 and indices.max() < quantiser.codes
    z_q.sum().backward()
    assert z.grad is not None and z.grad.abs().sum() > 0
    assert torch.equal(quantiser.quantise(z).indices, indices)
    # a place of one picture knows nothing of other places and pictures
    alone = quantiser.quantise(z[1:, :, 2:3, 3:4])
    assert alone.indices.item() == indices[1, 2, 3]
    assert torch.equal(quantiser.quantise(z[1:]).loss, loss[1:])


@every_quantiser
def test_bad_input_is_named(name: str) -> None:
    quantiser = MAKERS[name]()
    for shape in ((2, D + 1, 4, 4), (2, D, 4)):
        with pytest.raises(CourseError, match="quantise: z has shape"):
            quantiser.quantise(torch.zeros(shape))
    for bad in (torch.zeros(1, 2, 2), torch.zeros(4, dtype=torch.int64)):
        with pytest.raises(CourseError, match="int64 of shape"):
            quantiser.look_up(bad)
    for code in (-1, quantiser.codes):
        with pytest.raises(CourseError, match=f"the code {code} is not between"):
            quantiser.look_up(torch.full((1, 1, 1), code))


def test_bad_settings_are_named() -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: VectorQuantizer(1), "1 codes"),
        (lambda: VectorQuantizer(commitment_cost=-1), "commitment_cost is -1"),
        (lambda: EMAQuantizer(restart=-1), "restart -1"),
        (lambda: EMAQuantizer(decay=1.0), "decay is 1.0"),
        (lambda: EMAQuantizer(epsilon=0), "epsilon 0"),
        (lambda: FiniteScalarQuantizer(()), "levels is"),
        (lambda: FiniteScalarQuantizer((8, 1)), "levels is"),
    ]
    for make, word in cases:
        with pytest.raises(CourseError, match=word):
            make()


# --- what learns -------------------------------------------------------------------------------


def test_codebook_loss_and_its_gradients() -> None:
    quantiser, z = made(VectorQuantizer, commitment_cost=0.4), draw(2, D, 4, 5).requires_grad_()
    _, indices, loss, _ = quantiser.quantise(z)
    nearest = quantiser.codebook.detach()[indices].permute(0, 3, 1, 2)
    error = z.detach() - nearest
    torch.testing.assert_close(loss, 1.4 * error.square().flatten(1).mean(dim=1))
    loss.sum().backward()
    assert z.grad is not None and quantiser.codebook.grad is not None
    # d/dz of beta mean (z - e)^2, and d/de of mean (z - e)^2: each term moves one side alone
    torch.testing.assert_close(z.grad, 0.4 * 2 * error / (D * 4 * 5))
    per_code = torch.zeros(K, D).index_add_(
        0, indices.flatten(), -2 * error.permute(0, 2, 3, 1).reshape(-1, D) / (D * 4 * 5)
    )
    torch.testing.assert_close(quantiser.codebook.grad, per_code)
    quantiser.zero_grad()
    quantiser.quantise(z).z_q.sum().backward()
    assert quantiser.codebook.grad is None, "the decoder's gradient has reached the codebook"


def test_ema_loss_is_the_commitment_alone() -> None:
    quantiser, z = made(commitment_cost=0.4).eval(), draw(2, D, 4, 5).requires_grad_()
    z_q, _, loss, _ = quantiser.quantise(z)
    torch.testing.assert_close(loss, 0.4 * (z - z_q).detach().square().flatten(1).mean(dim=1))
    loss.sum().backward()
    assert not list(quantiser.parameters()), "a moving average is no parameter"


def test_ema_codebook_walks_to_the_means_of_a_fixed_assignment() -> None:
    quantiser, z = made(decay=0.5), draw(8, D, 4, 4)
    for _ in range(60):
        indices = quantiser.quantise(z).indices
    rows = z.permute(0, 2, 3, 1).reshape(-1, D)
    for code in indices.unique():
        torch.testing.assert_close(
            quantiser.codebook[code], rows[indices.flatten() == code].mean(dim=0),
            rtol=1e-3, atol=1e-4,
        )  # fmt: skip


@pytest.mark.parametrize("kind", [VectorQuantizer, EMAQuantizer])
def test_nothing_learns_in_evaluation_mode(kind: type[VectorQuantizer]) -> None:
    quantiser = made(kind, restart=1).eval()
    before = tiny.weights(quantiser)
    quantiser.quantise(draw(2, D, 4, 4))
    assert tiny.same(before, tiny.weights(quantiser))


@pytest.mark.parametrize("rotate", [False, True])
def test_agreement_with_an_independent_library(rotate: bool) -> None:
    """Codes, values, loss, gradients and the moving codebook, over five training batches."""
    ours = made(decay=0.8, epsilon=1e-3, commitment_cost=0.7, rotate=bool(rotate))
    theirs = VectorQuantize(
        D, K, decay=0.8, eps=1e-3, commitment_weight=0.7, accept_image_fmap=True,
        rotation_trick=rotate,
    )  # fmt: skip
    inner = theirs._codebook
    inner.embed.data.copy_(ours.codebook[None])
    inner.embed_avg.data.copy_(ours.codebook[None])
    used: set[int] = set()
    for step in range(5):
        z = draw(2, D, 6, 5, seed=step)
        weights = draw(2, D, 6, 5, seed=100 + step)
        mine, yours = z.clone().requires_grad_(), z.clone().requires_grad_()
        q = ours.quantise(mine)
        z_q, indices, loss = theirs(yours)
        assert torch.equal(q.indices, indices)
        torch.testing.assert_close(q.z_q, z_q)
        torch.testing.assert_close(q.loss.mean(), loss.squeeze())
        ((q.z_q * weights).sum() + q.loss.mean()).backward()
        ((z_q * weights).sum() + loss.squeeze()).backward()
        torch.testing.assert_close(mine.grad, yours.grad, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.codebook, inner.embed[0], rtol=1e-4, atol=1e-5)
        used |= set(indices.flatten().tolist())
    assert len(used) > 3, "too few codes for a comparison"


# --- dead codes --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [VectorQuantizer, EMAQuantizer])
def test_the_codebook_starts_on_the_first_batch(kind: type[VectorQuantizer]) -> None:
    with tiny.seeded(1):
        quantiser = kind(K, D, restart=3)
        z = 50 + draw(4, D, 5, 5)
        start = quantiser.codebook.detach().clone()
        rows = z.permute(0, 2, 3, 1).reshape(-1, D)
        assert not torch.isin(start[:, 0], rows[:, 0]).any()
        z_q = quantiser.quantise(z).z_q
        assert torch.isin(z_q.permute(0, 2, 3, 1).reshape(-1, D)[:, 0], rows[:, 0]).all()
        without = kind(K, D)
        assert without.codebook.abs().max() <= 1 / K
        without.quantise(z)
        assert without.quantise(z).perplexity == 1, "all vectors are far off on one side"


@pytest.mark.parametrize("kind", [VectorQuantizer, EMAQuantizer])
def test_a_dead_code_is_moved_in_time_and_not_before(kind: type[VectorQuantizer]) -> None:
    quantiser = made(kind, restart=3)
    quantiser.unused.zero_()
    with torch.no_grad():
        quantiser.codebook[2:] = 1000 + torch.arange(K - 2.0)[:, None]  # nothing is near them
    for batch in range(3):
        quantiser.quantise(draw(2, D, 3, 3, seed=batch))
        assert (quantiser.codebook[2:] > 900).all(), f"moved after {batch} batches without use"
        assert (quantiser.unused[2:] == batch + 1).all()
    last = draw(2, D, 3, 3, seed=7)
    alive = quantiser.codebook[:2].detach().clone()
    with tiny.seeded(0):
        indices = quantiser.quantise(last).indices
    assert (quantiser.codebook.abs() < 20).all()
    assert len(indices.unique()) > 2, "codes on the batch's vectors are used at once"
    assert (quantiser.codebook[:2] - alive).abs().max() < 1, "a code in use was moved"
    assert set(quantiser.unused.tolist()) <= {0, 1, 2, 3}
    used = torch.bincount(indices.flatten(), minlength=K) > 0
    assert (quantiser.unused[used] == 0).all()


def test_a_moved_code_counts_as_one_that_was_chosen_once() -> None:
    """With next to no past it would jump at the next batch, with a long one it would not move."""
    quantiser = made(restart=3)
    quantiser.unused.copy_(torch.tensor([3, 0, 0, 0, 0, 0, 0]))
    quantiser.counts.copy_(torch.tensor([1e-6] + (K - 1) * [40.0]))
    with tiny.seeded(0):
        indices = quantiser.quantise(draw(2, D, 3, 3)).indices
    chosen = torch.bincount(indices.flatten(), minlength=K)
    torch.testing.assert_close(
        quantiser.counts, 0.99 * torch.tensor([1.0] + (K - 1) * [40.0]) + 0.01 * chosen
    )


def test_without_restarts_a_dead_code_stays_dead() -> None:
    quantiser = made(VectorQuantizer)
    with torch.no_grad():
        quantiser.codebook[2:] = 1000
    for batch in range(20):
        quantiser.quantise(draw(2, D, 3, 3, seed=batch))
    assert (quantiser.codebook[2:] == 1000).all()


def test_restarts_mend_a_codebook_that_has_collapsed() -> None:
    """Before and after, by the perplexity: all codes but one are out of reach at first."""
    after = {}
    for restart in (0, 2):
        quantiser = EMAQuantizer(16, 2, restart=restart)
        quantiser.unused.zero_()
        quantiser.codebook[1:] += 500
        with tiny.seeded(0):
            for batch in range(30):
                perplexed = quantiser.quantise(draw(4, 2, 8, 8, seed=batch)).perplexity
        after[restart] = perplexed.item()
    assert after[0] == 1 and after[2] > 10


def test_restarts_follow_torchs_seed() -> None:
    books = []
    for seed in (0, 0, 1):
        quantiser = made(restart=2)
        with tiny.seeded(seed):
            quantiser.quantise(draw(2, D, 4, 4))
        books.append(quantiser.codebook)
    assert torch.equal(books[0], books[1]) and not torch.equal(books[0], books[2])


# --- finite scalars ----------------------------------------------------------------------------


def test_finite_scalars_list_every_combination_of_levels() -> None:
    quantiser = FiniteScalarQuantizer((4, 3, 2))
    axes = [[-1 + 2 * d / (n - 1) for d in range(n)] for n in (4, 3, 2)]
    expected = torch.tensor(list(itertools.product(*axes)))
    torch.testing.assert_close(quantiser.codebook, expected)
    # each code's own vector is quantised to that code
    z = torch.atanh(expected.clamp(-0.999, 0.999)).T[None, :, :, None]
    assert quantiser.quantise(z).indices.flatten().tolist() == list(range(24))


def test_finite_scalars_choose_the_nearest_level_and_let_the_gradient_of_tanh_through() -> None:
    quantiser, z = FiniteScalarQuantizer((5, 8)), draw(3, 2, 6, 6).requires_grad_()
    z_q, indices, loss, _ = quantiser.quantise(z)
    bounded = torch.tanh(z.detach()).permute(0, 2, 3, 1).reshape(-1, 2)
    near = (bounded[:, None] - quantiser.codebook[None]).square().sum(dim=2).argmin(dim=1)
    assert torch.equal(indices.flatten(), near)
    assert loss.tolist() == [0, 0, 0] and not list(quantiser.parameters())
    z_q.sum().backward()
    torch.testing.assert_close(z.grad, 1 - torch.tanh(z.detach()).square())


def test_finite_scalars_against_pairwise_distance_at_the_ends() -> None:
    quantiser = FiniteScalarQuantizer((3,))
    z = torch.tensor([-50.0, 0.0, 50.0]).view(3, 1, 1, 1)
    assert quantiser.quantise(z).indices.flatten().tolist() == [0, 1, 2]
    assert F.mse_loss(quantiser.quantise(z).z_q, torch.tensor([-1.0, 0, 1]).view(3, 1, 1, 1)) == 0
    assert math.prod(quantiser.levels) == quantiser.codes
