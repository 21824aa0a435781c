"""Check of `reconstruction-error`: how far a picture comes back from itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Inputs, Slip, run
from coursekit.checks.parts import batch_slips, grey, normal

Network = Callable[[Tensor], Tensor]

ENCODER, DECODER = "the encoder", "the decoder"


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a linear encoder and decoder from the weights among the inputs."""

    def encode(pictures: Tensor) -> Tensor:
        return torch.einsum("bchw,chwk->bk", pictures, inputs[ENCODER])

    def decode(codes: Tensor) -> Tensor:
        return torch.einsum("bk,kchw->bchw", codes, inputs[DECODER])

    return inputs["x"], encode, decode


def _error(x: Tensor, encode: Network, decode: Network) -> Tensor:
    apart = x.flatten(1) - decode(encode(x)).flatten(1)
    return torch.einsum("bd,bd->b", apart, apart) / apart.shape[1]


def _case(
    title: str, seed: int, x: Tensor, latents: int, clue: str = "", codes: float = 1.0
) -> Case:
    to_code, to_picture = normal(seed, (*x.shape[1:], latents), (latents, *x.shape[1:]))
    to_code = (codes * to_code / x[0].numel() ** 0.5).to(x.dtype)
    return Case({"x": x, ENCODER: to_code, DECODER: to_picture.to(x.dtype)}, title, clue)


def _cases() -> list[Case]:
    three = {
        "x": torch.tensor([[[[1.0, 0.0, 0.5]]]]),
        ENCODER: torch.tensor([[[[1.0, 0.4], [2.0, -1.0], [0.0, 0.0]]]]),
        DECODER: torch.tensor([[[[1.5, 0.0, 0.5]]], [[[0.0, 0.5, 0.0]]]]),
    }
    black = grey(24, 3, 1, 4, 4)
    black[1] = 0.0
    return [
        Case(three, "a picture [1., 0., 0.5] that comes back as [1.5, 0.2, 0.5]"),
        _case("3 pictures with 2 channels, K = 3", 23, grey(22, 3, 2, 2, 4), 3),
        _case("4 grey pictures of 3 x 3 pixels, K = 2", 21, grey(20, 4, 1, 3, 3), 2),
        _case(
            "3 pictures, the middle one black and perfectly restored",
            25,
            black,
            4,
            "An error of 0 is possible too.",
        ),
        _case("5 pictures, K = 5, in float64", 27, grey(26, 5, 1, 2, 3).double(), 5),
        _case(
            "2 pictures, some codes far beyond 10",
            29,
            grey(28, 2, 1, 2, 3),
            3,
            "A code may be any number, a large one too.",
            codes=40.0,
        ),
    ]


def _each(each: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """An error made from the pictures and their reconstructions, both (B, D)."""

    def wrong(x: Tensor, encode: Network, decode: Network) -> Tensor:
        return each(x.flatten(1), decode(encode(x)).flatten(1))

    return wrong


def _again(x: Tensor, encode: Network, decode: Network) -> Tensor:
    twice = decode(encode(decode(encode(x))))
    return (twice - x).square().flatten(1).mean(dim=1)


_AXES = "How many values has one picture, and which axes do they lie on? Only these are averaged."
_SQUARE = "Take a picture of two pixels, one too light by 1 and one too dark by 1: what is asked?"
_PATH = "Which way does a picture go: through which function first, and what comes out of each?"

CHECK = Check(
    reference=_error,
    cases=_cases,
    arguments=_arguments,
    slopes=(ENCODER, DECODER),
    look="Print the reconstruction of one small picture and work its error out by hand.",
    slips=[
        Slip(
            _each(lambda x, r: (r - x).square().mean()),
            "You averaged over the batch too, as torch's loss does by default: each picture has a "
            "number of its own.",
            _AXES,
        ),
        Slip(
            _each(lambda x, r: (r - x).square().sum()),
            "Everything is summed, over the batch too: each picture has a mean of its own.",
            _AXES,
        ),
        Slip(
            _each(lambda x, r: (r - x).square().sum(dim=1)),
            "You summed over a picture's values: a mean was asked.",
            _AXES,
        ),
        *batch_slips(_error, _AXES),
        Slip(
            lambda *a: _error(*a) / 2,
            "It is half of what it should be: no factor belongs in front.",
        ),
        Slip(
            lambda *a: 2 * _error(*a),
            "It is twice what it should be: no factor belongs in front.",
        ),
        Slip(
            _each(lambda x, r: (r - x).abs().mean(dim=1)),
            "That is the mean absolute difference: the squared one was asked.",
            _SQUARE,
        ),
        Slip(
            _each(lambda x, r: (r - x).mean(dim=1)),
            "The differences are not squared: too light and too dark cancel.",
            _SQUARE,
        ),
        Slip(
            _each(lambda x, r: (x - r).mean(dim=1)),
            "The differences are not squared: too light and too dark cancel.",
            _SQUARE,
        ),
        Slip(
            _each(lambda x, r: (r - x).mean(dim=1).square()),
            "You square the mean of the differences: the differences are squared first, or too "
            "light and too dark cancel.",
            _SQUARE,
        ),
        Slip(
            _each(lambda x, r: (r - x).square().mean(dim=1).sqrt()),
            "A root is taken: the mean of the squares themselves was asked.",
            _SQUARE,
        ),
        Slip(
            _each(lambda x, r: (r - x).norm(dim=1)),
            "That is the length of the difference: a root is taken, and a sum in place of a mean.",
            _SQUARE,
        ),
        Slip(
            _each(lambda x, r: (r.square() - x.square()).mean(dim=1)),
            "You subtract the squares: the difference is squared.",
            _SQUARE,
        ),
        Slip(
            _each(lambda x, r: (r + x).square().mean(dim=1)),
            "The picture is added to its reconstruction: a difference was asked.",
        ),
        Slip(
            _each(lambda x, r: r.square().mean(dim=1)),
            "The picture itself is not subtracted: only the reconstruction is looked at.",
        ),
        Slip(
            _each(lambda x, r: (x * r).mean(dim=1)),
            "Picture and reconstruction are multiplied: a squared difference was asked.",
        ),
        Slip(
            _each(lambda x, r: (r.clamp(0, 1) - x).square().mean(dim=1)),
            "The reconstruction is clamped: the error of what the decoder gives was asked.",
        ),
        Slip(
            _each(lambda x, r: (r.sigmoid() - x).square().mean(dim=1)),
            "A sigmoid is applied to the reconstruction: what the decoder gives is the picture.",
        ),
        Slip(
            _each(
                lambda x, r: F.binary_cross_entropy_with_logits(r, x, reduction="none").mean(dim=1)
            ),
            "That is a cross-entropy: the mean squared difference was asked.",
        ),
        Slip(
            _each(lambda x, r: (r - x).square().sum(dim=1) / 784),
            "You divide by 784 always: take the number of a picture's values from the inputs.",
            _AXES,
        ),
        Slip(
            _each(lambda x, r: (r - x).square().sum(dim=1) / (x.shape[1] - 1)),
            "You divide by one less than the number of values: nothing is estimated here.",
            _AXES,
        ),
        Slip(
            lambda x, e, d: (d(e(x)) - x)[:, :1].square().flatten(1).mean(dim=1),
            "Only the first channel counts: a picture may have several.",
            _AXES,
        ),
        Slip(
            lambda x, e, d: (d(e(x)) - x).square().sum(dim=1).flatten(1).mean(dim=1),
            "You sum over the channels and average over the pixels only.",
            _AXES,
        ),
        Slip(
            lambda x, e, d: (d(e(x)) - x).square().flatten(1).sum(dim=1) / e(x).shape[1],
            "You divide by the size of the code: a mean over the picture's values was asked.",
            _AXES,
        ),
        Slip(
            lambda x, e, d: (d(e(x)) - x).square().flatten(1).amax(dim=1),
            "That is the largest squared difference: the mean was asked.",
            _AXES,
        ),
        *(
            Slip(
                lambda x, e, d, end=end: _error(
                    x, lambda pictures: e(pictures).clamp(-end, end), d
                ),
                "The code is clamped: it may be any numbers, and goes to the decoder as it is.",
                _PATH,
            )
            for end in (3, 4, 5, 6, 8, 10)
        ),
        Slip(_again, "The picture goes through both networks twice.", _PATH),
    ],
)


def reconstruction_error(function: Function) -> None:
    """Check `reconstruction_error(x, encode, decode) -> (B,)`."""
    __tracebackhide__ = True
    run("reconstruction-error", (CHECK, function))
