"""Bijections and couplings: inverses, determinants, masks; the toy density in the plane."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tiny import seeded
from tiny_flows import lively, log_determinants, rng
from torch import Tensor, nn

from coursekit.models.flows import (
    ActNorm,
    AffineCoupling,
    Bijection,
    Chain,
    Flatten,
    InvertibleConv,
    MapNetwork,
    MultiScale,
    RowNetwork,
    Scale,
    Scaling,
    Squeeze,
    checkerboard_mask,
    first_half_mask,
    half_mask,
)
from coursekit.models.flows.couplings import stack_masks

ODD = torch.tensor([False, True, True, False, False])


def maps(context: int = 0) -> AffineCoupling:
    return AffineCoupling(first_half_mask(4, flip=True), MapNetwork(2, 4, 4, 1, context))


def level(channels: int, context: int = 0) -> Chain:
    network = MapNetwork(channels // 2, channels, 4, 1, context)
    coupling = AffineCoupling(first_half_mask(channels), network)
    return Chain(Squeeze(), ActNorm(channels), InvertibleConv(channels), coupling)


def rows() -> Chain:
    return Chain(
        Scaling(6), AffineCoupling(half_mask(6), RowNetwork(3, 6, (8,))), ActNorm(6),
        AffineCoupling(half_mask(6, odd=True), RowNetwork(3, 6, (8,))), Scale(0.4, 1.7),
    )  # fmt: skip


Maker = Callable[[], Bijection]
# how it is made, the shape of one input, the size of its context
BIJECTIONS: dict[str, tuple[Maker, tuple[int, ...], int]] = {
    "identity": (Bijection, (6,), 0),
    "flatten": (lambda: Flatten((1, 2, 3)), (1, 2, 3), 0),
    "squeeze": (Squeeze, (1, 2, 4), 0),
    "squeeze-2-channels": (Squeeze, (2, 2, 2), 0),
    "scaling": (lambda: Scaling(6), (6,), 0),
    "actnorm-rows": (lambda: ActNorm(6), (6,), 0),
    "actnorm-maps": (lambda: ActNorm(2), (2, 1, 3), 0),
    "mixing": (lambda: InvertibleConv(4), (4, 1, 2), 0),
    "mixing-2": (lambda: InvertibleConv(2), (2, 2, 2), 0),
    "coupling": (lambda: AffineCoupling(half_mask(6), RowNetwork(3, 6, (8,))), (6,), 0),
    "coupling-odd": (lambda: AffineCoupling(ODD, RowNetwork(2, 6, (8,))), (5,), 0),
    "additive": (lambda: AffineCoupling(ODD, RowNetwork(2, 3, (8,)), additive=True), (5,), 0),
    "conditional": (lambda: AffineCoupling(ODD, RowNetwork(2, 6, (8,), 3)), (5,), 3),
    "maps": (maps, (4, 2, 1), 0),
    "maps-conditional": (lambda: maps(3), (4, 2, 1), 3),
    "chain": (rows, (6,), 0),
    "multiscale": (lambda: MultiScale([level(4), level(8)], (1, 4, 4)), (1, 4, 4), 0),
    "multiscale-conditional": (
        lambda: MultiScale([level(4, 2), level(8, 2)], (1, 4, 4), 2), (1, 4, 4), 2
    ),
}  # fmt: skip
every_bijection = pytest.mark.parametrize("name", BIJECTIONS)


def prepared(name: str, dtype: torch.dtype) -> tuple[Bijection, Tensor, Tensor | None]:
    make, shape, size = BIJECTIONS[name]
    with seeded(0):
        bijection = lively(make(), size=0.5).to(dtype)
    x = torch.randn(3, *shape, generator=rng(), dtype=dtype)
    context = torch.randn(3, size, generator=rng(1), dtype=dtype) if size else None
    return bijection, x, context


@every_bijection
def test_the_determinant_is_that_of_the_jacobian(name: str) -> None:
    bijection, x, context = prepared(name, torch.float64)
    _, logdet = bijection(x, context)
    assert logdet.shape == (3,)
    torch.testing.assert_close(logdet, log_determinants(bijection, x, context))


@every_bijection
def test_inverse_and_forward_undo_each_other(name: str) -> None:
    bijection, x, context = prepared(name, torch.float32)
    given = x.clone()
    z, _ = bijection(x, context)
    torch.testing.assert_close(bijection.inverse(z, context), x, rtol=0, atol=1e-4)
    other = torch.randn(z.shape, generator=rng(2))
    kept = other.clone()
    back = bijection.inverse(other, context)
    assert back.shape == x.shape
    torch.testing.assert_close(bijection(back, context)[0], other, rtol=0, atol=1e-4)
    assert torch.equal(x, given) and torch.equal(other, kept), "an argument was changed in place"


def test_lively_maps_stretch() -> None:
    """Without this the two tests above would say nothing."""
    still = {"identity", "flatten", "squeeze", "squeeze-2-channels", "additive"}
    for name in BIJECTIONS:
        bijection, x, context = prepared(name, torch.float64)
        z, logdet = bijection(x, context)
        assert (logdet.abs().max().item() < 1e-12) == (name in still), name
        moved = not torch.equal(z.flatten(1).sort()[0], x.flatten(1).sort()[0])
        assert moved == (name == "additive" or name not in still), name


# --- couplings and masks -----------------------------------------------------------------------


def test_masks_by_hand() -> None:
    def text(mask: Tensor) -> str:
        assert mask.dtype == torch.bool
        return "".join(str(int(value)) for value in mask)

    assert [text(half_mask(5)), text(half_mask(5, odd=True))] == ["10101", "01010"]
    assert [text(first_half_mask(5)), text(first_half_mask(5, flip=True))] == ["11000", "00111"]
    assert text(checkerboard_mask((1, 3, 3))) == "101010101"
    assert text(checkerboard_mask((2, 2, 4), odd=True)) == "01011010" * 2
    found = [text(mask) for mask in stack_masks((1, 2, 4), 6)]
    assert found == ["10100101", "01011010", "11110000", "00001111", "10100101", "01011010"]


class Fixed(nn.Module):
    """Says alpha = 0.1 + 0.2 sum of what it sees, m = 3 times it."""

    def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
        total = kept.sum(dim=1, keepdim=True)
        return torch.cat([0.1 + 0.2 * total, 0.5 * total, 3 * total, -total], dim=1)


def test_a_coupling_by_hand() -> None:
    coupling = AffineCoupling(torch.tensor([False, True, False]), Fixed())
    z, logdet = coupling(torch.tensor([[5.0, 1.5, -2.0]]))
    alpha = [2 * math.tanh(0.4 / 2), 2 * math.tanh(0.75 / 2)]
    wanted = [(5 - 4.5) * math.exp(-alpha[0]), 1.5, (-2 + 1.5) * math.exp(-alpha[1])]
    torch.testing.assert_close(z, torch.tensor([wanted]))
    torch.testing.assert_close(logdet, torch.tensor([-sum(alpha)]))
    x = coupling.inverse(torch.tensor([[1.0, 1.5, 1.0]]))
    wanted = [math.exp(alpha[0]) + 4.5, 1.5, math.exp(alpha[1]) - 1.5]
    torch.testing.assert_close(x, torch.tensor([wanted]))


@pytest.mark.parametrize("name", ["coupling", "coupling-odd", "additive", "conditional", "maps"])
def test_what_is_kept_passes_through_and_alone_decides(name: str) -> None:
    coupling, x, context = prepared(name, torch.float32)
    assert isinstance(coupling, AffineCoupling)
    mask = torch.zeros(x.shape[1], dtype=torch.bool)
    mask[coupling.kept] = True
    z, logdet = coupling(x, context)
    assert torch.equal(z[:, mask], x[:, mask]) and (z[:, ~mask] != x[:, ~mask]).all()
    assert torch.equal(coupling.inverse(z, context)[:, mask], x[:, mask])
    other = x.clone()
    other[:, ~mask] += 1.0
    assert torch.equal(coupling(other, context)[1], logdet)
    # the moved part goes up with its own input: a coupling never turns it over
    assert (coupling(other, context)[0] - z)[:, ~mask].min() > 0


def test_additive_is_affine_with_alpha_0() -> None:
    additive = prepared("additive", torch.float32)[0]
    assert isinstance(additive, AffineCoupling)

    class Padded(nn.Module):
        def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
            shift = additive.network(kept, context)
            return torch.cat([torch.zeros_like(shift), shift], dim=1)

    affine, x = AffineCoupling(ODD, Padded()), torch.randn(4, 5, generator=rng())
    (z, logdet), (other, zero) = additive(x), affine(x)
    assert torch.equal(z, other) and logdet.tolist() == zero.tolist() == [0.0] * 4
    assert torch.equal(additive.inverse(z), affine.inverse(z))


@pytest.mark.parametrize("bound", [0.5, 2.0])
def test_alpha_is_bounded_both_ways(bound: float) -> None:
    class Huge(nn.Module):
        def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
            return torch.cat([1000 * kept, kept], dim=1)

    coupling = AffineCoupling(half_mask(2), Huge(), bound=bound)
    x = torch.tensor([[1.0, 2.0], [-1.0, 2.0]])
    z, logdet = coupling(x)
    assert logdet.tolist() == pytest.approx([-bound, bound])
    torch.testing.assert_close(coupling.inverse(z), x)


def test_a_fresh_coupling_is_the_identity() -> None:
    x = torch.randn(4, 6, generator=rng())
    z, logdet = BIJECTIONS["coupling"][0]()(x)
    assert torch.equal(z, x) and logdet.count_nonzero() == 0


@pytest.mark.parametrize("name", ["conditional", "maps-conditional", "multiscale-conditional"])
def test_the_context_is_listened_to(name: str) -> None:
    bijection, x, context = prepared(name, torch.float32)
    assert context is not None
    z, logdet = bijection(x, context)
    other, changed = bijection(x, context.flip(0))
    same = torch.tensor([False, True, False])  # the middle one keeps its context
    assert torch.equal(((z - other).flatten(1).abs().amax(dim=1) == 0), same)
    assert torch.equal(logdet == changed, same)
    back = (bijection.inverse(z, context.flip(0)) - x).flatten(1).abs().amax(dim=1)
    assert torch.equal(back < 1e-4, same)


# --- the other layers --------------------------------------------------------------------------


def test_a_chain_goes_back_in_the_opposite_order() -> None:
    chain = Chain(Scale(1.0, 2.0), Scale(-3.0, 4.0))
    z, logdet = chain(torch.tensor([[5.0, 1.0]]))
    assert z.tolist() == [[1.25, 0.75]]
    assert logdet.item() == pytest.approx(-2 * math.log(8))
    assert chain.inverse(z).tolist() == [[5.0, 1.0]]


def test_squeeze_by_hand() -> None:
    x = torch.randn(2, 3, 4, 6, generator=rng())
    z = Squeeze()(x)[0]
    assert z.shape == (2, 12, 2, 3)
    for c in range(3):
        for i in range(2):
            for j in range(2):
                assert torch.equal(z[:, 4 * c + 2 * i + j], x[:, c, i::2, j::2])


def test_mixing_starts_as_a_rotation_and_is_one_matrix_at_every_place() -> None:
    with seeded(0):
        mixing = InvertibleConv(4)
    x = torch.randn(2, 4, 2, 3, generator=rng())
    z, logdet = mixing(x)
    torch.testing.assert_close(z.square().sum(dim=1), x.square().sum(dim=1))
    torch.testing.assert_close(logdet, torch.zeros(2), atol=1e-5, rtol=0)
    lively(mixing)
    weight = mixing(torch.eye(4).view(4, 4, 1, 1))[0].view(4, 4).T
    z, logdet = mixing(x)
    torch.testing.assert_close(z, torch.einsum("ij,bjhw->bihw", weight, x))
    wanted = 6 * torch.linalg.slogdet(weight).logabsdet
    torch.testing.assert_close(logdet, wanted.expand(2))
    with seeded(1):
        other = InvertibleConv(4)  # another permutation, unless the file brings it
    other.load_state_dict(mixing.state_dict())
    assert torch.equal(other(x)[0], z)


@pytest.mark.parametrize("shape", [(50, 3), (20, 3, 2, 2)])
def test_actnorm_starts_from_the_first_training_batch_alone(shape: tuple[int, ...]) -> None:
    stretch = torch.tensor([0.1, 1.0, 20.0]).view(1, 3, *[1] * (len(shape) - 2))
    x = 5 + stretch * torch.randn(shape, generator=rng())
    norm = ActNorm(3).eval()
    assert torch.equal(norm(x)[0], x) and not norm.started, "started in evaluation mode"
    norm.train().inverse(x)
    assert not norm.started, "started from samples"
    z, logdet = norm(x)
    values = z.transpose(0, 1).flatten(1)
    torch.testing.assert_close(values.mean(dim=1), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(values.std(dim=1), torch.ones(3))
    spread = x.transpose(0, 1).flatten(1).std(dim=1)
    torch.testing.assert_close(
        logdet, (-x[0, 0].numel() * spread.log().sum()).expand(len(x)).detach()
    )
    kept = norm.log_scale.detach().clone()
    assert torch.equal(norm(x)[0], z)
    norm(7 * x)
    assert norm.started and torch.equal(norm.log_scale, kept), "started a second time"


def test_actnorm_knows_after_loading_whether_it_has_started() -> None:
    x = 3 + 4 * torch.randn(20, 2, generator=rng())
    fresh, norm = ActNorm(2).state_dict(), ActNorm(2)
    fresh = {name: value.clone() for name, value in fresh.items()}
    norm(x)
    again = ActNorm(2)
    again.load_state_dict(norm.state_dict())
    again(100 * x)
    assert torch.equal(again.shift, norm.shift), "started again after loading"
    norm.load_state_dict(fresh)
    norm(100 * x)
    torch.testing.assert_close(norm.shift, 100 * x.mean(dim=0)), "did not start"


def test_a_constant_channel_stays_finite() -> None:
    z, logdet = ActNorm(2)(torch.ones(4, 2))
    assert z.isfinite().all() and logdet.isfinite().all()


def test_half_of_the_channels_leave_after_a_level() -> None:
    flow = MultiScale([Squeeze(), Squeeze()], (1, 4, 4))
    x = torch.arange(16.0).view(1, 1, 4, 4)
    early, late = flow(x)[0].split([8, 8], dim=1)
    assert early.flatten().tolist() == [4, 6, 12, 14, 5, 7, 13, 15]  # the odd rows
    assert late.flatten().tolist() == [0, 2, 8, 10, 1, 3, 9, 11]
    assert torch.equal(flow.inverse(flow(x)[0]), x)


def test_building_levels_starts_no_actnorm() -> None:
    levels = MultiScale([level(4), level(8)], (1, 4, 4))
    norms = [module for module in levels.modules() if isinstance(module, ActNorm)]
    assert levels.training and len(norms) == 2
    assert all(norm.training and not norm.started for norm in norms)
    levels(torch.randn(6, 1, 4, 4, generator=rng()))
    assert all(norm.started and (norm.shift != 0).all() for norm in norms)
