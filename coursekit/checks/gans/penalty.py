"""Check of `gradient-penalty`: how far a critic's steepness is from 1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip
from coursekit.checks.findings import Finding
from coursekit.checks.gans.critic import FIRST, LINE, SECOND, WEIGHTS, Critic, arguments
from coursekit.checks.inference.calls import Call, run_looked
from coursekit.checks.parts import batch_slips, grey, normal


def _wide(mix: Tensor, like: Tensor) -> Tensor:
    return mix.view(-1, *[1] * (like.dim() - 1)).expand_as(like)


def _between(real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    return torch.lerp(fake, real, _wide(mix, real))


def _length(slope: Tensor, real: Tensor) -> Tensor:
    return torch.einsum("bd,bd->b", slope, slope).sqrt()


def _square(length: Tensor) -> Tensor:
    return (length - 1).square()


def _with(
    place: Callable[[Tensor, Tensor, Tensor], Tensor] = _between,
    length: Callable[[Tensor, Tensor], Tensor] = _length,
    cost: Callable[[Tensor], Tensor] = _square,
    change: Callable[[Tensor], Tensor] = lambda slope: slope,
) -> Function:
    """The penalty with a part exchanged.

    Args:
        place: where the gradient is taken, from real, fake and mix.
        length: from the gradients (B, D) and the real pictures, whose shape is known.
        cost: from the length.
        change: what becomes of the gradients before.
    """

    def penalty(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        return cost(length(change(critic.slope(place(real, fake, mix))), real))

    return penalty


_right = _with()


def _case(
    title: str,
    seed: int,
    *size: int,
    dtype: torch.dtype = torch.float32,
    steep: float = 1.0,
    clue: str = "",
) -> Case:
    dims, hidden = int(torch.tensor(size[1:]).prod()), 3
    real, fake, first, second, line = normal(
        seed, size, size, (dims, hidden), (hidden,), (dims,), dtype=dtype
    )
    mix = grey(seed + 1, size[0], dtype=dtype)
    inputs = {"real": real, "fake": fake, "mix": mix, FIRST: first / dims**0.5}
    return Case({**inputs, SECOND: steep * second, LINE: 0.5 * steep * line}, title, clue)


def _cases() -> list[Case]:
    plain = {
        "real": torch.tensor([[0.5, 1.0]]),
        "fake": torch.tensor([[-1.0, 2.0]]),
        "mix": torch.tensor([0.25]),
        FIRST: torch.zeros(2, 3),
        SECOND: torch.ones(3),
        LINE: torch.tensor([3.0, 4.0]),
    }
    shapes = "Each pair has one mix for all of its values, whatever shape a picture has."
    values = "The length runs over all values of a picture: channels, rows and columns."
    return [
        Case(plain, "a critic that adds 3 times the first value and 4 times the second"),
        _case("5 pictures with 2 channels of 3 x 4 pixels", 741, 5, 2, 3, 4, clue=values),
        _case("4 pictures of 4 x 4 pixels", 743, 4, 1, 4, 4, clue=shapes),
        _case("2 points of the plane", 745, 2, 2, steep=1.5, clue=shapes),
        _case(
            "3 pictures with 3 channels of 2 x 3 pixels, in float64",
            747,
            3,
            3,
            2,
            3,
            dtype=torch.float64,
            clue=shapes,
        ),
        _case(
            "6 pictures of 2 x 2 pixels and a critic that is nearly flat",
            749,
            6,
            1,
            2,
            2,
            steep=0.15,
            clue="A critic that is too flat costs as well: see step 4.",
        ),
    ]


_WHERE = "Look at step 1 above: at which point is the gradient taken, and whose share is mix?"
_SLOPE = "Look at step 2 above: the gradient of what, with respect to what?"
_LENGTH = "Look at step 3 above: over which axes does the length run, and what makes it a length?"
_COST = "Look at step 4 above: what is squared, and what is subtracted before?"
_RECORD = "Look at step 5 above: what has to be recorded, and what may stay behind?"

_PLACES: list[tuple[Callable[[Tensor, Tensor, Tensor], Tensor], str]] = [
    (
        lambda r, f, m: _between(f, r, m),
        "The shares are exchanged: mix is the real picture's.",
    ),
    (lambda r, f, m: r, "The gradient is taken at the real pictures: mix is not used."),
    (lambda r, f, m: f, "The gradient is taken at the generated pictures: mix is not used."),
    (
        lambda r, f, m: (r + f) / 2,
        "The gradient is taken half way always: mix says where.",
    ),
    (
        lambda r, f, m: _between(r, f, m[:1].expand_as(m)),
        "Every pair gets the first one's mix: each has its own.",
    ),
    (
        lambda r, f, m: _between(r, f, m.mean().expand_as(m)),
        "The mixes are averaged: each pair has its own.",
    ),
    (
        lambda r, f, m: _between(r, f, m.flip(0)),
        "The mixes are used in the reverse order.",
    ),
    (
        lambda r, f, m: m * r + (1 - m) * f,
        "mix is laid along the last axis: it belongs along the first, a number for each pair.",
    ),
    (lambda r, f, m: r + f, "Real and generated pictures are added without their shares."),
    (
        lambda r, f, m: _wide(m, r) * r + f,
        "The generated picture's share is missing: the two shares sum to 1.",
    ),
    (
        lambda r, f, m: r + _wide(m, r) * f,
        "The real picture's share is missing, and mix stands at the other.",
    ),
    (
        lambda r, f, m: r + _wide(m, r) * (r - f),
        "The point lies beyond the real picture: it was to be between the two.",
    ),
    (
        lambda r, f, m: f + _wide(m, r) * (f - r),
        "The point lies beyond the generated picture: it was to be between the two.",
    ),
    (
        lambda r, f, m: _between(r, f, m.round()),
        "Each pair gives its real or its generated picture: a mixture was asked.",
    ),
    (
        lambda r, f, m: torch.sqrt(_wide(m, r)) * r + torch.sqrt(1 - _wide(m, r)) * f,
        "The shares are roots: the straight line was asked.",
    ),
    (lambda r, f, m: r - f, "The gradient is taken at the difference of the two pictures."),
    (
        lambda r, f, m: _between(r.flip(0), f, m),
        "The pairs are mixed up: real picture and generated one of the same row belong together.",
    ),
    (lambda r, f, m: 0 * r, "The gradient is taken at 0."),
]


_LENGTHS: list[tuple[Callable[[Tensor, Tensor], Tensor], str]] = [
    (lambda s, r: s.square().sum(dim=1), "The root is missing: that is the length squared."),
    (lambda s, r: s.abs().sum(dim=1), "The sizes are summed: a length is the root of squares."),
    (lambda s, r: s.abs().amax(dim=1), "The largest value is taken: a length was asked."),
    (lambda s, r: s.sum(dim=1), "The values are summed: a length is the root of squares."),
    (lambda s, r: s.mean(dim=1), "The values are averaged: a length is the root of squares."),
    (
        lambda s, r: s.square().mean(dim=1).sqrt(),
        "The squares are averaged: a length is the root of their sum.",
    ),
    (
        lambda s, r: s.square().mean(dim=1),
        "The squares are averaged and no root is taken: a length is the root of their sum.",
    ),
    (
        lambda s, r: s.square().sum().sqrt().expand(len(s)),
        "The length runs over the whole batch: each picture has its own.",
    ),
    (lambda s, r: s.norm(dim=1).mean().expand(len(s)), "The lengths are averaged over the batch."),
    (lambda s, r: s[:, 0].abs(), "Only the first value of the gradient counts."),
    (
        lambda s, r: s.view(r.shape)[:, 0].flatten(1).norm(dim=1) if r.dim() > 2 else s.norm(dim=1),
        "Only the first channel counts: a picture may have several.",
    ),
    (lambda s, r: s.norm(dim=0)[: len(s)], "The length runs along the batch's axis."),
    (lambda s, r: s.std(dim=1), "That is the values' spread: a length was asked."),
]
_COSTS: list[tuple[Callable[[Tensor], Tensor], str]] = [
    (lambda n: n - 1, "The square is missing."),
    (lambda n: (n - 1).abs(), "The distance from 1 is not squared."),
    (torch.square, "The length is squared as it is: its distance from 1 was to be."),
    (lambda n: n, "That is the length itself: its distance from 1, squared, was asked."),
    (lambda n: n.square() - 1, "1 is subtracted after the square: before it was asked."),
    (
        lambda n: (n - 1).clamp(min=0).square(),
        "Too flat costs nothing here: it costs as well as too steep.",
    ),
    (
        lambda n: (1 - n).clamp(min=0).square(),
        "Too steep costs nothing here: it costs as well as too flat.",
    ),
    (lambda n: 10 * _square(n), "It is multiplied by 10: no factor was asked."),
    (lambda n: _square(n) / 2, "It is halved: no factor was asked."),
    (lambda n: (n + 1).square(), "1 is added: the distance from 1 was asked."),
    (lambda n: -_square(n), "It has the wrong sign: a penalty is what costs."),
    (lambda n: n.log().square(), "The distance is taken in logs: length minus 1 was asked."),
    (lambda n: (n.mean() - 1).square().expand_as(n), "The lengths are averaged over the batch."),
]


def _secant(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    apart = (real - fake).flatten(1).norm(dim=1)
    return _square((critic(real) - critic(fake)).abs() / apart)


def _through_sigmoid(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    between = _between(real, fake, mix)
    share = torch.sigmoid(critic(between))
    return _square(_length((share * (1 - share))[:, None] * critic.slope(between), real))


def _mixed_slopes(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    return _square(_length(torch.lerp(critic.slope(fake), critic.slope(real), mix[:, None]), real))


def _over_channels(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    slope = critic.slope(_between(real, fake, mix)).view(real.shape)
    return _square(slope.norm(dim=1)).view(len(real), -1).mean(dim=1)


CHECK = Check(
    reference=_right,
    cases=_cases,
    arguments=arguments,
    slopes=WEIGHTS,
    look="Go through steps 1 to 5 above: where, the gradient of what, its length, and its cost.",
    slips=[
        *(Slip(_with(place=place), what, _WHERE) for place, what in _PLACES),
        *(Slip(_with(length=length), what, _LENGTH) for length, what in _LENGTHS),
        Slip(
            _over_channels,
            "The length runs over the channels alone, and the pixels' penalties are averaged.",
            _LENGTH,
        ),
        *(Slip(_with(cost=cost), what, _COST) for cost, what in _COSTS),
        Slip(
            _with(change=lambda s: s / len(s)),
            "The gradient is that of the mean of all answers: each picture's own is smaller by "
            "the size of the batch.",
            _SLOPE,
        ),
        Slip(
            lambda critic, real, fake, mix: _square(
                _length(_wide(mix, real).flatten(1) * critic.slope(_between(real, fake, mix)), real)
            ),
            "The gradient is taken with respect to the real picture: that to the point between "
            "was asked.",
            _SLOPE,
        ),
        Slip(
            lambda critic, real, fake, mix: _square(
                _length(
                    (1 - _wide(mix, real).flatten(1)) * critic.slope(_between(real, fake, mix)),
                    real,
                )
            ),
            "The gradient is taken with respect to the generated picture: that to the point "
            "between was asked.",
            _SLOPE,
        ),
        Slip(
            lambda critic, real, fake, mix: _square(
                (critic.slope(_between(real, fake, mix)) * (real - fake).flatten(1)).sum(dim=1)
            ),
            "The gradient is taken with respect to mix: that to the picture's values was asked.",
            _SLOPE,
        ),
        Slip(
            _secant,
            "That is the steepness of the straight line from one picture to the other: the "
            "critic's own at a point between was asked.",
            _SLOPE,
        ),
        Slip(
            _through_sigmoid,
            "A sigmoid is taken of the answers: a critic's answers are any numbers.",
            _SLOPE,
        ),
        Slip(
            _mixed_slopes,
            "The gradients at both ends are mixed: the gradient at the mixture was asked.",
            _WHERE,
        ),
        Slip(
            lambda critic, real, fake, mix: _square(critic(_between(real, fake, mix))),
            "The critic's answer is used in place of the length of its gradient.",
            _SLOPE,
        ),
        *batch_slips(_right, "Each pair has a penalty of its own: what do you reduce?"),
    ],
)


def _look(call: Call) -> None:
    """Raise a `Finding` where a call leaves something behind on the critic or the pictures."""
    critic = call.arguments[0]
    for weights in (critic.first, critic.second, critic.line):
        # weights are a leaf times 1: the leaf stands where the critic's parameters would
        if weights.grad_fn.next_functions[0][0].variable.grad is not None:
            raise Finding(
                f"{call.place}a gradient is left on the critic's weights: the next step would use "
                "it. Ask for the gradient with respect to the pictures alone.",
                _RECORD,
            )
    for name, value in zip(("real", "fake", "mix"), call.arguments[1:], strict=True):
        if value.requires_grad:
            raise Finding(
                f"{call.place}your function leaves requires_grad switched on at its input {name}: "
                "whoever called it did not ask for that.",
                _RECORD,
            )


def gradient_penalty(function: Function) -> None:
    """Check `gradient_penalty(critic, real, fake, mix) -> (B,)`."""
    __tracebackhide__ = True
    run_looked("gradient-penalty", CHECK, function, [_look])
