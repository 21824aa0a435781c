"""The synthetic sets: the same everywhere, like MNIST in their numbers, true to their factors."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch import Tensor

from coursekit import synthetic
from coursekit.errors import CourseError
from coursekit.synthetic import digits, scenes
from coursekit.synthetic.digits import CHUNK, _curve, _tables

DRAWINGS = [pytest.param(digits, id="digits"), pytest.param(scenes, id="scenes")]


@pytest.fixture(scope="module")
def many() -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    return digits(4000, seed=9)


@pytest.mark.parametrize("draw", DRAWINGS)
class TestBoth:
    def test_types_and_shapes(self, draw) -> None:
        pictures, labels, factors = draw(7)
        channels, side = (1, 28) if draw is digits else (3, 32)
        assert pictures.shape == (7, channels, side, side) and pictures.dtype == torch.uint8
        assert pictures.is_contiguous() and labels.shape == (7,) and labels.dtype == torch.int64
        assert factors and "label" not in factors
        for values in factors.values():
            assert values.shape == (7,) and values.dtype in (torch.float32, torch.int64)
            assert values.isfinite().all()

    @pytest.mark.parametrize("n", [1, 249, 1000, 1001, 1300])
    def test_the_first_do_not_depend_on_how_many(self, draw, n: int) -> None:
        pictures, labels, factors = draw(n, seed=4)
        more, more_labels, more_factors = draw(CHUNK + 400, seed=4)
        assert more[:n].equal(pictures) and more_labels[:n].equal(labels)
        assert all(more_factors[name][:n].equal(values) for name, values in factors.items())

    def test_threads_change_nothing(self, draw) -> None:
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(1)
            one = draw(2500)
            torch.set_num_threads(3)
            three = draw(2500)
        finally:
            torch.set_num_threads(before)
        assert one[0].equal(three[0]) and one[1].equal(three[1])

    def test_seeds_and_chunks_differ(self, draw) -> None:
        pictures = draw(CHUNK + 100, seed=1)[0]
        assert not pictures[:100].equal(draw(100, seed=2)[0])
        assert not pictures[:100].equal(pictures[CHUNK:])
        # Seed 1 of chunk 0 is not chunk 1 of seed 0, or splits would overlap.
        assert not draw(CHUNK + 100, seed=0)[0][CHUNK:].equal(pictures[:100])
        flat = pictures.flatten(1)
        assert len(flat.unique(dim=0)) == len(flat)

    def test_global_generators_are_left_alone(self, draw) -> None:
        state, legacy = torch.get_rng_state(), random.getstate()
        draw(10)
        assert torch.get_rng_state().equal(state)
        assert random.getstate() == legacy

    def test_classes_are_named_and_even(self, draw) -> None:
        labels = draw(4000, seed=3)[1]
        names = synthetic.CLASS_NAMES["digits" if draw is digits else "scenes"]
        counts = labels.bincount()
        assert len(counts) == len(names)
        assert (counts - 4000 / len(names)).abs().max() < 5 * math.sqrt(4000 / len(names))

    @pytest.mark.parametrize("arguments", [(0,), (-3,), (2.0,), (True,), (5, -1), (5, 0.5)])
    def test_bad_arguments(self, draw, arguments) -> None:
        with pytest.raises(CourseError, match="whole number"):
            draw(*arguments)


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        pytest.param(digits, (32.674, 77.858, 31.022, 1392), id="digits"),
        pytest.param(scenes, (125.675, 53.677, 130.455, 486), id="scenes"),
    ],
)
def test_a_changed_drawing_needs_a_new_version(draw, expected) -> None:
    """Caches carry the version: raise `synthetic.VERSION` whenever these figures change."""
    pictures, labels, _ = draw(300)
    x = pictures.float()
    found = (x.mean(), x.std(), x[:, :, :14].mean(), labels.sum())
    assert synthetic.VERSION == 2
    assert [float(f) for f in found] == pytest.approx(expected, abs=0.02)


class TestDigitsAreLikeMnist:
    def test_grey_levels(self, many) -> None:
        pictures = many[0]
        inked = (pictures > 0).float().mean()
        assert 0.17 < inked < 0.20  # MNIST: 0.191
        assert 0.11 < pictures.float().mean() / 255 < 0.14  # MNIST: 0.131
        full = (pictures >= 250).float().mean() / inked
        assert 0.30 < full < 0.45  # MNIST: 0.385
        assert pictures.flatten(1).max(1).values.float().mean() > 254
        assert len(pictures.unique()) == 256  # edges are soft

    def test_size_and_place(self, many) -> None:
        pictures = many[0][:, 0].float()
        mass, place = pictures.sum((1, 2)), torch.arange(28.0)
        x = (pictures.sum(1) * place).sum(1) / mass
        y = (pictures.sum(2) * place).sum(1) / mass
        for middle in (x, y):
            assert (middle.mean() - 14).abs() < 0.1 and middle.std() < 0.9
        assert (x - 14 - many[2]["x"]).abs().mean() < 0.3
        assert (y - 14 - many[2]["y"]).abs().mean() < 0.4
        border = [pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]]
        assert sum(side.sum() for side in border) == 0  # nothing is cut off
        inked = pictures > 100
        height = inked.any(2).sum(1)
        width = inked.any(1).sum(1)
        longer = torch.maximum(height, width).float()
        assert (longer - many[2]["size"]).abs().mean() < 1.2 and 18 < longer.mean() < 20.5

    def test_every_way_of_writing_is_used(self, many) -> None:
        odds, _, _, _, _ = _tables()
        for digit in range(10):
            drawn = many[2]["variant"][many[1] == digit].bincount().numpy()
            wanted = odds[digit][odds[digit] > 0]
            assert len(drawn) == len(wanted)
            assert np.abs(drawn / drawn.sum() - wanted).max() < 0.1

    def test_no_digit_is_blank_or_a_blot(self, many) -> None:
        inked = (many[0] > 127).flatten(1).float().mean(1)
        assert inked.min() > 0.02 and inked.max() < 0.35


class TestFactorsAreTrue:
    def test_slant(self, many) -> None:
        """A straight 1 leans as its factors say: slope of x over height, measured on its ink."""
        pictures, labels, factors = many
        plain = (labels == 1) & (factors["variant"] == 0)
        ink = pictures[plain, 0].double()
        place = torch.arange(28.0).double()
        mass = ink.sum((1, 2))
        x = (ink.sum(1) * place).sum(1) / mass
        y = (ink.sum(2) * place).sum(1) / mass
        dx, dy = place[None, :] - x[:, None], place[None, :] - y[:, None]
        both = torch.einsum("bij,bj,bi->b", ink, dx, dy) / torch.einsum("bij,bi->b", ink, dy**2)
        lean = factors["slant"][plain] - factors["rotation"][plain].neg()
        assert torch.corrcoef(torch.stack([-both.float(), lean]))[0, 1] > 0.9
        assert (-both.float() - lean).abs().mean() < 0.12

    def test_thickness(self, many) -> None:
        """Ink over length: a 1 of this size has an area of about size times thickness."""
        pictures, labels, factors = many
        plain = (labels == 1) & (factors["variant"] == 0)
        area = pictures[plain, 0].float().sum((1, 2)) / 255
        told = area / factors["size"][plain]
        assert torch.corrcoef(torch.stack([told, factors["thickness"][plain]]))[0, 1] > 0.9
        assert (told / factors["thickness"][plain]).mean().sub(1).abs() < 0.2

    def test_scene_shape_is_where_and_as_it_says(self) -> None:
        pictures, labels, factors = scenes(2000, seed=2)
        middle = torch.stack([factors["y"], factors["x"]], 1).round().long()
        solid = (labels != 3).nonzero().flatten()  # a ring has a hole there
        rows = pictures[solid, :, middle[solid, 0], middle[solid, 1]].float()
        third = torch.tensor([0, 1 / 3, 2 / 3])
        wheel = torch.cos(2 * math.pi * (factors["hue"][solid, None] - third))
        told = rows - rows.mean(1, keepdim=True)
        likeness = torch.nn.functional.cosine_similarity(told, wheel)
        assert likeness.median() > 0.99 and (likeness > 0.9).float().mean() > 0.9

    def test_scene_count_and_texture(self) -> None:
        _, _, factors = scenes(3000)
        assert set(factors["count"].tolist()) == {1, 2, 3}
        assert set(factors["texture"].tolist()) == {0, 1, 2}
        assert factors["size"].min() >= 5.5 and factors["size"].max() <= 9.5

    def test_scenes_use_the_whole_range_of_colours(self) -> None:
        pictures = scenes(500)[0]
        assert len(pictures.unique()) > 250
        assert (pictures.float().std((0, 2, 3)) > 40).all()


class TestCurve:
    @pytest.mark.parametrize(("points", "steps"), [(2, 5), (3, 20), (9, 96)])
    def test_weights_add_to_one_and_ends_are_kept(self, points: int, steps: int) -> None:
        weights = _curve(points, steps)
        assert weights.shape == (steps, points)
        assert np.allclose(weights.sum(1), 1, atol=1e-6)
        assert np.allclose(weights[0], np.eye(points)[0], atol=1e-6)
        assert np.allclose(weights[-1], np.eye(points)[-1], atol=1e-6)

    def test_a_straight_line_stays_straight(self) -> None:
        assert np.allclose(_curve(5, 41) @ np.arange(5.0), np.linspace(0, 4, 41), atol=1e-5)

    def test_every_path_fits_its_table(self) -> None:
        _, skeleton, control, weights, pen = _tables()
        assert skeleton.max() == len(control) - 1
        assert np.allclose(weights.sum(2), 1, atol=1e-5)
        assert set(np.unique(pen)) == {0.0, 1.0} and (pen.sum(1) >= 90).all()


def test_a_linear_classifier_finds_them_as_hard_as_mnist() -> None:
    """A coarse guard: `benchmarks/synthetic_digits.py` measures with the full 60,000."""
    (x, y, _), (x_test, y_test, _) = digits(4000, seed=0), digits(1000, seed=2)
    rows, test = x.flatten(1).float() / 255, x_test.flatten(1).float() / 255
    wanted = 2 * torch.nn.functional.one_hot(y).float() - 1
    gram = rows.T @ rows + 10 * torch.eye(784)
    told = (test @ torch.linalg.solve(gram, rows.T @ wanted)).argmax(1)
    # Real MNIST, 4,000 pictures to fit and 1,000 to test in the same way: 0.81.
    assert 0.74 < (told == y_test).float().mean() < 0.90
