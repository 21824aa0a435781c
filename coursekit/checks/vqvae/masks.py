"""Check of `causal-mask`: which pixels of a kernel lie before the one in its middle."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run

Seen = Callable[[int, int], bool]  # of a row and a column, counted from the middle


def _places(seen: Seen, own: Callable[[bool], bool] = lambda centre: centre) -> Function:
    """A mask from what is seen beside the middle, and whether the middle is."""

    def mask(kernel: int, centre: bool) -> Tensor:
        half = kernel // 2
        side = range(-half, half + 1)
        return torch.tensor(
            [[float(own(centre) if r == c == 0 else seen(r, c)) for c in side] for r in side],
            dtype=torch.float64,
        )

    return mask


def _before(row: int, column: int) -> bool:
    """Whether a place comes before the middle in raster order."""
    return (row, column) < (0, 0)


_right = _places(_before)


def _cases() -> list[Case]:
    sizes = [(3, False), (3, True), (5, False), (5, True), (7, True), (1, False), (1, True)]
    single = "A kernel of 1 sees the pixel itself, or nothing at all."
    return [
        Case({"kernel": kernel, "centre": centre}, clue=single if kernel == 1 else "")
        for kernel, centre in sizes
    ]


def _then(change: Callable[[Tensor], Tensor]) -> Function:
    return lambda kernel, centre: change(_right(kernel, centre))


def _tril(kernel: int, centre: bool) -> Tensor:
    """The lower triangle of a square, with or without its diagonal."""
    return torch.ones(kernel, kernel).tril(0 if centre else -1)


_DRAW = "Draw the kernel on paper and number its places as one reads: which come before the middle?"
_OWN = "Look at step 3 above: what does `centre` decide, and for which place alone?"
_ROW = "Look at step 2 above: which places of the middle row have been drawn already?"
_ABOVE = "Look at step 1 above: which rows have been drawn, and how much of each?"

_SEEN: list[tuple[Seen, str, str]] = [
    (lambda r, c: (r, c) > (0, 0), "That is what comes AFTER the middle: turn it round.", _DRAW),
    (
        lambda r, c: r > 0 or (r == 0 and c < 0),
        "The rows below are seen: rows are drawn from the top.",
        _ABOVE,
    ),
    (
        lambda r, c: r < 0 or (r == 0 and c > 0),
        "In the middle row you see what is to the RIGHT: a row is drawn from the left.",
        _ROW,
    ),
    (
        lambda r, c: c < 0 or (c == 0 and r < 0),
        "Rows and columns are exchanged: the picture is drawn row by row.",
        _DRAW,
    ),
    (
        lambda r, c: r < 0,
        "The rows above are right; what is left of the middle in its own row is missing.",
        _ROW,
    ),
    (
        lambda r, c: r < 0 or r == 0,
        "All of the middle row is seen: what is right of the middle has not been drawn.",
        _ROW,
    ),
    (
        lambda r, c: r == 0 and c < 0,
        "Only the middle row is seen: the rows above have been drawn as well.",
        _ABOVE,
    ),
    (
        lambda r, c: (r < 0 and c == 0) or (r == 0 and c < 0),
        "Above, only the middle's own column is seen: whole rows have been drawn.",
        _ABOVE,
    ),
    (
        lambda r, c: r <= 0 and c <= 0,
        "Above, what is right of the middle is missing: whole rows have been drawn.",
        _ABOVE,
    ),
    (
        lambda r, c: (r < 0 and c <= 0) or (r == 0 and c < 0),
        "Above, what is right of the middle is missing: whole rows have been drawn.",
        _ABOVE,
    ),
    (
        lambda r, c: (r < 0 and c < 0) or (r == 0 and c < 0),
        "Above, only what is left of the middle is seen: whole rows have been drawn.",
        _ABOVE,
    ),
    (
        lambda r, c: (r < 0 and c <= -r) or (r == 0 and c < 0),
        "Above, a triangle is cut off on the right: whole rows have been drawn.",
        _ABOVE,
    ),
    (
        lambda r, c: (r < 0 and abs(c) <= -r) or (r == 0 and c < 0),
        "Above, only a triangle over the middle is seen: whole rows have been drawn.",
        _ABOVE,
    ),
    (
        lambda r, c: r == -1 or (r == 0 and c < 0),
        "Only one row above is seen: all of them have been drawn.",
        _ABOVE,
    ),
    (
        lambda r, c: r < 0 or (r == 0 and c == -1),
        "In the middle row only the nearest place is seen: all to the left have been drawn.",
        _ROW,
    ),
    (
        lambda r, c: r < -1 or (r == -1 and c < 0),
        "The mask sits a row too high: with a kernel of 3 the middle is row 1, counted from 0.",
        _DRAW,
    ),
    (
        lambda r, c: r <= 0 or (r == 1 and c < 0),
        "The mask sits a row too low: with a kernel of 3 the middle is row 1, counted from 0.",
        _DRAW,
    ),
    (
        lambda r, c: r < 0 or (r == 0 and c < -1),
        "The nearest place on the left is missing: it is drawn just before.",
        _ROW,
    ),
    (
        lambda r, c: r < 0 or (r == 0 and c <= 1),
        "The place right of the middle is seen: it is drawn after it.",
        _ROW,
    ),
    (lambda r, c: True, "All places are seen: those after the middle have not been drawn.", _DRAW),
    (lambda r, c: False, "Nothing is seen beside the middle.", _DRAW),
    (lambda r, c: c < 0, "You see all columns on the left: rows are drawn from the top.", _DRAW),
    (
        lambda r, c: r + c < 0,
        "The cut runs along a diagonal: rows are drawn one after the other.",
        _DRAW,
    ),
]

CHECK = Check(
    reference=_right,
    cases=_cases,
    shape="(kernel, kernel)",
    look=f"{_DRAW} {_OWN}",
    slips=[
        Slip(
            _places(_before, lambda centre: not centre),
            "The middle is seen where it should be hidden, and hidden where it may be seen.",
            _OWN,
        ),
        Slip(
            _places(_before, lambda centre: True),
            "The middle is always seen: a pixel that sees itself need not guess.",
            _OWN,
        ),
        Slip(_places(_before, lambda centre: False), "The middle is never seen.", _OWN),
        *(
            Slip(_places(seen, own), what, look)
            for seen, what, look in _SEEN
            for own in (lambda centre: centre, lambda centre: True, lambda centre: False)
        ),
        Slip(
            _then(lambda mask: 1 - mask),
            "Seen and hidden are exchanged: 1 is what may be seen.",
            "What does the docstring say a 1 means?",
        ),
        Slip(
            _tril,
            "That is the lower triangle of a square: it orders D values in a row, and here the "
            "kernel lies over a picture.",
            _DRAW,
        ),
        Slip(
            lambda kernel, centre: _tril(kernel, not centre).T,
            "That is the upper triangle of a square: the kernel lies over a picture.",
            _DRAW,
        ),
        Slip(
            lambda kernel, centre: _tril(kernel, centre).T,
            "That is the upper triangle of a square: the kernel lies over a picture.",
            _DRAW,
        ),
        Slip(
            _then(torch.log),
            "Those are numbers to be added before a softmax: 0 and 1 were asked.",
            "What does the docstring say a 1 means?",
        ),
        Slip(
            _then(lambda mask: mask / mask.sum().clamp(min=1)),
            "The mask is divided by its sum: 0 and 1 were asked.",
            "What does the docstring say a 1 means?",
        ),
        Slip(
            lambda kernel, centre: _right(3, centre),
            "The mask is always 3 x 3: take its side from the argument.",
            _DRAW,
        ),
        Slip(
            lambda kernel, centre: _right(kernel, centre).flatten(),
            "The mask lies in a row: a square was asked.",
            _DRAW,
        ),
        *(
            Slip(
                lambda kernel, centre, axes=axes: _right(kernel, centre).view(
                    *axes, kernel, kernel
                ),
                "Axes of length 1 stand before the two of the mask: drop them.",
                _DRAW,
            )
            for axes in ((1,), (1, 1))
        ),
    ],
)


def causal_mask(function: Function) -> None:
    """Check `causal_mask(kernel, centre)`, floats 0 and 1 of shape (kernel, kernel)."""
    __tracebackhide__ = True
    run("causal-mask", (CHECK, function))
