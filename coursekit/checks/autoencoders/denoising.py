"""Check of `denoising-bug`: a published error of a denoising autoencoder, mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Inputs, Slip, run
from coursekit.checks.parts import batch_slips, grey, normal

Network = Callable[[Tensor], Tensor]

NETWORK = "the network"


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a linear network from the weights among the inputs."""

    def reconstruct(pictures: Tensor) -> Tensor:
        return torch.einsum("bchw,chwijk->bijk", pictures, inputs[NETWORK])

    return inputs["x"], inputs["noise"], inputs["sigma"], reconstruct


def _clip(x: Tensor) -> Tensor:
    return x.clamp(0, 1)


def _keep(x: Tensor) -> Tensor:
    return x


def _with(
    scale: Callable[[float], float] = float,
    clip: Callable[[Tensor], Tensor] = _clip,
    target: Callable[[Tensor, Tensor], Tensor] = lambda x, seen: x,
    out: Callable[[Tensor], Tensor] = _keep,
    reduce: Callable[[Tensor], Tensor] = lambda d: d.square().flatten(1).mean(dim=1),
) -> Function:
    """The error with its parts exchanged; `target` is made from the clean and the noisy picture."""

    def error(x: Tensor, noise: Tensor, sigma: float, reconstruct: Network) -> Tensor:
        seen = clip(x + scale(sigma) * noise)
        return reduce(out(reconstruct(seen)) - target(x, seen))

    return error


def _right(x: Tensor, noise: Tensor, sigma: float, reconstruct: Network) -> Tensor:
    seen = torch.minimum(torch.maximum(x + sigma * noise, torch.zeros_like(x)), torch.ones_like(x))
    apart = (reconstruct(seen) - x).flatten(1)
    return torch.einsum("bd,bd->b", apart, apart) / apart.shape[1]


def _case(title: str, seed: int, x: Tensor, sigma: float) -> Case:
    shape = tuple(x.shape[1:])
    noise, weights = normal(seed, x.shape, (*shape, *shape), dtype=x.dtype)
    weights /= x[0].numel() ** 0.5
    return Case({"x": x, "noise": noise, "sigma": sigma, NETWORK: weights}, title)


def _cases() -> list[Case]:
    copier = {
        "x": torch.full((1, 1, 1, 1), 0.5),
        "noise": torch.ones(1, 1, 1, 1),
        "sigma": 0.2,
        NETWORK: torch.ones(1, 1, 1, 1, 1, 1),
    }
    rare = {**copier, "x": torch.full((2, 1, 1, 1), 0.5), "sigma": 0.1}
    rare["noise"] = torch.tensor([4.0, -4.0]).view(2, 1, 1, 1)
    black = torch.zeros(3, 1, 3, 4)
    black[1] = 1.0
    return [
        Case(copier, "one pixel of 0.5, noise of 1, sigma = 0.2, a network that copies"),
        _case("3 pictures with 2 channels, sigma = 0.3", 33, grey(32, 3, 2, 2, 4), 0.3),
        _case("4 grey pictures of 3 x 3 pixels, sigma = 0.5", 31, grey(30, 4, 1, 3, 3), 0.5),
        _case("a black, a white and a black picture, sigma = 0.4", 35, black, 0.4),
        _case("5 pictures in float64, sigma = 2", 37, grey(36, 5, 1, 2, 3).double(), 2.0),
        Case(
            rare,
            "two pixels of 0.5, noise of 4 and of -4, sigma = 0.1, a network that copies",
            "A draw from N(0, 1) may be as large as that, and is used as it is.",
        ),
    ]


def _noisy(x: Tensor, seen: Tensor) -> Tensor:
    return seen


_NOISE = (
    "What is the spread of sigma times a draw from N(0, 1), and what is sigma by the docstring?"
)
_CLIP = "Which numbers can a picture hold, and which can a picture with noise added hold?"
_TARGET = "What would a network learn that is praised for giving back what it sees?"
_MEAN = "How many values has one picture? Only these are averaged."

# Which of the slips of the published version are left: the scale, the clipping, the target.
_LEFT: list[tuple[bool, bool, bool, str, str]] = [
    (
        True,
        True,
        True,
        "That is still the published error: the noise's size, the range of the noisy picture and "
        "what the answer is compared with are all wrong.",
        _TARGET,
    ),
    (
        True,
        True,
        False,
        "The noise has the wrong size, and the noisy picture is not clipped.",
        _CLIP,
    ),
    (
        True,
        False,
        True,
        "The noise has the wrong size, and the answer is compared with the noisy picture.",
        _NOISE,
    ),
    (
        False,
        True,
        True,
        "The noisy picture is not clipped, and the answer is compared with it, not with the clean "
        "one.",
        _TARGET,
    ),
    (
        True,
        False,
        False,
        "The noise has the wrong size: it is multiplied by the variance. One slip is left.",
        _NOISE,
    ),
    (
        False,
        True,
        False,
        "The noisy picture leaves the range of grey values: it is not clipped. One slip is left.",
        _CLIP,
    ),
    (
        False,
        False,
        True,
        "The answer is compared with the noisy picture, not with the clean one. One slip is left.",
        _TARGET,
    ),
]

CHECK = Check(
    reference=_right,
    cases=_cases,
    arguments=_arguments,
    slopes=(NETWORK,),
    look="Three lines, three slips: print what each line makes of one black pixel.",
    slips=[
        *(
            Slip(
                _with(
                    scale=(lambda s: s**2) if size else float,
                    clip=_keep if range_ else _clip,
                    target=_noisy if target else (lambda x, seen: x),
                ),
                what,
                look,
            )
            for size, range_, target, what, look in _LEFT
        ),
        Slip(
            _with(scale=lambda s: s**0.5),
            "The noise is multiplied by a root: sigma is a standard deviation already.",
            _NOISE,
        ),
        Slip(
            _with(scale=lambda s: 1.0),
            "The noise is not multiplied by sigma.",
            _NOISE,
        ),
        Slip(
            _with(scale=lambda s: -s),
            "The noise is subtracted: its distribution is the same, but here it is given, and is "
            "added.",
            _NOISE,
        ),
        Slip(
            _with(scale=lambda s: 0.0),
            "The network sees the clean picture: the noise is not used.",
            _NOISE,
        ),
        Slip(
            lambda x, noise, sigma, f: (f(_clip(sigma * noise)) - x).square().flatten(1).mean(1),
            "The network sees the noise alone: it is added to the picture.",
            _NOISE,
        ),
        Slip(
            lambda x, n, s, f: (f(x + _clip(s * n)) - x).square().flatten(1).mean(1),
            "The noise is clipped, not the noisy picture: half of the noise is lost.",
            _CLIP,
        ),
        *(
            Slip(
                lambda x, noise, sigma, f, end=end: _right(x, noise.clamp(-end, end), sigma, f),
                "The draws are clipped before they are added: only the noisy picture is.",
                _CLIP,
            )
            for end in (2, 2.5, 3)
        ),
        Slip(
            _with(clip=_keep, out=_clip),
            "The network's answer is clipped: the picture that it sees was to be.",
            _CLIP,
        ),
        Slip(
            _with(out=_clip),
            "The network's answer is clipped too: only the picture that it sees is.",
            _CLIP,
        ),
        Slip(
            _with(clip=lambda x: x.clamp(min=0)),
            "It is clipped below only: a grey value is at most 1.",
            _CLIP,
        ),
        Slip(
            _with(clip=lambda x: x.clamp(max=1)),
            "It is clipped above only: a grey value is at least 0.",
            _CLIP,
        ),
        Slip(
            _with(clip=lambda x: x.clamp(-1, 1)),
            "It is clipped to the range from -1 to 1: pictures lie in another one here.",
            _CLIP,
        ),
        Slip(
            _with(clip=torch.sigmoid),
            "A sigmoid is not a clip: it changes the values inside the range too.",
            _CLIP,
        ),
        Slip(
            _with(clip=torch.abs),
            "The absolute value mirrors what lies below 0, and leaves what lies above 1.",
            _CLIP,
        ),
        Slip(
            _with(
                clip=lambda x: (
                    (x - x.amin((1, 2, 3), keepdim=True))
                    / (x.amax((1, 2, 3), keepdim=True) - x.amin((1, 2, 3), keepdim=True))
                )
            ),
            "The noisy picture is stretched into the range: it was to be clipped.",
            _CLIP,
        ),
        Slip(
            lambda x, noise, sigma, f: (
                (f(_clip(x + sigma * noise)) - noise).square().flatten(1).mean(1)
            ),
            "The answer is compared with the noise: the clean picture is what it should be.",
            _TARGET,
        ),
        Slip(
            lambda x, n, s, f: (f(_clip(x + s * n)) - f(x)).square().flatten(1).mean(1),
            "The answer is compared with the network's answer to the clean picture.",
            _TARGET,
        ),
        Slip(
            lambda x, n, s, f: (_clip(x + s * n) - x).square().flatten(1).mean(1),
            "That is how far the noise has moved the picture: the network's answer is left out.",
            _TARGET,
        ),
        Slip(
            _with(reduce=lambda d: d.square().flatten(1).sum(1)),
            "You summed over a picture's values: a mean was asked.",
            _MEAN,
        ),
        Slip(
            _with(reduce=lambda d: d.square().mean()),
            "You averaged over the batch too: each picture has a number of its own.",
            _MEAN,
        ),
        Slip(
            _with(reduce=lambda d: d.square().sum()),
            "Everything is summed, over the batch too: each picture has a mean of its own.",
            _MEAN,
        ),
        Slip(
            _with(reduce=lambda d: d.abs().flatten(1).mean(1)),
            "That is the mean absolute difference: the squared one was asked.",
        ),
        Slip(
            _with(reduce=lambda d: d.square().flatten(1).mean(1).sqrt()),
            "A root is taken: the mean of the squares themselves was asked.",
        ),
        Slip(
            _with(reduce=lambda d: d.flatten(1).mean(1)),
            "The differences are not squared: too light and too dark cancel.",
        ),
        Slip(
            _with(reduce=lambda d: d.square().flatten(1).sum(1) / 784),
            "You divide by 784 always: take the number of a picture's values from the inputs.",
            _MEAN,
        ),
        Slip(
            _with(reduce=lambda d: d[:, :1].square().flatten(1).mean(1)),
            "Only the first channel counts: a picture may have several.",
            _MEAN,
        ),
        Slip(
            _with(reduce=lambda d: d.square().sum(1).flatten(1).mean(1)),
            "You sum over the channels and average over the pixels only.",
            _MEAN,
        ),
        Slip(
            lambda x, noise, sigma, f: _right(x, noise[:1].expand(x.shape), sigma, f),
            "Every picture gets the first one's noise: each has a draw of its own.",
            _NOISE,
        ),
        *batch_slips(_right, _MEAN),
    ],
)


def denoising_bug(function: Function) -> None:
    """Check `denoising_error(x, noise, sigma, reconstruct) -> (B,)`."""
    __tracebackhide__ = True
    run("denoising-bug", (CHECK, function))
