"""The digit classifier: what training does to its pictures, and what it says about them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tiny
import torch
from torch import Tensor
from torch.nn import functional as F

from coursekit.checkpoints import BUILDERS
from coursekit.errors import CourseError
from coursekit.models import classifier as module
from coursekit.models.classifier import DigitClassifier, digit_classifier, distort
from coursekit.recipes import RECIPES

SHAPE = (1, 8, 8)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(seed: int = 0, classes: int = 3, shape: tuple[int, int, int] = SHAPE) -> DigitClassifier:
    with tiny.seeded(seed):
        return DigitClassifier((2, 3, 4), 5, classes, shape)


def grey(n: int, shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> Tensor:
    return torch.rand(n, *shape, generator=rng(seed))


# --- distorted pictures ------------------------------------------------------------------------


def blob(x: float, y: float, size: int = 28) -> Tensor:
    """A smooth spot, x pixels to the right of the middle and y below it, (1, 1, size, size)."""
    places = torch.arange(size) - (size - 1) / 2
    across, down = (-(places - x).square() / 5).exp(), (-(places - y).square() / 5).exp()
    return (down[:, None] * across)[None, None]


def centre(pictures: Tensor) -> Tensor:
    """Where the weight of each picture lies, (B, 2), in pixels from the middle."""
    places = torch.arange(pictures.shape[-1]) - (pictures.shape[-1] - 1) / 2
    total = pictures.sum(dim=(1, 2, 3))
    across, down = pictures.sum(dim=(1, 2)) @ places, pictures.sum(dim=(1, 3)) @ places
    return torch.stack([across, down], dim=1) / total[:, None]


def expected(draws: Tensor, old: Tensor, size: int = 28) -> Tensor:
    """Where a place (2,) of the old picture comes to lie, (B, 2), for draws (6, B) in [-1, 1]."""
    angle, across, down, wider, taller, shear = draws
    cos, sin = torch.cos(0.21 * angle), torch.sin(0.21 * angle)
    read = torch.stack([
        torch.stack([(1 + 0.12 * wider) * cos, 0.12 * shear - sin], dim=1),
        torch.stack([0.12 * shear + sin, (1 + 0.12 * taller) * cos], dim=1),
    ], dim=1)  # fmt: skip
    moved = old - 2 * size / 28 * torch.stack([across, down], dim=1)
    return torch.linalg.solve(read, moved)


@pytest.mark.parametrize("place", [(0.0, 0.0), (6.0, 0.0), (0.0, -6.0), (4.0, 4.0)])
def test_a_spot_goes_where_the_map_says(place: tuple[float, float]) -> None:
    found = centre(distort(blob(*place).expand(200, -1, -1, -1), rng()))
    draws = torch.empty(6, 200).uniform_(-1, 1, generator=rng())
    assert (found - expected(draws, torch.tensor(place))).abs().max() < 0.15


def test_what_was_in_the_middle_moves_by_up_to_3_pixels() -> None:
    found = centre(distort(blob(0, 0).expand(3000, -1, -1, -1), rng()))
    assert found.abs().max() < 3.1
    assert found.abs().max() > 2, "the bound should be near"
    assert (found.amax(dim=0) > 1.5).all() and (found.amin(dim=0) < -1.5).all()
    assert found.mean(dim=0).abs().max() < 0.15, "no direction is preferred"


def test_the_move_is_in_proportion_to_the_picture() -> None:
    found = centre(distort(blob(0, 0, 56).expand(3000, -1, -1, -1), rng()))
    assert 4 < found.abs().max() < 6.2


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 4), (1, 4, 12)])
def test_distorted_pictures_keep_shape_and_range(shape: tuple[int, int, int]) -> None:
    x = grey(7, shape)
    kept = x.clone()
    found = distort(x, rng())
    assert found.shape == x.shape and found.dtype == x.dtype
    assert found.min() >= 0 and found.max() <= 1
    assert torch.equal(x, kept), "the pictures that were given are left alone"
    assert not torch.equal(found, x)


def test_each_picture_is_distorted_in_its_own_way_and_reproducibly() -> None:
    x = blob(3, 2).expand(6, -1, -1, -1)
    state = torch.get_rng_state()
    one, other, third = (distort(x, rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(state, torch.get_rng_state()), "torch's own generator was used"
    assert torch.equal(one, other) and not torch.equal(one, third)
    assert len(one.flatten(1).unique(dim=0)) == 6
    assert (one.sum(dim=(1, 2, 3)) > 0.7 * x.sum(dim=(1, 2, 3))).all(), "nothing is lost"


# --- the loss ----------------------------------------------------------------------------------


def test_training_distorts_and_evaluation_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def spy(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        seen.append(x)
        assert generator is source
        return 1 - x

    monkeypatch.setattr(module, "distort", spy)
    model, x, y, source = small(), grey(4), torch.tensor([0, 2, 1, 1]), rng()
    model.last[0].p = 0.0  # type: ignore[union-attr]
    model.train()
    found = model.loss(x, y, source)
    assert len(seen) == 1 and torch.equal(seen[0], x)
    torch.testing.assert_close(found, F.cross_entropy(model(1 - x), y, reduction="none"))
    model.eval()
    found = model.loss(x, y, source)
    assert len(seen) == 1
    torch.testing.assert_close(found, -model.probabilities(x)[torch.arange(4), y].log())


def test_the_loss_of_training_follows_the_generator() -> None:
    model, x, y = small().train(), grey(4), torch.tensor([0, 2, 1, 1])
    model.last[0].p = 0.0  # type: ignore[union-attr]
    one, other, third = (model.loss(x, y, rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, other) and not torch.equal(one, third)


def test_gradient_reaches_every_parameter() -> None:
    model = small().train()
    loss = model.loss(grey(6), torch.arange(6) % 3, rng())
    assert loss.shape == (6,)
    loss.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_it_learns() -> None:
    """Upper or lower half bright, or neither."""
    y = torch.arange(60) % 3
    x = 0.2 * grey(60)
    x[y == 0, :, :4] += 0.8
    x[y == 1, :, 4:] += 0.8
    model = small()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    source = rng()
    model.train()
    with tiny.seeded(0):  # dropout draws from torch's own generator
        for _ in range(50):
            optimiser.zero_grad()
            model.loss(x[:30], y[:30], source).mean().backward()
            optimiser.step()
    labels, confidences = model.eval().classify(x[30:])
    assert (labels == y[30:]).float().mean() > 0.9
    assert confidences.mean() > 0.6


# --- what it says ------------------------------------------------------------------------------


def test_shapes_of_features_and_answers() -> None:
    model, x = small(shape=(3, 8, 4)).eval(), grey(6, (3, 8, 4))
    assert model.features(x).shape == (6, 5)
    assert model(x).shape == model.probabilities(x).shape == (6, 3)
    assert model.features(x).min() >= 0, "the last layer sees what a ReLU lets through"
    torch.testing.assert_close(model.last[1](model.features(x)), model(x))
    torch.testing.assert_close(model.probabilities(x).sum(dim=1), torch.ones(6))
    torch.testing.assert_close(model.probabilities(x), model(x).softmax(dim=1))


def test_the_answer_is_the_most_probable_class() -> None:
    model, x = small().eval(), 5 * grey(20)
    with torch.no_grad():  # fresh weights say nearly the same of every picture
        model.last[1].weight.mul_(50)  # type: ignore[operator,union-attr]
        probabilities = model.probabilities(x)
    labels, confidences = model.classify(x)
    assert labels.dtype == torch.int64 and not confidences.requires_grad
    assert labels.tolist() == probabilities.argmax(dim=1).tolist()
    assert torch.equal(confidences, probabilities.amax(dim=1))


@pytest.mark.parametrize("chunk", [1, 3, 7, 10, 1000])
def test_chunks_do_not_change_the_answer(chunk: int) -> None:
    model, x = small().eval(), grey(10)
    sizes: list[int] = []
    model.trunk.register_forward_pre_hook(lambda _module, inputs: sizes.append(len(inputs[0])))
    labels, confidences = model.classify(x, chunk)
    assert max(sizes) <= chunk and sum(sizes) == 10
    whole = model.classify(x)
    assert torch.equal(labels, whole[0])
    torch.testing.assert_close(confidences, whole[1])
    back = model.classify(x.flip(0), chunk)
    torch.testing.assert_close(back[1].flip(0), confidences)


def test_looking_changes_nothing() -> None:
    model, x = small().eval(), grey(4)
    before = tiny.weights(model)
    model.classify(x)
    model.loss(x, torch.zeros(4, dtype=torch.long))
    assert tiny.same(before, tiny.weights(model))


@pytest.mark.parametrize("name", ["classifier", "classifier-digits"])
def test_the_file_stays_below_a_megabyte(name: str) -> None:
    recipe = RECIPES[name]
    model = BUILDERS[recipe.builder](**recipe.arguments)
    numbers = sum(value.numel() for value in model.state_dict().values())
    assert 2 * numbers + 10_000 < 1e6, "two bytes a number, and the file's header"
    assert 2 * numbers > 5e4


@pytest.mark.parametrize(
    ("ask", "word"),
    [
        (lambda: digit_classifier((4, 4)), "three"),
        (lambda: digit_classifier(shape=(1, 10, 8)), "divisible by 4"),
        (lambda: digit_classifier(shape=(1, 8, 6)), "divisible by 4"),
        (lambda: small().classify(grey(2)), r"model\.eval\(\)"),
        (lambda: small().eval().classify(grey(2), chunk=0), "chunk is 0"),
        (lambda: small().eval().classify(grey(2, (1, 4, 4))), r"\(B, 1, 8, 8\)"),
        (lambda: small().features(grey(2).byte()), "uint8"),
        (lambda: small().loss(grey(2)), "give them as y"),
        (lambda: small().sample(3), "no model of pictures"),
    ],
)
def test_bad_input(ask: Callable[[], object], word: str) -> None:
    with pytest.raises(CourseError, match=word):
        ask()
