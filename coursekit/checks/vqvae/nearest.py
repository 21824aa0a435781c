"""Check of `nearest-code`: the code of the codebook that lies nearest to each vector."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip
from coursekit.checks.parts import normal
from coursekit.checks.vqvae.codes import as_numbers, run_codes


def _differences(z: Tensor, codebook: Tensor) -> Tensor:
    """Every vector minus every code, (N, K, D)."""
    return z[:, None] - codebook[None]


def _squares(z: Tensor, codebook: Tensor) -> Tensor:
    return _differences(z, codebook).square().sum(dim=2)


def _right(z: Tensor, codebook: Tensor) -> Tensor:
    # a stable sort leaves equal distances in the codebook's order
    return _squares(z, codebook).sort(dim=1, stable=True).indices[:, 0].double()


def _lengths() -> tuple[Tensor, Tensor]:
    """Codes in three directions with long and short ones in each, and vectors near to each."""
    directions = torch.eye(3).repeat(3, 1)
    codebook = directions * torch.tensor([1.0] * 3 + [4.0] * 3 + [10.0] * 3)[:, None]
    return codebook[[4, 0, 8, 5, 7, 2]] + 0.2 * normal(801, (6, 3))[0], codebook


def _cases() -> list[Case]:
    def case(*tensors: Tensor, title: str = "", clue: str = "") -> Case:
        return Case(dict(zip(("z", "codebook"), tensors, strict=True)), title, clue)

    tensor = torch.tensor
    tied = tensor([[0.0, 0.0], [2.0, 2.0], [1.0, 0.0], [3.0, 1.0]])
    few = tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, 1.0], [3.0, 3.0], [2.0, 0.0]])
    side = normal(806, (4, 3), dtype=torch.float64)[0]
    edge = torch.cat([side + 1, side - 1 + 1e-9, side - 1, side + 2])[[8, 4, 0, 12, 1, 5, 9, 13]]
    return [
        case(tensor([[1.0, 0.0], [4.0, 4.0]]), tensor([[0.0, 1.0], [3.0, 3.0], [9.0, 8.0]])),
        case(*normal(802, (6, 3), (4, 3)), title="6 random vectors, 4 codes, D = 3"),
        case(
            *normal(803, (5, 5), (5, 5), dtype=torch.float64),
            title="5 random vectors, 5 codes, D = 5, in float64",
        ),
        case(*normal(804, (40, 6), (30, 6)), title="40 random vectors, 30 codes, D = 6"),
        case(
            *_lengths(),
            title="6 vectors, and codes of the lengths 1, 4 and 10 in the same directions",
            clue="How long a code is matters as well as where it points.",
        ),
        case(
            tied,
            few,
            title="4 vectors with several codes at the same distance",
            clue="Two codes are alike here, and some lie equally near: the first of them counts, "
            "and no rounding may tell them apart.",
        ),
        case(
            side,
            edge,
            title="4 vectors and 8 codes in float64, of which some differ by a billionth",
            clue="Keep the precision of what you are given.",
        ),
        case(
            normal(807, (5, 2))[0] + 60,
            5 * normal(808, (6, 2))[0],
            title="5 vectors that are far from every code",
            clue="However far away, the nearest code is the answer.",
        ),
        case(*normal(809, (4, 3), (1, 3)), title="4 vectors and a single code"),
        case(*normal(810, (1, 2), (7, 2)), title="a single vector and 7 codes"),
        case(*normal(811, (4, 1), (6, 1)), title="4 vectors and 6 codes of a single number"),
    ]


def _least(distances: Function) -> Function:
    """The index of the code with the smallest of some distances, (N, K)."""
    return lambda z, codebook: distances(z, codebook).argmin(dim=1)


def _most(distances: Function) -> Function:
    return lambda z, codebook: distances(z, codebook).argmax(dim=1)


def _products(z: Tensor, codebook: Tensor) -> Tensor:
    return z @ codebook.T


def _joined(factor: float, own: float = 1.0) -> Function:
    """The squared distance multiplied out, with a factor before the product of the two."""
    return lambda z, codebook: (
        own * codebook.square().sum(dim=1)[None] + factor * _products(z, codebook)
    )


def _last(z: Tensor, codebook: Tensor) -> Tensor:
    """Of equally near codes the last."""
    return len(codebook) - 1 - _right(z, codebook.flip(0))


_CHOICE = "Look at step 2 above: what does argmin say, and what argmax?"
_DISTANCE = "Look at step 1 above: write down the squared distance of (1, 0) and (3, 3)."
_PRODUCT = "Look at step 1 above, and multiply the square of a difference out: three terms."
_TIES = "Look at step 3 above: which one of equally near codes is asked?"
_PAIRS = "How many numbers should come back, and along which axis do the codes lie?"

_WRONG: list[tuple[Function, str, str]] = [
    (_most(_squares), "You take the FARTHEST code: the nearest was asked.", _CHOICE),
    (
        _most(_products),
        "You choose the largest inner product: that favours long codes.",
        _PRODUCT,
    ),
    (
        _least(_products),
        "You choose the smallest inner product: that is no distance.",
        _PRODUCT,
    ),
    (
        _most(lambda z, c: torch.cosine_similarity(z[:, None], c[None], dim=2)),
        "You choose the most similar direction: the lengths count as well.",
        _DISTANCE,
    ),
    (
        _least(lambda z, c: _squares(z / z.norm(dim=1)[:, None], c / c.norm(dim=1)[:, None])),
        "Vectors and codes are brought to length 1 first: they are to be taken as they are.",
        _DISTANCE,
    ),
    (
        _least(lambda z, c: _differences(z, c).abs().sum(dim=2)),
        "The distances are sums of absolute differences: Euclidean ones were asked.",
        _DISTANCE,
    ),
    (
        _least(lambda z, c: _differences(z, c).abs().amax(dim=2)),
        "The distance is the largest difference alone: all D numbers count.",
        _DISTANCE,
    ),
    (
        _least(lambda z, c: _differences(z, c).abs().amin(dim=2)),
        "The distance is the smallest difference alone: all D numbers count.",
        _DISTANCE,
    ),
    *(
        (
            _least(lambda z, c, m=made: m(_differences(z, c).sum(dim=2))),
            "Differences of different signs cancel in your distance: square each of them first.",
            _DISTANCE,
        )
        for made in (torch.abs, torch.square, torch.clone)
    ),
    (
        _least(lambda z, c: _differences(z, c).square().prod(dim=2)),
        "The squares are multiplied: they are to be added up.",
        _DISTANCE,
    ),
    (
        _least(lambda z, c: _differences(z, c)[:, :, 0].square()),
        "Only the first of the D numbers is compared: all of them count.",
        _DISTANCE,
    ),
    (
        _least(lambda z, c: _differences(z, c).clamp(min=0).square().sum(dim=2)),
        "Differences below 0 are cut off: a code on the other side is as far away.",
        _DISTANCE,
    ),
    (
        _least(lambda z, c: (z.norm(dim=1)[:, None] - c.norm(dim=1)).abs()),
        "You compare lengths: two vectors of the same length can be far apart.",
        _DISTANCE,
    ),
    (
        _least(_joined(-1.0)),
        "Where the square is multiplied out, the product of the two counts twice.",
        _PRODUCT,
    ),
    (
        _least(_joined(2.0)),
        "Where the square is multiplied out, the product of the two has a minus.",
        _PRODUCT,
    ),
    (
        _least(_joined(-2.0, -1.0)),
        "Where the square is multiplied out, the code's own square has a plus.",
        _PRODUCT,
    ),
    (
        _least(lambda z, c: c.norm(dim=1)[None] - 2 * _products(z, c)),
        "Where the square is multiplied out, the code's SQUARED length stands in it.",
        _PRODUCT,
    ),
    (_last, "Of equally near codes you take the last: the first was asked.", _TIES),
    (
        lambda z, c: _right(z.float(), c.float()),
        "The precision is lowered on the way: codes that differ come out alike.",
        _DISTANCE,
    ),
    (
        lambda z, c: _squares(z, c).argsort(dim=1, stable=True)[:, min(1, len(c) - 1)],
        "That is the second nearest: no code is to be stepped over.",
        _CHOICE,
    ),
    (
        lambda z, c: _right(z, c) + 1,
        "The codes are counted from 1: the first row of the codebook is number 0.",
        _CHOICE,
    ),
    (
        lambda z, c: _right(c, z),
        "That is the nearest vector for each code: the other way round was asked.",
        _PAIRS,
    ),
    (
        lambda z, c: _squares(z, c).argmin().expand(len(z)),
        "One number is found for all vectors together: each has a nearest code of its own.",
        _PAIRS,
    ),
    (
        lambda z, c: _right(z, c)[:1].expand(len(z)),
        "Every vector gets the first one's code: each has its own.",
        _PAIRS,
    ),
    (
        lambda z, c: _right(z, c).flip(0),
        "The codes are right and in the wrong order: the rows are turned round.",
        _PAIRS,
    ),
    (
        lambda z, c: torch.arange(len(z)) % len(c),
        "Vector number n gets code number n: every vector is to meet every code.",
        _PAIRS,
    ),
    (
        lambda z, c: _right(z / z.norm(dim=1, keepdim=True), c),
        "The vectors are brought to length 1 first: they are to be taken as they are.",
        _DISTANCE,
    ),
    (
        lambda z, c: _right(z, c / c.norm(dim=1, keepdim=True)),
        "The codes are brought to length 1 first: they are to be taken as they are.",
        _DISTANCE,
    ),
    (
        lambda z, c: _right(z - z.mean(dim=0), c - c.mean(dim=0)),
        "Vectors and codes are centred, each by itself: that moves them against each other.",
        _DISTANCE,
    ),
]


def _near_enough(limit: float, code: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Another answer where the nearest code is farther than some limit."""
    return lambda z, c: torch.where(
        _squares(z, c).amin(dim=1) > limit, torch.tensor(float(code)), _right(z, c)
    )


CHECK = Check(
    reference=_right,
    cases=_cases,
    shape="(N,), of type torch.int64",
    look=f"{_DISTANCE} {_PAIRS}",
    slips=[
        *(Slip(wrong, what, look) for wrong, what, look in _WRONG),
        *(
            Slip(
                _near_enough(limit, code),
                "A vector far from every code gets no code of its own: the nearest one is asked, "
                "however far it is.",
                _CHOICE,
            )
            for limit in (100.0, 1000.0)
            for code in (-1, 0)
        ),
    ],
)


def nearest_code(function: Function) -> None:
    """Check `nearest_codes(z, codebook) -> (N,)`, whole numbers of type int64."""
    __tracebackhide__ = True
    run_codes("nearest-code", (CHECK, as_numbers(function)))
