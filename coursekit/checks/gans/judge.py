"""Check of `discriminator-loss`: two means of logarithms, from logits."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.gans.single import as_row, looked, number
from coursekit.checks.parts import normal

Cost = Callable[[Tensor], Tensor]
SMALL = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-20)


def _cost(wrong: Tensor) -> Tensor:
    """What an answer costs, by the logit of the wrong one."""
    return torch.logaddexp(wrong, torch.zeros_like(wrong))


def _right(real: Tensor, fake: Tensor) -> Tensor:
    ones, zeros = real.new_ones(1, len(real)), fake.new_ones(1, len(fake))
    return (ones @ _cost(-real)) / len(real) + (zeros @ _cost(fake)) / len(fake)


def _cases() -> list[Case]:
    def case(real: Tensor, fake: Tensor, title: str = "", clue: str = "") -> Case:
        return Case({"real": real, "fake": fake}, title, clue)

    tensor = torch.tensor
    a, b = normal(721, (5,), (3,))
    c, d = normal(722, (2,), (6,), dtype=torch.float64)
    e, f = normal(723, (4,), (4,))
    sizes = "The two batches differ in size: each is averaged by itself, as in steps 1 and 2."
    very = "D is exactly 0 or 1 there in floating point; its logarithm is asked all the same."
    return [
        case(tensor([2.0]), tensor([-1.0, 1.0])),
        case(2 * a, 2 * b - 1, "5 real and 3 generated logits", sizes),
        case(c + 1, 2 * d, "2 real and 6 generated logits, in float64", sizes),
        case(2 * e, 2 * f, "4 real and 4 generated logits"),
        case(
            tensor([-30.0, 40.0, 18.0]),
            tensor([25.0, -50.0]),
            "logits from -50 to 40",
            "From a logit of 17 on, D is 1 in single precision, and 1 - D is 0: see step 4.",
        ),
        case(
            tensor([-1000.0, 900.0]),
            tensor([700.0, -1000.0, 5.0, 250.0]),
            "logits from -1000 to 900",
            very,
        ),
        case(
            tensor([-800.0], dtype=torch.float64),
            tensor([1000.0, 3.0], dtype=torch.float64),
            "logits from -800 to 1000, in float64",
            very,
        ),
    ]


def _of(of_real: Cost, of_fake: Cost) -> Function:
    """The sum of two means, of what real and what generated logits cost."""
    return lambda real, fake: (of_real(real).mean() + of_fake(fake).mean())[None]


def _real_cost(real: Tensor) -> Tensor:
    return softplus(-real)


def _fake_cost(fake: Tensor) -> Tensor:
    return softplus(fake)


def _joined(join: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """Something else made of the two columns of costs."""
    return lambda real, fake: join(_real_cost(real), _fake_cost(fake)).reshape(1)


def _by_logs(log: Cost) -> Function:
    """Logarithms of probabilities."""
    return _of(lambda a: -log(torch.sigmoid(a)), lambda a: -log(1 - torch.sigmoid(a)))


def _by_exponentials(log_of_one_more: Cost) -> Function:
    return _of(lambda a: log_of_one_more((-a).exp()), lambda a: log_of_one_more(a.exp()))


def _with_constant(small: float) -> Function:
    return _by_logs(lambda p: (p + small).log())


def _kept_away(small: float) -> Function:
    return _by_logs(lambda p: p.clamp(small, 1 - small).log())


def _cut_off(at: float) -> Function:
    return _of(lambda a: softplus(-a.clamp(-at, at)), lambda a: softplus(a.clamp(-at, at)))


_WHICH = "Look at steps 1 and 2 above: which answer is right for which batch, and what costs it?"
_JOIN = "Look at step 3 above: over which pictures does each mean run, and how are they joined?"
_ALIVE = "Look at step 4 above: what is D at a logit of 50, and what its logarithm?"
_SURE = "With ordinary logits it is right; where the discriminator is sure, D is rounded to 0 or 1"
_BEYOND = (
    "With logits below some hundred it is right; beyond that an exponential overflows, or a "
    "probability is 0 whose logarithm is taken."
)
_HIDDEN = (
    f"{_SURE}: a small constant, or keeping it away from the ends, hides that and gives a wrong "
    "number."
)

_COSTS: list[tuple[Cost, Cost, str]] = [
    (
        softplus,
        lambda a: softplus(-a),
        "The two batches are exchanged: real pictures are to be called real.",
    ),
    (
        lambda a: -softplus(-a),
        lambda a: -softplus(a),
        "The sign is wrong: that is the value function, which the discriminator makes large.",
    ),
    (
        _real_cost,
        lambda a: softplus(-a),
        "Generated pictures are to be called real as well: the other answer is right for them.",
    ),
    (
        softplus,
        softplus,
        "Real pictures are to be called generated as well: the other answer is right for them.",
    ),
    (
        _real_cost,
        lambda a: -softplus(a),
        "The generated pictures' mean has the wrong sign.",
    ),
    (
        lambda a: -softplus(-a),
        _fake_cost,
        "The real pictures' mean has the wrong sign.",
    ),
    (
        _real_cost,
        lambda a: -softplus(-a),
        "For generated pictures the logarithm of D is added: the logarithm of 1 - D counts.",
    ),
    (_real_cost, torch.zeros_like, "The generated pictures do not count."),
    (torch.zeros_like, _fake_cost, "The real pictures do not count."),
    (
        lambda a: softplus(-torch.sigmoid(a)),
        lambda a: softplus(torch.sigmoid(a)),
        "The sigmoid is taken twice: the function that you use begins with one already.",
    ),
    (
        lambda a: 1 - torch.sigmoid(a),
        torch.sigmoid,
        "Those are probabilities of wrong answers: their logarithms were asked.",
    ),
    (
        lambda a: -torch.sigmoid(a),
        torch.sigmoid,
        "Those are probabilities: their logarithms were asked.",
    ),
    (
        lambda a: -a,
        lambda a: a,
        "That is the difference of the logits' means, the loss of another game.",
    ),
    (
        lambda a: (1 - a).relu(),
        lambda a: (1 + a).relu(),
        "That is the hinge loss: logarithms of probabilities were asked.",
    ),
    (
        lambda a: (1 - a).square(),
        torch.square,
        "That is the least-squares loss: logarithms of probabilities were asked.",
    ),
    (
        lambda a: (1 - torch.sigmoid(a)).square(),
        lambda a: torch.sigmoid(a).square(),
        "Those are squared distances: logarithms of probabilities were asked.",
    ),
    *(
        (
            lambda a, k=kept: k * softplus(-a) + (1 - k) * softplus(a),
            _fake_cost,
            "The real pictures' answer is smoothed: nothing of that was asked.",
        )
        for kept in (0.8, 0.9, 0.95)
    ),
    (
        lambda a: -torch.log(torch.sigmoid(a)) / math.log(2),
        lambda a: -torch.log(torch.sigmoid(-a)) / math.log(2),
        "It is in bits: nats were asked.",
    ),
]

_JOINS: list[tuple[Callable[[Tensor, Tensor], Tensor], str]] = [
    (
        lambda r, f: (r.mean() + f.mean()) / 2,
        "The two means are averaged: their sum was asked.",
    ),
    (
        lambda r, f: torch.cat([r, f]).mean(),
        "All logits are averaged together: each batch has a mean of its own.",
    ),
    (
        lambda r, f: 2 * torch.cat([r, f]).mean(),
        "All logits are averaged together: each batch has a mean of its own.",
    ),
    (lambda r, f: r.sum() + f.sum(), "You summed over the batches: means were asked."),
    (lambda r, f: r.mean() + f.sum(), "The generated pictures are summed: their mean counts."),
    (lambda r, f: r.sum() + f.mean(), "The real pictures are summed: their mean counts."),
    (
        lambda r, f: (r.sum() + f.sum()) / len(r),
        "Both sums are divided by the number of real pictures: each has a number of its own.",
    ),
    (
        lambda r, f: (r.sum() + f.sum()) / len(f),
        "Both sums are divided by the number of generated pictures: each has its own.",
    ),
    (lambda r, f: r[0] + f[0], "Only the first picture of each batch counts."),
    (lambda r, f: torch.maximum(r.mean(), f.mean()), "The larger of the two means is taken."),
    (lambda r, f: r.mean() * f.mean(), "The two means are multiplied: their sum was asked."),
    (
        lambda r, f: r.median() + f.median(),
        "Those are medians: means were asked.",
    ),
    (
        lambda r, f: r[: len(f)].mean() + f[: len(r)].mean(),
        "The longer batch is cut to the length of the shorter: all its pictures count.",
    ),
]

CHECK = Check(
    reference=_right,
    cases=_cases,
    slopes=("real", "fake"),
    shape="()",
    look="Go through steps 1 to 4 above: what each batch costs, its mean, and how they are joined.",
    slips=[
        *(Slip(_of(first, second), what, _WHICH) for first, second, what in _COSTS),
        Slip(
            lambda real, fake: (
                softplus(-torch.sigmoid(real).log()).mean()
                + softplus(torch.sigmoid(fake).log()).mean()
            )[None],
            "A function that expects logits is given logarithms of probabilities.",
            _WHICH,
        ),
        *(Slip(_joined(join), what, _JOIN) for join, what in _JOINS),
        Slip(
            lambda real, fake: (
                -logsigmoid(real.mean(dim=0, keepdim=True))
                - logsigmoid(-fake.mean(dim=0, keepdim=True))
            ),
            "The logits are averaged first: the costs are to be.",
            _JOIN,
        ),
        Slip(
            lambda real, fake: (
                -(torch.sigmoid(real).mean().log() + (1 - torch.sigmoid(fake)).mean().log())[None]
            ),
            "The probabilities are averaged first: the logarithms are to be.",
            _JOIN,
        ),
        Slip(_by_logs(torch.log), f"{_SURE}, and a logarithm of 0 is formed.", _ALIVE),
        Slip(
            _of(lambda a: -torch.sigmoid(a).log(), lambda a: -torch.sigmoid(-a).log()),
            _BEYOND,
            _ALIVE,
        ),
        Slip(
            lambda real, fake: _by_logs(torch.log)(real.double(), fake.double()),
            _BEYOND,
            _ALIVE,
        ),
        *(
            Slip(
                _by_exponentials(log_of_one_more),
                _BEYOND,
                _ALIVE,
            )
            for log_of_one_more in (torch.log1p, lambda e: (1 + e).log())
        ),
        Slip(
            _by_logs(lambda p: p.log().clamp(min=-100)),
            f"{_SURE}: the logarithm of 0 is replaced by -100, as torch's loss of probabilities "
            "does it.",
            _ALIVE,
        ),
        *(
            Slip(
                _with_constant(k),
                _HIDDEN,
                _ALIVE,
            )
            for k in SMALL
        ),
        *(
            Slip(
                _kept_away(k),
                _HIDDEN,
                _ALIVE,
            )
            for k in SMALL
        ),
        *(
            Slip(
                _cut_off(k),
                "The logits are cut off: they may be as large as they are.",
                _ALIVE,
            )
            for k in (10.0, 15.0, 20.0, 30.0, 50.0, 80.0, 100.0)
        ),
    ],
)


def discriminator_loss(function: Function) -> None:
    """Check `discriminator_loss(real (B,), fake (B',)) -> a tensor of shape ()`."""
    __tracebackhide__ = True
    run("discriminator-loss", (looked(CHECK, function, [number]), as_row(function)))
