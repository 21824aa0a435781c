"""The code prior: what each place sees, that probabilities add up, draws, a frozen VQ-VAE."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from tiny_training import run
from torch import Tensor, nn

from coursekit.checkpoints import load_weights, save_weights
from coursekit.errors import CourseError
from coursekit.models.code_prior import CodePrior, code_prior
from coursekit.models.writing import generate_images
from coursekit.networks import count_parameters

VQ: dict[str, Any] = {
    "hidden": 4, "residual_hidden": 2, "residual_layers": 1, "codes": 5, "size": 3,
}  # fmt: skip


def made(
    side: int = 8, layers: int = 6, classes: int = 0, seed: int = 0, **vq: Any
) -> CodePrior:  # fmt: skip
    """A prior wide enough that at no place all units of a layer are at rest."""
    with tiny.seeded(seed):
        model = code_prior(VQ | {"shape": (1, 4 * side, 4 * side)} | vq, 16, layers, classes)
        with torch.no_grad():
            model.place.normal_()
    return model.eval()


def maps(n: int, side: int, codes: int = 5, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(codes, (n, side, side), generator=generator)


def seen_by_perturbation(model: CodePrior, side: int) -> Tensor:
    """[i, j]: whether the logits at place i change in any way when the code at j does."""
    places = side * side
    seen = torch.zeros(places, places, dtype=torch.bool)
    model = model.double()
    start = maps(1, side).expand(places, -1, -1).reshape(places, places)
    with torch.no_grad():
        before = model.logits(start[:1].view(1, side, side), torch.tensor([0]))
        for shift in range(1, 5):  # every other code in turn
            changed = start.clone()
            changed.diagonal().copy_((start.diagonal() + shift) % 5)
            after = model.logits(changed.view(places, side, side), torch.zeros(places).long())
            seen |= (after != before).any(dim=1).view(places, places).T
    return seen


def seen_by_gradient(model: CodePrior, side: int) -> Tensor:
    """The same by the gradient of the logits at i with respect to the embedding at j."""
    model = model.double()
    embedded = model._embed(maps(1, side)).detach().requires_grad_()
    c = model.condition(embedded, torch.tensor([0])).double()
    logits = model._horizontal(embedded, model._vertical(embedded, c), model.place, c)
    weights = torch.randn(
        logits.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    rows = []
    for out in (logits[0] * weights[:, None, None]).sum(dim=0).flatten():
        (gradient,) = torch.autograd.grad(out, embedded, retain_graph=True)
        rows.append((gradient[0] != 0).any(dim=0).flatten())
    return torch.stack(rows)


@pytest.mark.parametrize("way", [seen_by_perturbation, seen_by_gradient])
@pytest.mark.parametrize(("side", "layers", "classes"), [(8, 6, 0), (7, 5, 3), (5, 3, 0)])
def test_each_place_sees_all_before_it_and_nothing_else(
    way: Any, side: int, layers: int, classes: int
) -> None:
    """Row i may be true left of the diagonal alone; no blind spot: it is true everywhere there."""
    seen = way(made(side, layers, classes), side)
    places = side * side
    before = torch.ones(places, places).tril(-1).bool()
    assert not (seen & ~before).any(), "a place sees itself or the future"
    blind = (before & ~seen).nonzero().tolist()
    assert not blind, f"{len(blind)} blind spots, such as {blind[:3]}"


def test_one_layer_less_leaves_a_corner_unseen() -> None:
    """So that the number of layers in the recipes is the least that will do."""
    seen = seen_by_gradient(made(8, 5), 8)
    before = torch.ones(64, 64).tril(-1).bool()
    assert (before & ~seen).any() and not (seen & ~before).any()


def test_probabilities_of_all_code_maps_add_up_to_1() -> None:
    model = made(2, 2, classes=3, codes=3).double()
    every = torch.tensor(list(itertools.product(range(3), repeat=4))).view(-1, 2, 2)
    for label in range(3):
        y = torch.full((len(every),), label)
        with torch.no_grad():
            total = model.log_prob(every, y).exp().sum().item()
        assert total == pytest.approx(1, abs=1e-10)


def test_log_prob_is_the_sum_over_places() -> None:
    model, indices = made(3, 2), maps(4, 3)
    with torch.no_grad():
        shares = model.logits(indices).log_softmax(dim=1)
        total = torch.zeros(4)
        for row, column in itertools.product(range(3), range(3)):
            total += shares[torch.arange(4), indices[:, row, column], row, column]
        torch.testing.assert_close(model.log_prob(indices), total)
    assert model.bits_per_code(9 * math.log(2)) == pytest.approx(1)


def test_labels_matter_and_belong_to_their_picture() -> None:
    model, indices = made(4, 2, classes=3), maps(2, 4)
    with torch.no_grad():
        both = model.log_prob(indices, torch.tensor([0, 2]))
        other = model.log_prob(indices, torch.tensor([1, 2]))
    assert both[0] != other[0] and both[1] == other[1]
    with pytest.raises(CourseError, match="conditional on labels"):
        model.log_prob(indices)
    free = made(4, 2)
    with torch.no_grad():
        assert torch.equal(free.log_prob(indices), free.log_prob(indices, torch.tensor([0, 1])))


def test_the_loss_is_that_of_the_pictures_code_map() -> None:
    model = made(4, 2, classes=3)
    x = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 1, 2])
    with torch.no_grad():
        codes = model.vqvae.codes_of(x)
        torch.testing.assert_close(model.loss(x, y), -model.log_prob(codes, y))


# --- draws -------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_draws_are_those_of_the_plain_way(classes: int, temperature: float) -> None:
    """The plain way: all of the logits anew for each place, every code from its softmax."""
    model, n, side = made(4, 3, classes), 20, 4
    labels = torch.arange(n) % 3
    got = model.sample_codes(
        labels if classes else n, temperature, torch.Generator().manual_seed(5)
    )
    generator = torch.Generator().manual_seed(5)
    codes = torch.zeros(n, side, side, dtype=torch.int64)
    with torch.no_grad():
        for row, column in itertools.product(range(side), range(side)):
            logits = model.logits(codes, labels)[:, :, row, column]
            shares = torch.softmax(logits / temperature, dim=1)
            codes[:, row, column] = torch.multinomial(shares, 1, generator=generator)[:, 0]
    assert torch.equal(got, codes) and len(got.unique()) > 1
    if classes:
        by_turns = model.sample_codes(n, temperature, torch.Generator().manual_seed(5))
        assert torch.equal(by_turns, got), "a number of maps: labels 0, 1, 2, ... by turns"


def test_frequencies_of_draws_are_the_probabilities() -> None:
    model, n = made(2, 2, codes=3), 40_000
    drawn = model.sample_codes(n, generator=torch.Generator().manual_seed(0)).view(n, 4)
    every = torch.tensor(list(itertools.product(range(3), repeat=4)))
    with torch.no_grad():
        shares = model.log_prob(every.view(-1, 2, 2)).exp()
    number = (drawn * torch.tensor([27, 9, 3, 1])).sum(dim=1)
    counts = torch.bincount(number, minlength=81)
    expected = n * shares
    enough = expected > 5
    chi_square = ((counts - expected).square() / expected)[enough].sum().item()
    freedom = int(enough.sum())
    assert chi_square < freedom + 5 * math.sqrt(2 * freedom)


def test_a_low_temperature_takes_the_likeliest_code() -> None:
    model = made(3, 2)
    cold = model.sample_codes(4, 1e-4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(model.logits(cold).argmax(dim=1), cold)
    for temperature in (0.0, -1.0, math.nan):
        with pytest.raises(CourseError, match="it must be above 0"):
            model.sample_codes(4, temperature)


def test_samples_are_decoded_codes() -> None:
    model = made(4, 2, classes=3)

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(0)

    labels = torch.tensor([2, 0])
    codes = model.sample_codes(labels, generator=generator())
    expected = model.vqvae.decode_codes(codes)
    assert expected.shape == (2, 1, 16, 16) and expected.min() >= 0 and expected.max() <= 1
    assert torch.equal(model.sample_given(labels, generator=generator()), expected)
    one_hot = model.condition.one_hot(labels)  # type: ignore[operator]
    assert torch.equal(model.sample_given(one_hot, generator=generator()), expected)
    assert torch.equal(generate_images(model, [2, 0], generator=generator()), expected)
    by_turns = model.sample_given(torch.tensor([0, 1, 2, 0]), generator=generator())
    assert torch.equal(model.sample(4, generator=generator()), by_turns)


def test_bad_input_is_named() -> None:
    model = made(4, 2, classes=3)
    cases: list[tuple[Any, str]] = [
        (lambda: model.logits(maps(2, 3), torch.tensor([0, 1])), r"expected \(B, 4, 4\)"),
        (lambda: model.logits(maps(2, 4).float(), torch.tensor([0, 1])), "int64"),
        (lambda: model.logits(maps(2, 4) + 5, torch.tensor([0, 1])), "not between 0 and 4"),
        (lambda: model.sample_codes(torch.tensor([3])), "The label 3"),
        (lambda: model.sample_codes(torch.zeros(2, 4)), "condition has shape"),
        (lambda: model.sample_codes(0), "n is 0"),
        (lambda: code_prior(VQ, channels=0), "channels is 0"),
        (lambda: code_prior(VQ, classes=-1), "classes -1"),
    ]
    for call, word in cases:
        with pytest.raises(CourseError, match=word):
            call()


# --- the VQ-VAE inside -------------------------------------------------------------------------


def inner(model: CodePrior) -> dict[str, Tensor]:
    return tiny.weights(model.vqvae)


@pytest.mark.parametrize("quantiser", ["ema", "loss"])
def test_training_the_prior_leaves_the_vqvae_alone(quantiser: str) -> None:
    model = made(2, 2, quantiser=quantiser, restart=1)
    before, own = inner(model), tiny.weights(model.stack)
    modes: list[bool] = []

    def look(_epoch: int, trained: nn.Module) -> None:
        trained.train()
        modes.append(any(module.training for module in model.vqvae.modules()))
        assert model.stack.training and model.training

    history = run(
        model, data=tiny.data(shape=(1, 8, 8)), prepare="grey", epochs=3, on_epoch=look
    )  # fmt: skip
    assert tiny.same(before, inner(model)) and not tiny.same(own, tiny.weights(model.stack))
    assert modes == [False] * 3
    assert history.train_loss[-1] < history.train_loss[0]
    assert not any(p.requires_grad for p in model.vqvae.parameters())
    assert count_parameters(model.vqvae) == 0 < count_parameters(model)


def test_a_checkpoint_of_the_prior_holds_the_vqvae(tmp_path: Path) -> None:
    model = made(2, 2, restart=1)
    model.vqvae.train()
    model.vqvae.loss(torch.rand(4, 1, 8, 8))  # codes of its own
    model.train().eval()
    save_weights(model, tmp_path / "prior.safetensors")
    again = made(2, 2, seed=1, restart=1)
    load_weights(again, tmp_path / "prior.safetensors")
    assert tiny.same(tiny.weights(model), tiny.weights(again))
