"""Check of `quadrant-masks`: which pixels are seen when one, two or three quadrants are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from coursekit.checks.conditional.refusals import Refusal, refusing
from coursekit.checks.engine import Case, Check, Function, Slip, run

Quarters = tuple[str, ...]

_ORDER: Quarters = ("lower left", "upper left", "lower right")


def _quarter(name: str, height: int, width: int) -> Tensor:
    """One quarter of the picture, as 0 and 1, made from rows and columns that are in it."""
    rows, columns = torch.arange(height), torch.arange(width)
    low, right = 2 * rows >= height, 2 * columns >= width
    inside = (low if "lower" in name else ~low)[:, None] & (right if "right" in name else ~right)
    return inside.double()


def _adding(*order: str) -> Function:
    """Masks whose quarters come in another order."""

    def masks(observed: int, height: int, width: int) -> Tensor:
        seen = torch.zeros(height, width, dtype=torch.float64)
        for name in order[:observed]:
            seen += _quarter(name, height, width)
        return seen

    return masks


_right = _adding(*_ORDER)


def _cases() -> list[Case]:
    def case(observed: int, height: int, width: int, title: str = "") -> Case:
        inputs = {"observed": observed, "height": height, "width": width}
        clue = "The picture is not square." if height != width else ""
        return Case(inputs, title, clue)

    return [
        case(1, 2, 2),
        case(2, 2, 2),
        case(3, 2, 2),
        case(1, 4, 2),
        case(2, 2, 6),
        case(3, 6, 4),
        case(1, 4, 8),
        case(3, 28, 28),
    ]


def _nth_alone(observed: int, height: int, width: int) -> Tensor:
    return _quarter(_ORDER[observed - 1], height, width)


def _as_if_square(observed: int, height: int, width: int) -> Tensor:
    """Both cuts at half of the height."""
    seen = torch.zeros(height, width, dtype=torch.float64)
    half = height // 2
    seen[half:, :half] = 1
    if observed > 1:
        seen[:half, :half] = 1
    if observed > 2:
        seen[half:, half:] = 1
    return seen


_ORDER_LOOK = "Draw a square of four quarters and write 1, 2 and 3 into them in the order asked."
_ROWS = "Row 0 is the top one, and the first index of a matrix counts rows: which rows are low?"
_SIZES = "Which of height and width is the number of rows, and where is each of them cut?"

# Orders of quarters that people take, and what to say to that.
_ORDERS: list[tuple[Quarters, str]] = [
    (
        ("upper left", "lower left", "upper right"),
        "Above and below are exchanged: row 0 is at the top, so low rows have large numbers.",
    ),
    (
        ("lower right", "upper right", "lower left"),
        "Left and right are exchanged.",
    ),
    (
        ("upper right", "upper left", "lower right"),
        "Rows and columns are exchanged: the first quarter is the upper right one here.",
    ),
    (
        ("upper right", "lower right", "upper left"),
        "The first quarter is the upper right one here: above and below are exchanged, and left "
        "and right too.",
    ),
    (
        ("lower left", "lower right", "upper left"),
        "The second quarter and the third one are exchanged: which one comes after the first?",
    ),
    (
        ("lower left", "upper left", "upper right"),
        "The third quarter is the wrong one of the two that are left: the lower right was asked.",
    ),
    (
        ("lower left", "lower right", "upper right"),
        "You go round counterclockwise: the order of the quarters is another one.",
    ),
    (
        ("upper left", "upper right", "lower left"),
        "The quarters come in reading order, from the upper left one: the order asked begins with "
        "the lower left.",
    ),
    (
        ("upper left", "upper right", "lower right"),
        "You go round clockwise from the upper left quarter: the order asked begins with the lower "
        "left.",
    ),
    (
        ("upper left", "lower left", "lower right"),
        "The first quarter and the second one are exchanged: which of the left ones comes first?",
    ),
    (
        ("lower left", "upper right", "upper left"),
        "The second quarter lies across from the first: the upper left one was asked.",
    ),
    (
        ("lower left", "upper right", "lower right"),
        "The second quarter lies across from the first: the upper left one was asked.",
    ),
]

CHECK = Check(
    reference=_right,
    cases=_cases,
    shape="(height, width), of type torch.bool",
    look=_ORDER_LOOK,
    slips=[
        Slip(
            lambda *a: 1 - _right(*a),
            "Seen and hidden are exchanged: true is where the picture is seen.",
            "What does the docstring say a true means?",
        ),
        *(Slip(_adding(*order), what, _ORDER_LOOK) for order, what in _ORDERS),
        Slip(
            _nth_alone,
            "Only the last quarter is seen: those before it stay seen when one more is added.",
            "How many pixels are seen with 1, with 2 and with 3 quarters?",
        ),
        Slip(
            lambda k, h, w: _right(k, h, w).T,
            "Rows and columns are exchanged: a mask of height 4 and width 2 has 4 rows.",
            _SIZES,
        ),
        Slip(
            lambda k, h, w: _right(k, w, h),
            "Height and width are exchanged: a mask of height 4 and width 2 has 4 rows.",
            _SIZES,
        ),
        Slip(
            lambda k, h, w: _adding("upper right", "upper left", "lower right")(k, w, h),
            "Rows and columns are exchanged: a mask of height 4 and width 2 has 4 rows.",
            _SIZES,
        ),
        Slip(
            _as_if_square,
            "Rows and columns are cut at the same place: that is right for square pictures only.",
            _SIZES,
        ),
        Slip(
            lambda k, h, w: _adding(*_ORDER)(1, h, w),
            "Only the lower left quarter is ever seen: what do 2 and 3 add?",
            "How many pixels are seen with 1, with 2 and with 3 quarters?",
        ),
        Slip(
            lambda k, h, w: _adding("lower left", "upper left", "lower right", "upper right")(
                k + 1, h, w
            ),
            "There is one quarter too many: count how many are seen.",
            "How many pixels are seen with 1, with 2 and with 3 quarters?",
        ),
        Slip(
            lambda k, h, w: _right(k - 1, h, w),
            "There is one quarter too few: count how many are seen.",
            "How many pixels are seen with 1, with 2 and with 3 quarters?",
        ),
        Slip(
            lambda k, h, w: _right(k, 28, 28),
            "The mask is always 28 x 28: take its sides from the arguments.",
            _SIZES,
        ),
        Slip(
            lambda k, h, w: _right(k, h, w)[None],
            "A mask is a matrix: an axis for channels is left over.",
            _SIZES,
        ),
        Slip(
            lambda k, h, w: _right(k, h, w)[None, None],
            "A mask is a matrix: axes for pictures and channels are left over.",
            _SIZES,
        ),
    ],
)

_ODD = (
    "An odd side is let through: it cannot be halved, so look at height and at width, each alone."
)
_BETWEEN = "The number of quadrants is 1, 2 or 3, and nothing that lies between them."
_COUNT = "Only 1, 2 and 3 quarters make sense here: too few or too many are let through."


def _refusals() -> list[Refusal]:
    def bad(observed: float, height: int, width: int, what: str) -> Refusal:
        return Refusal({"observed": observed, "height": height, "width": width}, what)

    return [
        bad(4, 4, 4, f"{_COUNT} With 4 nothing would be left to guess."),
        bad(0, 4, 4, f"{_COUNT} With 0 nothing would be seen."),
        bad(-1, 4, 4, _COUNT),
        bad(7, 2, 6, _COUNT),
        bad(1.5, 4, 4, _BETWEEN),
        bad(2.5, 4, 4, _BETWEEN),
        bad(1, 3, 3, _ODD),
        bad(1, 5, 4, _ODD),
        bad(2, 4, 7, _ODD),
        bad(3, 28, 27, _ODD),
    ]


def _as_numbers(function: Function) -> Function:
    """The function with its truth values made comparable; other types are named as they are."""

    def wrapped(*arguments: Any) -> Any:
        value = function(*arguments)
        if type(value) is not Tensor:
            return value
        if value.dtype == torch.bool:
            return value.double()
        return type(f"Tensor of {value.dtype}", (), {})()

    return wrapped if callable(function) else function


def quadrant_masks(function: Function) -> None:
    """Check `quadrant_mask(observed, height, width)`, bool of shape (height, width)."""
    __tracebackhide__ = True
    look = "Write down everything that the docstring allows, and refuse the rest before you begin."
    refused = refusing(function, _refusals(), look)
    run("quadrant-masks", (CHECK, _as_numbers(function)), refused)
