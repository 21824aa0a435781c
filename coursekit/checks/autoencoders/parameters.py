"""Check of `autoencoder-parameters`: weights and biases of a fully connected autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from coursekit.checks.autoencoders.whole import run_whole, whole
from coursekit.checks.engine import Case, Check, Function, Slip


def _widths(dims: int, hidden: list[int], latent_size: int) -> list[int]:
    return [dims, *hidden, latent_size, *hidden[::-1], dims]


def _reference(dims: int, hidden: list[int], latent_size: int) -> Tensor:
    widths = _widths(dims, hidden, latent_size)
    weights = sum(first * second for first, second in pairwise(widths))
    return whole([weights + sum(widths) - dims])


_REPEATED = "Two layers may have the same widths: go through positions, not values."


def _cases() -> list[Case]:
    def case(dims: int, hidden: list[int], latent_size: int, clue: str = "") -> Case:
        return Case({"dims": dims, "hidden": hidden, "latent_size": latent_size}, clue=clue)

    return [
        case(4, [3], 2),
        case(6, [], 1, "Without hidden layers two layers are left: dims to latent_size and back."),
        case(10, [7, 5], 3),
        case(9, [2, 8, 4], 6),
        case(784, [512, 256, 128], 2),
        case(10, [5, 5], 2, _REPEATED),
        case(12, [7, 3, 7, 3], 2, _REPEATED),
    ]


def _over(layer: Callable[[int, int], int], widths: Function = _widths) -> Function:
    """Counts layer by layer, from the widths on both sides of each."""

    def wrong(dims: int, hidden: list[int], latent_size: int) -> Tensor:
        return whole([sum(layer(a, b) for a, b in pairwise(widths(dims, hidden, latent_size)))])

    return wrong


def _full(width_in: int, width_out: int) -> int:
    return width_in * width_out + width_out


def _half(layer: Callable[[int, int], int], other: Callable[[int, int], int]) -> Function:
    """Counts the encoder by one rule and the decoder by another."""

    def wrong(dims: int, hidden: list[int], latent_size: int) -> Tensor:
        down = [dims, *hidden, latent_size]
        up = down[::-1]
        there = sum(layer(a, b) for a, b in pairwise(down))
        return whole([there + sum(other(a, b) for a, b in pairwise(up))])

    return wrong


def _joined(pairs: Function) -> Function:
    """Counts both ways over pairs of widths that are made from the encoder's row of widths."""

    def wrong(dims: int, hidden: list[int], latent_size: int) -> Tensor:
        found = pairs([dims, *hidden, latent_size])
        return whole([sum(_full(a, b) + _full(b, a) for a, b in found)])

    return wrong


# What is lost where widths are looked up by their value.
_BY_VALUE: list[Function] = [
    _joined(lambda down: dict(pairwise(down)).items()),
    _joined(lambda down: [(b, a) for a, b in dict(pairwise(down[::-1])).items()]),
    _joined(lambda down: set(pairwise(down))),
    _joined(lambda down: [(a, down[down.index(a) + 1]) for a in down[:-1]]),
    _joined(lambda down: pairwise(dict.fromkeys(down))),
    _joined(lambda down: pairwise([down[0], *dict.fromkeys(down[1:-1]), down[-1]])),
    _joined(lambda down: [(a, b) for a, b in pairwise(down) if a != b]),
    lambda *a: whole([sum(_full(m, n) for m, n in set(pairwise(_widths(*a))))]),
]


def _plus(extra: Callable[[int, list[int], int], int]) -> Function:
    """The right count and something else."""
    return lambda dims, hidden, k: _reference(dims, hidden, k) + extra(dims, hidden, k)


_BIAS = "How many biases has a layer that maps 4 numbers to 3, and how many weights?"
_WIDTHS = (
    "Write the widths down in a row, from the picture through the code and back: how many layers "
    "lie between them?"
)

CHECK = Check(
    reference=_reference,
    cases=_cases,
    look=_WIDTHS,
    slips=[
        Slip(
            _over(lambda a, b: a * b),
            "The biases are missing: each layer has one for each of its outputs.",
            _BIAS,
        ),
        Slip(_over(lambda a, b: b), "Those are the biases alone: the weights are missing.", _BIAS),
        Slip(
            _over(lambda a, b: a * b + 1),
            "You count one bias for a layer: each of its outputs has its own.",
            _BIAS,
        ),
        Slip(
            _over(lambda a, b: a * b + a + b),
            "You count biases for a layer's inputs too: only its outputs have them.",
            _BIAS,
        ),
        Slip(
            _over(lambda a, b: a + b),
            "The two widths of a layer are added: each output has a weight for every input.",
            _BIAS,
        ),
        Slip(
            _over(lambda a, b: 2 * a * b),
            "The weights are counted twice, and no biases.",
            _BIAS,
        ),
        Slip(
            _half(_full, lambda a, b: 0),
            "That is the encoder alone: the decoder has parameters too.",
            _WIDTHS,
        ),
        Slip(_half(lambda a, b: 0, _full), "That is the decoder alone.", _WIDTHS),
        Slip(
            lambda *a: 2 * _half(_full, lambda a, b: 0)(*a),
            "It is twice the encoder: the decoder has as many weights, but not as many biases.",
            _BIAS,
        ),
        Slip(
            lambda *a: 2 * _half(lambda a, b: 0, _full)(*a),
            "It is twice the decoder: the encoder has as many weights, but not as many biases.",
            _BIAS,
        ),
        Slip(
            _half(_full, lambda a, b: b),
            "The decoder has only its biases here: it does not share the encoder's weights.",
            _WIDTHS,
        ),
        Slip(
            _half(_full, lambda a, b: a * b),
            "The decoder's biases are missing.",
            _BIAS,
        ),
        Slip(
            _half(lambda a, b: a * b, _full),
            "The encoder's biases are missing.",
            _BIAS,
        ),
        Slip(
            _plus(lambda dims, hidden, k: -k),
            "The code's biases are missing: the layer that makes the code has them as any other.",
            _BIAS,
        ),
        Slip(
            _plus(lambda dims, hidden, k: -dims),
            "The biases of the last layer, which draws the picture, are missing.",
            _BIAS,
        ),
        Slip(
            _plus(lambda dims, hidden, k: dims),
            "The picture itself gets biases: it is an input, no layer makes it.",
            _BIAS,
        ),
        Slip(
            _plus(lambda dims, hidden, k: -dims - k),
            "Only the hidden layers have biases here: the code and the picture are outputs too.",
            _BIAS,
        ),
        Slip(
            _plus(lambda dims, hidden, k: k),
            "The code's biases are counted twice.",
            _BIAS,
        ),
        Slip(
            _plus(lambda dims, hidden, k: ((hidden or [dims])[-1] + 1) * k),
            "The layer that makes the code is counted double: mean and variance belong to a VAE.",
            _WIDTHS,
        ),
        Slip(
            _over(_full, lambda dims, hidden, k: [dims, *hidden, k, *hidden, dims]),
            "The decoder's hidden layers stand in the encoder's order: they are reversed.",
            _WIDTHS,
        ),
        Slip(
            _over(_full, lambda dims, hidden, k: [dims, *hidden, *hidden[::-1], dims]),
            "The code is left out: latent_size is a width between encoder and decoder.",
            _WIDTHS,
        ),
        Slip(
            _over(_full, lambda dims, hidden, k: [dims, *hidden, k, k, *hidden[::-1], dims]),
            "There is a layer too many, from the code to itself.",
            _WIDTHS,
        ),
        Slip(
            _over(_full, lambda dims, hidden, k: [dims, *hidden, k, *hidden[::-1]]),
            "The last layer is missing, the one that draws the picture.",
            _WIDTHS,
        ),
        Slip(
            _over(_full, lambda dims, hidden, k: [*hidden, k, *hidden[::-1], dims]),
            "The first layer is missing, the one that sees the picture.",
            _WIDTHS,
        ),
        Slip(
            _over(_full, lambda dims, hidden, k: [*hidden, k, *hidden[::-1]]),
            "The first and the last layer are missing, those with the picture.",
            _WIDTHS,
        ),
        Slip(
            _over(_full, lambda dims, hidden, k: [dims, k, dims]),
            "The hidden layers are left out.",
            _WIDTHS,
        ),
        Slip(
            _over(_full, lambda dims, hidden, k: [dims, *hidden[:1], k, *hidden[:1], dims]),
            "Only the first hidden layer counts: there may be any number of them.",
            _WIDTHS,
        ),
        *(
            Slip(
                _joined(lambda down, n=n: pairwise([down[0], *down[1:-1][:n], down[-1]])),
                "Only the first few hidden layers count: there may be any number of them.",
                _WIDTHS,
            )
            for n in (2, 3)
        ),
        *(Slip(wrong, _REPEATED, _WIDTHS) for wrong in _BY_VALUE),
        Slip(
            _over(_full, lambda dims, hidden, k: [dims, *hidden, k, *hidden[-2::-1], dims]),
            "Encoder and decoder do not mirror: the decoder's first hidden layer is missing.",
            _WIDTHS,
        ),
        Slip(
            _over(_full, lambda dims, hidden, k: [dims, *hidden, k, *hidden[:0:-1], dims]),
            "Encoder and decoder do not mirror: the decoder's last hidden layer is missing.",
            _WIDTHS,
        ),
        Slip(
            lambda dims, hidden, k: whole([_full(dims, [*hidden, k][0])]),
            "That is the first layer alone: does the return stand inside the loop?",
            _WIDTHS,
        ),
        Slip(
            lambda dims, hidden, k: whole([_full([k, *hidden][0 if not hidden else 1], dims)]),
            "That is the last layer alone: are the layers added up?",
            _WIDTHS,
        ),
        Slip(
            lambda dims, hidden, k: whole([sum(_widths(dims, hidden, k))]),
            "You count the units: each connection between two of them has a weight.",
            _BIAS,
        ),
    ],
)


def autoencoder_parameters(function: Function) -> None:
    """Check `autoencoder_parameters(dims, hidden, latent_size) -> int`."""
    __tracebackhide__ = True
    run_whole("autoencoder-parameters", CHECK, function)
