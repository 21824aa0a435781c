"""Check of `convolution-sizes`: the side length of a picture after each layer."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from coursekit.checks.autoencoders.whole import run_whole, whole
from coursekit.checks.engine import Case, Check, Function, Slip

Layer = tuple[str, int, int, int]
Rule = Callable[[int, int, int, int], int]  # side length, kernel, stride, padding


def _shrunk(size: int, kernel: int, stride: int, padding: int) -> int:
    """Count the places at which the kernel fits."""
    return len(range(0, size + 2 * padding - kernel + 1, stride))


def _grown(size: int, kernel: int, stride: int, padding: int) -> int:
    """Spread the values, lay a kernel on each, and cut the border off."""
    return (size * stride - stride) + kernel - 2 * padding


def _exchanged(size: int, kernel: int, stride: int, padding: int) -> int:
    if padding == 0:
        raise ValueError("a stride of 0")
    return _shrunk(size, kernel, padding, stride)


def _through(shrink: Rule = _shrunk, grow: Rule = _grown, pool: Rule | None = None) -> Function:
    """The sizes by other rules: convolutions and pooling shrink, transposed ones grow."""

    def sizes(size: int, layers: list[Layer]) -> Tensor:
        found = []
        for kind, *numbers in layers:
            rule = grow if kind == "transposed" else pool if kind == "pool" and pool else shrink
            size = rule(size, *numbers)
            found.append(size)
        return whole(found)

    return sizes


def _first(size: int, layers: list[Layer]) -> list[int]:
    """What each layer makes of the picture itself, as if it were the first."""
    return [int(number) for layer in layers for number in _through()(size, [layer]).tolist()]


def _cases() -> list[Case]:
    def case(size: int, layers: list[Layer], clue: str = "") -> Case:
        return Case({"size": size, "layers": layers}, clue=clue)

    # "valid" and "same" convolutions, odd sizes, a rest in the division, kernels of every size.
    return [
        case(28, [("conv", 5, 1, 2)]),
        case(28, [("conv", 3, 2, 1), ("conv", 3, 2, 1), ("conv", 4, 1, 0)]),
        case(7, [("transposed", 4, 2, 1), ("transposed", 3, 2, 0)]),
        case(30, [("conv", 5, 1, 0), ("pool", 2, 2, 0), ("pool", 3, 2, 1), ("pool", 3, 1, 1)]),
        case(20, [("conv", 3, 3, 1), ("pool", 2, 2, 0), ("transposed", 5, 3, 2)]),
        case(9, [("transposed", 3, 1, 1), ("conv", 1, 2, 0), ("transposed", 2, 4, 0)]),
        case(32, [], "Without layers there is no size to report."),
        case(
            10,
            [
                ("conv", 3, 1, 2),
                ("conv", 5, 1, 1),
                ("conv", 5, 2, 1),
                ("pool", 2, 2, 1),
                ("pool", 2, 1, 1),
            ],
            "Padding may be more than keeps the size, or less: count the places of the window.",
        ),
        case(
            9,
            [("pool", 2, 2, 0), ("conv", 4, 1, 0), ("transposed", 4, 2, 1)],
            "An odd side is pooled here, and the transposed convolution sees a single pixel.",
        ),
    ]


_PLACES = (
    "Draw a row of 7 pixels, and lay a kernel of 3 on it with stride 2: how many places are there?"
)
_TRANSPOSED = (
    "Draw 3 pixels, put stride 2 between their places, and lay a kernel of 4 on each: how wide?"
)
_LIST = "Which size enters the second layer, and how many sizes are there for two layers?"

_SAME = (
    "You take any padding for one that keeps the size: only p = (k - 1)/2 does; other padding lets "
    "the picture grow or shrink."
)

# Padding taken for a promise about the size.
_KEPT: list[tuple[Rule, str]] = [
    (
        lambda n, k, s, p: min(_shrunk(n, k, s, p), n),
        "The size is never let grow: with much padding a picture leaves larger than it came.",
    ),
    (lambda n, k, s, p: -(-n // s) if p else (n - k) // s + 1, _SAME),
    (lambda n, k, s, p: n // s if p else (n - k) // s + 1, _SAME),
    (lambda n, k, s, p: n if s == 1 and p else _shrunk(n, k, s, p), _SAME),
]

# Rules that shrink wrongly: how, and what to say.
_SHRINK: list[tuple[Rule, str]] = [
    *_KEPT,
    (
        lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1,
        "The division is rounded up: a kernel that does not fit any more has no place.",
    ),
    (
        lambda n, k, s, p: round((n + 2 * p - k) / s) + 1,
        "The division is rounded to the nearest: a kernel that does not fit has no place.",
    ),
    (
        lambda n, k, s, p: math.ceil((n + 2 * p - k + 1) / s) + 1,
        "A convolution or pooling layer gives too many places.",
    ),
    (
        lambda n, k, s, p: (n + 2 * p - k) // s,
        "A convolution or pooling layer gives one place too few: the first one counts too.",
    ),
    (
        lambda n, k, s, p: (n + 2 * p - k + 1) // s,
        "The place that counts extra is added before the division, or you only divide by the "
        "stride.",
    ),
    (
        lambda n, k, s, p: (n + p - k) // s + 1,
        "The padding counts once: it lies on both sides.",
    ),
    (
        lambda n, k, s, p: (n - k) // s + 1,
        "The padding of convolution and pooling is left out.",
    ),
    (
        lambda n, k, s, p: (n - 2 * p - k) // s + 1,
        "The padding has the wrong sign in convolution and pooling: it makes room.",
    ),
    (
        lambda n, k, s, p: n + 2 * p - k + 1,
        "The stride of convolution and pooling is left out.",
    ),
    (
        lambda n, k, s, p: (n + 2 * p) // s,
        "The kernel of convolution and pooling is left out.",
    ),
    (
        lambda n, k, s, p: n // s,
        "A convolution only divides by its stride here: kernel and padding count too.",
    ),
    (
        lambda n, k, s, p: math.ceil(n / s),
        "A convolution only divides by its stride here: kernel and padding count too.",
    ),
    (
        lambda n, k, s, p: (n + 2 * p - k) // k + 1,
        "The kernel stands where the stride should: the two need not be equal.",
    ),
    (
        lambda n, k, s, p: _exchanged(n, k, s, p),
        "Stride and padding are exchanged: look at the order in a layer.",
    ),
    (
        lambda n, k, s, p: (n + 2 * p - s) // k + 1,
        "Kernel and stride are exchanged: look at the order in a layer.",
    ),
    (
        lambda n, k, s, p: (n + 2 * p - (k - 1)) // s + 1,
        "The kernel counts for one less than it is in convolution and pooling.",
    ),
    (
        lambda n, k, s, p: n,
        "A convolution keeps the size here: that depends on kernel, stride and padding.",
    ),
]
_POOL: list[tuple[Rule, str]] = [
    (
        lambda n, k, s, p: n // s if s == k else _shrunk(n, k, s, p),
        "Pooling only divides where kernel and stride are equal: its padding counts there too.",
    ),
    (
        lambda n, k, s, p: round((n + 2 * p - k) / s) + 1,
        "Pooling rounds the division to the nearest: only a whole window has a place.",
    ),
    (
        lambda n, k, s, p: (n + 2 * p - k) // k + 1,
        "Pooling takes its kernel for its stride: here it has a stride of its own.",
    ),
    (
        lambda n, k, s, p: n // k,
        "Pooling only divides by its kernel here: stride and padding count too.",
    ),
    (
        lambda n, k, s, p: n // s,
        "Pooling only divides by its stride here: kernel and padding count too.",
    ),
    (
        lambda n, k, s, p: n // 2,
        "Pooling halves whatever its kernel, stride and padding are.",
    ),
    (
        lambda n, k, s, p: (n - k) // s + 1,
        "Pooling leaves its padding out.",
    ),
    (
        lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1,
        "Pooling rounds the division up: only a whole window has a place.",
    ),
    (
        lambda n, k, s, p: n,
        "Pooling leaves the size as it is.",
    ),
    *_KEPT,
]
_GROW: list[tuple[Rule, str]] = [
    (
        lambda n, k, s, p: (n - 1) * s + k - 2 * p if n > 1 else k,
        "A transposed convolution of a single pixel keeps its border: it is cut off there too.",
    ),
    (
        _shrunk,
        "A transposed convolution is treated as a convolution: it goes the other way.",
    ),
    (
        lambda n, k, s, p: n * s - 2 * p + k,
        "A transposed convolution is too wide: between n pixels there are fewer than n steps.",
    ),
    (
        lambda n, k, s, p: n * s,
        "A transposed convolution only multiplies by its stride: kernel and padding count too.",
    ),
    (
        lambda n, k, s, p: (n - 1) * s + k,
        "The padding of a transposed convolution is left out: it cuts a border off.",
    ),
    (
        lambda n, k, s, p: (n - 1) * s - p + k,
        "The padding of a transposed convolution counts once: it lies on both sides.",
    ),
    (
        lambda n, k, s, p: (n - 1) * s + 2 * p + k,
        "The padding of a transposed convolution has the wrong sign: it cuts a border off.",
    ),
    (
        lambda n, k, s, p: (n - 1) * s - 2 * p,
        "The kernel of a transposed convolution is left out.",
    ),
    (
        lambda n, k, s, p: (n - 1) * s - 2 * p + k + 1,
        "A transposed convolution is too wide by one pixel.",
    ),
    (
        lambda n, k, s, p: (n - 1) * s - 2 * p + k - 1,
        "A transposed convolution is too narrow by one pixel.",
    ),
    (
        lambda n, k, s, p: (n + 2 * p - k) * s + 1,
        "A transposed convolution is not a convolution whose division is turned round: undo its "
        "steps in the reverse order.",
    ),
    (
        lambda n, k, s, p: n,
        "A transposed convolution leaves the size as it is.",
    ),
]

CHECK = Check(
    reference=_through(),
    cases=_cases,
    look=_PLACES,
    slips=[
        Slip(
            lambda size, layers: whole(_first(size, layers)),
            "Every layer is given the picture's own size: it gets what the layer before leaves.",
            _LIST,
        ),
        Slip(
            lambda size, layers: whole([size, *map(int, _through()(size, layers).tolist())]),
            "The list begins with the picture's own size: only what comes after a layer was asked.",
            _LIST,
        ),
        Slip(
            lambda size, layers: whole([size, *map(int, _through()(size, layers).tolist())][:-1]),
            "The size is noted before each layer: the size after it was asked.",
            _LIST,
        ),
        Slip(
            lambda size, layers: whole([size, *map(int, _through()(size, layers).tolist())][-1:]),
            "That is the last size alone: the size after each layer was asked.",
            _LIST,
        ),
        Slip(
            lambda size, layers: _through()(size, layers).flip(0),
            "The sizes stand in the reverse order.",
            _LIST,
        ),
        Slip(
            lambda size, layers: _through()(size, layers)[:1],
            "That is the first size alone: does the return stand inside the loop?",
            _LIST,
        ),
        Slip(
            lambda size, layers: whole([size] * len(layers)),
            "No layer changes the size: is the new size kept for the next layer?",
            _LIST,
        ),
        Slip(
            lambda size, layers: _through()(size, layers).square(),
            "That is the number of pixels: the side length was asked.",
            _LIST,
        ),
        *(Slip(_through(grow=grow), what, _TRANSPOSED) for grow, what in _GROW),
        *(Slip(_through(pool=pool), what, _PLACES) for pool, what in _POOL),
        *(Slip(_through(shrink, pool=_shrunk), what, _PLACES) for shrink, what in _SHRINK),
        *(Slip(_through(shrink), what, _PLACES) for shrink, what in _SHRINK),
    ],
)


def convolution_sizes(function: Function) -> None:
    """Check `sizes_through(size, layers) -> list[int]`."""
    __tracebackhide__ = True
    run_whole("convolution-sizes", CHECK, function, listed=True)
