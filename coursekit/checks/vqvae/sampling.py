"""Check of `sample-codes`: codes drawn one by one, each from a prior that sees those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Inputs, Slip
from coursekit.checks.vqvae.codes import as_numbers, run_codes
from coursekit.checks.vqvae.draws import drawing, single
from coursekit.checks.vqvae.large import large
from coursekit.checks.vqvae.priors import prior

Place = tuple[int, int]
Size = tuple[int, int, int]
Order = Callable[[int, int], Iterator[list[Place]]]  # groups of places drawn together

# How sure the prior is of the one code that can come: any temperature here leaves no chance.
SURE = 300.0


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a prior that leaves no choice: a code follows from the two drawn last and above."""
    shape, codes, first = inputs["shape"], inputs["K"], inputs["the prior"]

    def logits(indices: Tensor) -> Tensor:
        flat = torch.nn.functional.pad(indices.flatten(1), (shape[2] + 1, 0))
        last, above = flat[:, shape[2] : -1], flat[:, 1 : -shape[2]]
        number = torch.arange(last.shape[1])
        following = (2 * last + 3 * above + number // 2 + first[:, None]) % codes
        rows = torch.nn.functional.one_hot(following, codes).view(*shape, codes)
        return inputs["sure"] * rows.permute(0, 3, 1, 2).float()

    generator = torch.Generator().manual_seed(0)
    return prior(logits, shape, codes), shape, inputs["temperature"], generator


def _raster(height: int, width: int) -> Iterator[list[Place]]:
    for row in range(height):
        for column in range(width):
            yield [(row, column)]


def _drawn(order: Order = _raster, start: int = 0) -> Function:
    """The likeliest codes in some order of places."""

    def codes(logits_of: Function, shape: Size, temperature: float, generator: Any) -> Tensor:
        indices = torch.full(shape, start)
        for places in order(*shape[1:]):
            likeliest = logits_of(indices.clone()).argmax(dim=1)
            for row, column in places:
                indices[:, row, column] = likeliest[:, row, column]
        return indices.double()

    return codes


_right = _drawn()


def _cases() -> list[Case]:
    def case(
        first: list[int],
        size: Place,
        codes: int,
        temperature: float,
        sure: float = SURE,
        **rest: str,
    ) -> Case:
        inputs = {
            "shape": (len(first), *size),
            "temperature": temperature,
            "K": codes,
            "the prior": torch.tensor(first),
            "sure": sure,
        }
        single = "one map" if len(first) == 1 else f"{len(first)} maps"
        title = (
            f"{single} of {size[0]} x {size[1]} codes out of {codes}, at a temperature of "
            f"{temperature:g}, where the prior leaves no choice"
        )
        return Case(inputs, rest.get("title", title), rest.get("clue", ""))

    wide = "Rows and columns differ in number: the first of the two is the number of rows."
    return [
        case([3], (1, 4), 5, 1.0),
        case([0, 3, 1], (3, 3), 7, 1.0),
        case([2, 0], (2, 5), 5, 0.5, clue=wide),
        case([1, 4, 2, 0], (4, 2), 5, 2.0, clue=wide),
        case([1, 0], (1, 1), 2, 1.0),
        case(
            [4, 1],
            (3, 4),
            11,
            0.1,
            1e4,
            title="2 maps of 3 x 4 codes, with logits of 0 and 10,000 and a temperature of 0.1",
            clue="Logits may be large: is an exponential taken of them as they are?",
        ),
    ]


def _columns(height: int, width: int) -> Iterator[list[Place]]:
    for column in range(width):
        for row in range(height):
            yield [(row, column)]


def _backwards(height: int, width: int) -> Iterator[list[Place]]:
    yield from reversed(list(_raster(height, width)))


def _snake(height: int, width: int) -> Iterator[list[Place]]:
    for row in range(height):
        for column in range(width)[:: -1 if row % 2 else 1]:
            yield [(row, column)]


def _at_once(height: int, width: int) -> Iterator[list[Place]]:
    yield [place for group in _raster(height, width) for place in group]


def _twice(height: int, width: int) -> Iterator[list[Place]]:
    yield from [*_at_once(height, width)] * 2


def _rows(height: int, width: int) -> Iterator[list[Place]]:
    for row in range(height):
        yield [(row, column) for column in range(width)]


def _whole_columns(height: int, width: int) -> Iterator[list[Place]]:
    for column in range(width):
        yield [(row, column) for row in range(height)]


def _upwards(height: int, width: int) -> Iterator[list[Place]]:
    for row in reversed(range(height)):
        for column in range(width):
            yield [(row, column)]


def _leftwards(height: int, width: int) -> Iterator[list[Place]]:
    for row in range(height):
        for column in reversed(range(width)):
            yield [(row, column)]


def _square(side: int) -> Order:
    """Places of a square whose side is that of the rows (0) or of the columns (1)."""

    def order(height: int, width: int) -> Iterator[list[Place]]:
        n = (height, width)[side]
        for row in range(n):
            for column in range(n):
                if row < height and column < width:
                    yield [(row, column)]

    return order


def _without(left_out: Callable[[int, int, int, int], bool]) -> Order:
    """All places in order but some, by row, column, height and width."""

    def order(height: int, width: int) -> Iterator[list[Place]]:
        for [(row, column)] in _raster(height, width):
            if not left_out(row, column, height, width):
                yield [(row, column)]

    return order


_ORDER = "Look at step 1 above: which codes must be there before the one at row 1, column 2?"
_SHAPE = "Look at step 2 above: what are the four axes of the logits, and which of them is left?"

_ORDERS: list[tuple[Order, str]] = [
    (
        _at_once,
        "Each code is drawn as if no other had been drawn before it: is logits_of asked again "
        "after every draw, and does the order begin at the upper left?",
    ),
    (
        _rows,
        "Within a row no code sees the one to its left: is a row drawn at once, from the same "
        "logits, or from its right end?",
    ),
    (
        _whole_columns,
        "No code sees the row above it: is a column drawn at once, from the same logits, or are "
        "the rows filled from the bottom?",
    ),
    (_twice, "The whole map is drawn twice over: codes come one after the other."),
    (
        _columns,
        "The map is filled column by column: raster order goes along a row first.",
    ),
    (_backwards, "The map is filled from the last code to the first."),
    (_upwards, "The rows are filled from the bottom to the top."),
    (_leftwards, "Each row is filled from the right to the left."),
    (_snake, "Every second row is filled from the right: each starts on the left."),
    (
        _without(lambda r, c, h, w: r == h - 1),
        "The last row stays empty.",
    ),
    (_without(lambda r, c, h, w: c == w - 1), "The last column stays empty."),
    (_without(lambda r, c, h, w: r == 0), "The first row stays empty: it has to be drawn too."),
    (
        _without(lambda r, c, h, w: c == 0),
        "The first column stays empty: it has to be drawn too.",
    ),
    (
        _without(lambda r, c, h, w: r == c == 0),
        "The first code of all is not drawn: it is one like the others, with nothing before it.",
    ),
    (
        _without(lambda r, c, h, w: (r, c) == (h - 1, w - 1)),
        "The last code of all is not drawn.",
    ),
    (_without(lambda r, c, h, w: r > 0), "Only the first row is drawn."),
    (_without(lambda r, c, h, w: c > 0), "Only the first column is drawn."),
    (_without(lambda r, c, h, w: r + c > 0), "Only the first code is drawn."),
    (_without(lambda r, c, h, w: True), "Nothing is drawn: the map comes back as it was made."),
    (_square(0), "The number of rows is taken for that of the columns as well."),
    (_square(1), "The number of columns is taken for that of the rows as well."),
]

CHECK = Check(
    reference=_right,
    cases=_cases,
    arguments=_arguments,
    shape="(B, H, W), of type torch.int64",
    look=f"{_ORDER} {_SHAPE}",
    slips=[
        *(Slip(_drawn(order), what, _ORDER) for order, what in _ORDERS),
        Slip(
            lambda *a: _right(*a)[:1].expand(a[1]),
            "Every picture gets the first one's codes: each has logits of its own.",
            _SHAPE,
        ),
        Slip(
            lambda *a: _right(*a) + 1,
            "The codes are counted from 1: the first one is number 0.",
            _SHAPE,
        ),
        Slip(
            lambda *a: _right(*a).flip(0),
            "The pictures come in the reverse order.",
            _SHAPE,
        ),
        Slip(
            lambda *a: _right(*a).transpose(1, 2),
            "Rows and columns are exchanged in what you return.",
            _SHAPE,
        ),
        Slip(
            lambda *a: _drawn()(lambda indices: -a[0](indices), *a[1:]),
            "The logits have the wrong sign: a large one makes a code likely.",
            _SHAPE,
        ),
    ],
)


def sample_codes(function: Function) -> None:
    """Check `sample_codes(logits_of, shape, temperature, generator) -> (B, H, W)`."""
    __tracebackhide__ = True

    def cases() -> list[Case]:
        single(function)
        return _cases()

    whole = as_numbers(function)
    parts = (replace(CHECK, cases=cases), whole), drawing(function), large(function)
    run_codes("sample-codes", *parts)
