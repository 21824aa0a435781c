"""Check of `neighbours-bug`: the training picture nearest to each sample, mended."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.findings import CheckFailed
from coursekit.checks.parts import grey


def _differences(samples: Tensor, train: Tensor) -> Tensor:
    """Every sample minus every training picture, (B, N, D), whole numbers of any sign."""
    return samples.flatten(1).long()[:, None] - train.flatten(1).long()[None]


def _squares(samples: Tensor, train: Tensor) -> Tensor:
    return _differences(samples, train).square().sum(dim=2)


def _right(samples: Tensor, train: Tensor) -> Tensor:
    return _squares(samples, train).argmin(dim=1).double()


def _pictures(seed: int, *shape: int, low: int = 0, high: int = 256) -> Tensor:
    """Random pictures of whole numbers from low to high - 1."""
    return (low + grey(seed, *shape) * (high - low)).to(torch.uint8)


def _shifted(seed: int, pictures: Tensor, size: int) -> Tensor:
    """The pictures with noise of up to `size`, never beyond 0 and 255."""
    noise = ((2 * grey(seed, *pictures.shape) - 1) * size).round()
    return (pictures + noise).clamp(0, 255).to(torch.uint8)


def _few_or_many() -> tuple[Tensor, Tensor]:
    """Training pictures that differ from a sample much at one pixel, or a little at all."""
    sample = _pictures(185, 2, 1, 4, 4, low=40, high=150)
    spot = sample.clone()
    spot[:, 0, 1, 2] += 90
    return sample, torch.cat([spot, sample + 7, sample - 12])


def _dark_and_bright() -> tuple[Tensor, Tensor]:
    """Samples beside a picture of half their brightness, black, white and near ones."""
    sample = _pictures(186, 3, 1, 3, 5, low=120, high=250)
    white, black = torch.full_like(sample[:1], 255), torch.zeros_like(sample[:1])
    return sample, torch.cat([white, sample // 2, black, _shifted(187, sample, 40)])


def _bright_and_alike() -> tuple[Tensor, Tensor]:
    """Bright samples, each beside pictures whose squared distances differ by little."""
    samples = _pictures(191, 3, 1, 28, 28, low=200, high=240).long()
    steps = 4 * (grey(192, 3, 7, 1, 28, 28) > 0.5).long() - 2
    for k, kept in enumerate((2, 5, 1, 4, 6, 0, 3)):
        steps[:, k].flatten(1)[:, :kept] //= 2  # so many pixels change less
    train = (samples[:, None] + steps).flatten(0, 1)
    return samples.to(torch.uint8), train.to(torch.uint8)


def _cases() -> list[Case]:
    def case(samples: Tensor, train: Tensor, title: str = "", clue: str = "") -> Case:
        return Case({"samples": samples, "train": train}, title, clue)

    many = _pictures(183, 30, 1, 4, 4)
    pixel = torch.tensor([[[[100]]], [[[50]]]], dtype=torch.uint8)
    one = torch.tensor([[[[200]]], [[[97]]], [[[53]]]], dtype=torch.uint8)
    return [
        case(pixel, one),
        case(
            _pictures(181, 4, 1, 3, 4),
            _pictures(182, 6, 1, 3, 4),
            "4 random samples and 6 training pictures of 3 x 4 pixels",
        ),
        case(
            _shifted(184, many[[7, 29, 0, 12, 25]], 30),
            many,
            "5 training pictures with a little noise, among 30",
            "The nearest picture is lighter than the sample at some pixels, darker at others.",
        ),
        case(
            _pictures(188, 5, 2, 3, 3),
            _pictures(189, 5, 2, 3, 3),
            "5 samples and 5 training pictures with 2 channels",
            "All channels count.",
        ),
        case(
            *_few_or_many(),
            "training pictures that differ at one pixel only, or a little at all",
            "Squares weigh one large difference more than many small ones.",
        ),
        case(
            *_dark_and_bright(),
            "white, black and darker copies among the training pictures",
            "Differences of up to 255 occur, and their squares must be held as well.",
        ),
        case(
            torch.cat([many[[4, 17]], _shifted(190, many[[8, 21]], 30), many[[26]]]),
            many,
            "5 samples, 3 of which are training pictures themselves",
            "A copy is the nearest picture there can be.",
        ),
        case(
            *_bright_and_alike(),
            "bright pictures of 28 x 28 pixels that are nearly the same",
            "These distances are small beside the pictures' own squares, and close together: a "
            "type with few digits, or a product multiplied out, loses what tells them apart.",
        ),
    ]


def _by(distances: Function, largest: bool = False) -> Function:
    """The index of the picture with the smallest, or largest, of some distances (B, N)."""

    def wrong(samples: Tensor, train: Tensor) -> Tensor:
        apart: Tensor = distances(samples, train)
        return apart.argmax(dim=1) if largest else apart.argmin(dim=1)

    return wrong


def _wrapped(samples: Tensor, train: Tensor) -> Tensor:
    """Differences of bytes, which are bytes again."""
    return samples.flatten(1)[:, None] - train.flatten(1)[None]


def _rounded(samples: Tensor, train: Tensor, kind: torch.dtype, unit: int) -> Tensor:
    """Squared distances in a type of few digits, with grey values in some unit."""
    mine, other = (pictures.flatten(1).to(kind) / unit for pictures in (samples, train))
    return (mine[:, None] - other[None]).square().sum(dim=2)


def _multiplied_out(samples: Tensor, train: Tensor) -> Tensor:
    """Squared distances from products, in single precision."""
    mine, other = samples.flatten(1).float(), train.flatten(1).float()
    own, others = mine.square().sum(dim=1)[:, None], other.square().sum(dim=1)
    return own + others - 2 * mine @ other.T


def _floats(pictures: Tensor) -> Tensor:
    return pictures.flatten(1).double()


_BYTES = "What is 3 - 5 in uint8? Try it in a cell: torch.tensor(3, dtype=torch.uint8) - 5."
_NEAREST = "Has the nearest picture the smallest or the largest distance?"
_DIGITS = "How many digits has the largest number on the way, and how many does your type hold?"
_DISTANCE = "Write down the squared distance of two pictures of two pixels, and compare."

CHECK = Check(
    reference=_right,
    cases=_cases,
    shape="(B,), of type torch.int64",
    look=f"{_DIGITS} {_NEAREST}",
    slips=[
        *(
            Slip(
                _by(distances, largest=True),
                "That is still the published code: both slips are in it, one in the differences, "
                "one in which distance is chosen.",
                f"{_BYTES} {_NEAREST}",
            )
            for distances in (
                lambda s, t: _wrapped(s, t).double().square().sum(dim=2),
                lambda s, t: _wrapped(s, t).square().sum(dim=2),
            )
        ),
        *(
            Slip(
                _by(distances),
                "The smallest distance is chosen now; differences, or their squares, are still of "
                "type uint8, where there is nothing below 0 and numbers wrap around at 256.",
                _BYTES,
            )
            for distances in (
                lambda s, t: _wrapped(s, t).double().square().sum(dim=2),
                lambda s, t: _wrapped(s, t).square().sum(dim=2),
                lambda s, t: _wrapped(s, t).sum(dim=2),
            )
        ),
        Slip(
            _by(_squares, largest=True),
            "The differences are right now; the picture with the LARGEST distance is chosen.",
            _NEAREST,
        ),
        Slip(
            _by(lambda s, t: _differences(s, t).to(torch.int8).long().square().sum(dim=2)),
            "int8 ends at 127: differences of up to 255 must fit.",
            _DIGITS,
        ),
        Slip(
            _by(lambda s, t: _differences(s, t).to(torch.int16).square().sum(dim=2)),
            "int16 holds the differences, not their squares: it ends at 32767.",
            _DIGITS,
        ),
        Slip(
            _by(lambda s, t: _differences(s, t).abs().sum(dim=2)),
            "The distances are sums of absolute differences: squared ones were asked, and they "
            "choose other pictures.",
            _DISTANCE,
        ),
        Slip(
            _by(lambda s, t: _differences(s, t).abs().amax(dim=2)),
            "The distance is the largest difference alone: all pixels count.",
            _DISTANCE,
        ),
        Slip(
            _by(lambda s, t: _differences(s, t).sum(dim=2).square()),
            "The differences are summed before they are squared: those of different signs cancel.",
            _DISTANCE,
        ),
        *(
            Slip(
                _by(lambda s, t, m=made: m(_differences(s, t).sum(dim=2))),
                "Differences of different signs cancel: each is to be squared first.",
                _DISTANCE,
            )
            for made in (torch.abs, torch.clone)
        ),
        Slip(
            _by(
                lambda s, t: torch.cosine_similarity(_floats(s)[:, None], _floats(t)[None], dim=2),
                largest=True,
            ),
            "You choose the most similar direction: a picture of half the brightness is not the "
            "same picture.",
            _DISTANCE,
        ),
        Slip(
            _by(lambda s, t: _floats(s) @ _floats(t).T, largest=True),
            "You choose the largest inner product: that favours bright pictures.",
            _DISTANCE,
        ),
        Slip(
            _by(lambda s, t: (_differences(s, t) != 0).sum(dim=2)),
            "You count the pixels that differ: by how much they differ matters.",
            _DISTANCE,
        ),
        *(
            Slip(
                _by(
                    lambda s, t, k=level: ((s.flatten(1)[:, None] > k) != (t.flatten(1) > k)).sum(2)
                ),
                "The pictures are made binary first: their grey values matter.",
                _DISTANCE,
            )
            for level in (127, 128)
        ),
        Slip(
            _by(lambda s, t: _squares(s[:, :1], t[:, :1])),
            "Only the first channel is compared: all of them count.",
            _DISTANCE,
        ),
        Slip(
            _by(lambda s, t: _squares(s.flatten(1)[:, :1], t.flatten(1)[:, :1])),
            "Only the first pixel is compared: all of them count.",
            _DISTANCE,
        ),
        Slip(
            lambda s, t: _right(s, t) + 1,
            "The pictures are counted from 1: the first one is number 0.",
            "With which number does train give its first picture?",
        ),
        Slip(
            lambda s, t: _right(t, s),
            "That is the nearest sample for each training picture: the other way round was asked.",
            "How many numbers should come back: as many as samples, or as training pictures?",
        ),
        Slip(
            lambda s, t: _squares(s, t).argmin().expand(len(s)),
            "One number is found for all samples together: the smallest in each row was asked.",
            "Along which axis of the distances do the training pictures lie?",
        ),
        Slip(
            _by(lambda s, t: _squares(s, t).double().where(_squares(s, t) > 0, torch.inf)),
            "A copy at distance 0 is the nearest: you skip it.",
            _NEAREST,
        ),
        Slip(
            lambda s, t: _squares(s, t).argsort(dim=1)[:, 1],
            "That is the second nearest: no picture is to be stepped over.",
            _NEAREST,
        ),
        Slip(
            _by(lambda s, t: _differences(s, t).to(torch.int16).square().sum(2).to(torch.int16)),
            "int16 holds the differences, not their squares nor the sum: it ends at 32767.",
            _DIGITS,
        ),
        Slip(
            _by(lambda s, t: _differences(s, t).clamp(min=0).square().sum(dim=2)),
            "Differences below 0 are cut off: a picture that is darker is as far away as one that "
            "is as much brighter.",
            _DISTANCE,
        ),
        *(
            Slip(
                _by(lambda s, t, k=kind, u=unit: _rounded(s, t, k, u)),
                "The type has too few digits: pictures at different distances come out alike, or "
                "beyond its largest number.",
                _DIGITS,
            )
            for kind in (torch.bfloat16, torch.float16)
            for unit in (1, 255)
        ),
        Slip(
            _by(_multiplied_out),
            "The square is multiplied out in single precision: that is a small difference of "
            "large numbers, and its last digits are lost. Subtract before you square.",
            _DIGITS,
        ),
        Slip(
            lambda s, t: torch.arange(len(s)) % len(t),
            "Sample number b gets training picture number b: all of them are to be compared.",
            "Which shapes must samples and train have for all pairs to meet?",
        ),
        Slip(
            lambda s, t: _right(s, t)[:1].expand(len(s)),
            "Every sample gets the first one's neighbour: each has its own.",
            "Along which axis of the distances do the training pictures lie?",
        ),
    ],
)


def _as_numbers(function: Function) -> Function:
    """The function with its whole numbers made comparable; other types are named as they are."""

    def wrapped(*pictures: Tensor) -> Any:
        value = function(*pictures)
        if type(value) is not Tensor:
            return value
        if value.dtype == torch.int64:
            return value.double()
        return type(f"Tensor of {value.dtype}", (), {})()

    return wrapped if callable(function) else function


def neighbours_bug(function: Function) -> None:
    """Check `nearest_training(samples, train) -> (B,)`, whole numbers of type int64."""
    __tracebackhide__ = True
    try:
        run("neighbours-bug", (CHECK, _as_numbers(function)))
    except CheckFailed as failed:
        found = r"((?:you return|the right value is|It is) -?\d+)\.0\b"
        raise CheckFailed(re.sub(found, r"\1", str(failed))) from None
