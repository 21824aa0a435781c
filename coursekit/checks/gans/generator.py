"""Check of `generator-losses`: the minimax and the non-saturating loss, from logits."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.flows.answers import Several
from coursekit.checks.parts import batch_slips, normal

ANSWER = Several(
    ("minimax", "non_saturating"),
    ("(B,)", "(B,)"),
    lambda inputs: [inputs["logits"].shape, inputs["logits"].shape],
)
Loss = Callable[[Tensor], Tensor]


def _log_of_sum(logits: Tensor) -> Tensor:
    """The logarithm of 1 plus e to the logit."""
    return torch.logaddexp(logits, torch.zeros_like(logits))


def _minimax(logits: Tensor) -> Tensor:
    return -_log_of_sum(logits)


def _non_saturating(logits: Tensor) -> Tensor:
    return _log_of_sum(-logits)


def _cases() -> list[Case]:
    def case(logits: Tensor, title: str = "", clue: str = "") -> Case:
        return Case({"logits": logits}, title, clue)

    tensor = torch.tensor
    (five,), (four,) = normal(711, (5,)), normal(712, (4,), dtype=torch.float64)
    sure = "From a logit of 17 on, D is 1 in single precision, and 1 - D is 0: see step 4."
    very = "D is exactly 0 or 1 there in floating point; its logarithm is asked all the same."
    return [
        case(tensor([-3.0])),
        case(2 * five, title="5 logits"),
        case(3 * four, title="4 logits in float64"),
        case(tensor([-30.0, 17.5, -8.0, 25.0, 50.0, -60.0]), "logits from -60 to 50", sure),
        case(tensor([-1000.0, 1000.0, 300.0, -450.0]), "logits from -1000 to 1000", very),
        case(
            tensor([-1000.0, 800.0, 40.0], dtype=torch.float64),
            "logits from -1000 to 800, in float64",
            very,
        ),
    ]


def _real(logits: Tensor) -> Tensor:
    return torch.sigmoid(logits)


def _other(logits: Tensor) -> Tensor:
    return 1 - torch.sigmoid(logits)


_WHICH = "Look at steps 1 to 3 above: the logarithm of which probability, and with which sign?"
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
_SMALL = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-20, 1e-30)


def _unstable(sign: float, inside: Loss, mirrored: Loss) -> list[Slip]:
    """Slips of a logarithm of a probability: of `inside`, which is sigmoid(mirrored)."""
    plain = [
        (lambda a: sign * inside(a).log(), f"{_SURE}, and a logarithm of 0 is formed."),
        (
            lambda a: sign * inside(a.double()).log(),
            f"{_SURE}, and a logarithm of 0 is formed: more digits do not help there.",
        ),
        (lambda a: sign * torch.sigmoid(mirrored(a)).log(), _BEYOND),
        (lambda a: sign * torch.sigmoid(mirrored(a).double()).log(), _BEYOND),
        (lambda a: -sign * (1 + torch.exp(-mirrored(a))).log(), _BEYOND),
        (lambda a: -sign * torch.log1p(torch.exp(-mirrored(a))), _BEYOND),
        (
            lambda a: sign * inside(a).log().clamp(min=-100),
            f"{_SURE}: the logarithm of 0 is replaced by -100, as torch's loss of probabilities "
            "does it.",
        ),
        *(
            (
                lambda a, k=k: sign * (inside(a) + k).log(),
                _HIDDEN,
            )
            for k in _SMALL
        ),
        *(
            (
                lambda a, k=k: sign * inside(a).clamp(k, 1 - k).log(),
                _HIDDEN,
            )
            for k in _SMALL
        ),
        *(
            (
                lambda a, k=k: sign * inside(a).clamp(min=k).log(),
                _HIDDEN,
            )
            for k in _SMALL
        ),
        *(
            (
                lambda a, k=k: sign * torch.nn.functional.logsigmoid(mirrored(a).clamp(-k, k)),
                "The logits are cut off: they may be as large as they are.",
            )
            for k in (5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 80.0, 100.0)
        ),
    ]
    return [Slip(wrong, what, _ALIVE) for wrong, what in plain]


def _kept(small: float) -> Loss:
    """The minimax loss of a D that is kept away from 0 and 1."""
    return lambda a: (1 - _real(a).clamp(small, 1 - small)).log()


def _slips(right: Loss) -> list[Slip]:
    """Slips that either loss may have: another unit, D alone, a sigmoid too many."""
    return [
        Slip(lambda a: right(a) / 2, "It is half of what it should be.", _WHICH),
        Slip(lambda a: 2 * right(a), "It is twice what it should be.", _WHICH),
        Slip(_real, "That is D itself: the logarithm of a probability was asked.", _WHICH),
        Slip(_other, "That is 1 - D itself: its logarithm was asked.", _WHICH),
        Slip(lambda a: -_real(a), "That is D with a minus: a logarithm of it was asked.", _WHICH),
        Slip(
            lambda a: right(torch.sigmoid(a)),
            "The sigmoid is taken twice: the function that you use begins with one already.",
            "Which input does the function that you use expect, a logit or a probability?",
        ),
        Slip(
            lambda a: right(a) / math.log(2),
            "It is in bits: nats were asked, so use the natural logarithm.",
            _WHICH,
        ),
        Slip(
            lambda a: right(a) / math.log(10),
            "You use the logarithm to base 10: nats need the natural one.",
            _WHICH,
        ),
        Slip(
            lambda a: -a,
            "That is the logit with its sign turned round: the loss of another game.",
            _WHICH,
        ),
        *(
            Slip(wrong, "The logit is taken for a probability: D is its sigmoid.", _WHICH)
            for wrong in (
                lambda a: (1 - a).log(),
                lambda a: -a.log(),
                lambda a: a.log(),
                lambda a: -(1 - a).log(),
            )
        ),
        Slip(
            lambda a: (_real(a) - 1).square(),
            "That is a squared distance: a logarithm of a probability was asked.",
            _WHICH,
        ),
        Slip(
            lambda a: (a - 1).square(),
            "That is the least-squares loss: a logarithm of a probability was asked.",
            _WHICH,
        ),
        *batch_slips(right, "Each generated picture has a loss of its own: what do you reduce?"),
    ]


MINIMAX = Check(
    reference=_minimax,
    cases=_cases,
    slopes=("logits",),
    subject="your minimax loss is",
    look=_WHICH,
    slips=[
        Slip(
            _non_saturating,
            "That is the non-saturating loss: the minimax one comes first.",
            "In which order does the docstring name them?",
        ),
        Slip(
            lambda a: -_minimax(a),
            "The sign is wrong: that is what the discriminator makes small.",
            _WHICH,
        ),
        Slip(
            lambda a: -_non_saturating(a),
            "That is the logarithm of D: the generator would make its pictures look generated.",
            _WHICH,
        ),
        Slip(
            lambda a: -_minimax(a) - _non_saturating(a),
            "Both logarithms are joined: one was asked.",
            _WHICH,
        ),
        Slip(
            lambda a: torch.log1p(_real(a)),
            "That is the logarithm of 1 + D: the probability of the other answer was asked.",
            _WHICH,
        ),
        *_unstable(1.0, _other, torch.neg),
        *(Slip(_kept(k), _HIDDEN, _ALIVE) for k in _SMALL),
        *_slips(_minimax),
    ],
)

NON_SATURATING = Check(
    reference=_non_saturating,
    cases=_cases,
    slopes=("logits",),
    subject="your non-saturating loss is",
    look=_WHICH,
    slips=[
        Slip(
            _minimax,
            "That is the minimax loss again: the non-saturating one comes second.",
            "In which order does the docstring name them?",
        ),
        Slip(
            lambda a: -_non_saturating(a),
            "The sign is wrong: the generator makes D large, and its loss small.",
            _WHICH,
        ),
        Slip(
            lambda a: -_minimax(a),
            "The sign of the minimax loss is turned round, and the logarithm is still that of "
            "the other probability.",
            _WHICH,
        ),
        *_unstable(-1.0, _real, lambda a: a),
        *_slips(_non_saturating),
    ],
)


def generator_losses(function: Function) -> None:
    """Check `generator_losses(logits) -> (minimax (B,), non_saturating (B,))`."""
    __tracebackhide__ = True
    run("generator-losses", *ANSWER.parts(function, (MINIMAX, NON_SATURATING)))
