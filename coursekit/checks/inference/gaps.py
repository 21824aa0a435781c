"""Check of `two-gaps`: the approximation gap and the amortisation gap."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip
from coursekit.checks.inference.calls import Pair, run_looked
from coursekit.checks.parts import grey, normal

PAIR = Pair(("approximation", "amortisation"), "(B,)")


def _made(first: Function, second: Function) -> Function:
    """Two numbers for each picture, from encoder, optimised and log_p."""

    def both(encoder: Tensor, optimised: Tensor, log_p: Tensor) -> Tensor:
        return torch.stack(
            [first(encoder, optimised, log_p), second(encoder, optimised, log_p)], dim=1
        )

    return both


def _approximation(encoder: Tensor, optimised: Tensor, log_p: Tensor) -> Tensor:
    return log_p - optimised


def _amortisation(encoder: Tensor, optimised: Tensor, log_p: Tensor) -> Tensor:
    return optimised - encoder


def _total(encoder: Tensor, optimised: Tensor, log_p: Tensor) -> Tensor:
    return log_p - encoder


_right = _made(_approximation, _amortisation)


def _each(change: Callable[[Tensor], Tensor]) -> Function:
    """Both gaps changed in the same way."""
    return lambda *a: change(_right(*a))


def _negative(gap: Function) -> Function:
    return lambda *a: -gap(*a)


def _cases() -> list[Case]:
    def case(encoder: Tensor, optimised: Tensor, log_p: Tensor, title: str = "") -> Case:
        inputs = {"elbo_encoder": encoder, "elbo_optimised": optimised, "log_p": log_p}
        clue = (
            "All three are estimates: a gap may come out below 0, and stays as it is."
            if "noise" in title
            else ""
        )
        return Case(inputs, title, clue)

    tensor = torch.tensor
    first = -100 - 20 * grey(351, 5)
    double = normal(353, (4,), (4,), (4,), dtype=torch.float64)
    noisy = (tensor([-90.0, -80.0, -85.0]), tensor([-90.5, -79.0, -84.0]))
    return [
        case(tensor([-90.0]), tensor([-88.5]), tensor([-86.0])),
        case(
            first,
            first + 1 + 2 * grey(352, 5),
            first + 4 + 3 * grey(354, 5),
            "5 random pictures",
        ),
        case(*noisy, tensor([-88.0, -79.5, -82.5]), "3 pictures whose estimates are noisy"),
        case(double[0] - 40, double[1] - 38, double[2] - 36, "4 pictures in float64, with noise"),
    ]


_ORDER = "Draw the three numbers on a line, the largest at the top: which two does each gap join?"

CHECK = Check(
    reference=_right,
    cases=_cases,
    subject="your approximation and amortisation gaps are",
    shape="(B, 2)",
    look=_ORDER,
    slips=[
        Slip(
            _made(_amortisation, _approximation),
            "The two gaps are exchanged: what the encoder loses against the best Gaussian is "
            "amortisation's.",
            _ORDER,
        ),
        Slip(
            _made(_negative(_approximation), _negative(_amortisation)),
            "Both gaps have the wrong sign: a gap is how far the smaller number lies below.",
            _ORDER,
        ),
        Slip(
            _made(_negative(_amortisation), _negative(_approximation)),
            "The two gaps are exchanged, and both have the wrong sign.",
            _ORDER,
        ),
        Slip(
            _made(_negative(_approximation), _amortisation),
            "The approximation gap has the wrong sign.",
            _ORDER,
        ),
        Slip(
            _made(_approximation, _negative(_amortisation)),
            "The amortisation gap has the wrong sign.",
            _ORDER,
        ),
        Slip(
            _made(_total, _amortisation),
            "In the first place stands the whole gap, below which the encoder's ELBO lies: only "
            "what even the best Gaussian loses was asked.",
            _ORDER,
        ),
        Slip(
            _made(_approximation, _total),
            "In the second place stands the whole gap: the part that the best Gaussian loses too "
            "is not amortisation's.",
            _ORDER,
        ),
        Slip(
            _made(_total, _approximation),
            "In the first place stands the whole gap: its two parts were asked.",
            _ORDER,
        ),
        Slip(
            _made(_amortisation, _total),
            "In the second place stands the whole gap, in the first one amortisation's part.",
            _ORDER,
        ),
        Slip(
            _made(lambda e, o, p: o, lambda e, o, p: e),
            "You return two of the numbers themselves: differences were asked.",
            _ORDER,
        ),
        *(
            Slip(
                _each(torch.abs if mirror else torch.relu),
                f"{what}: an estimate may come out below 0, and its mean is right only if it "
                "stays there.",
                "What would the mean over many noisy pictures be, if each were changed like that?",
            )
            for mirror, what in (
                (True, "You take the absolute value"),
                (False, "Gaps below 0 are cut off"),
            )
        ),
        Slip(
            _each(lambda gaps: gaps.mean(dim=0, keepdim=True).expand_as(gaps)),
            "You averaged over the batch: each picture has gaps of its own.",
            _ORDER,
        ),
        Slip(
            _each(lambda gaps: gaps.sum(dim=0, keepdim=True).expand_as(gaps)),
            "You summed over the batch: each picture has gaps of its own.",
            _ORDER,
        ),
        Slip(
            _each(lambda gaps: gaps[:1].expand_as(gaps)),
            "Every picture gets the first one's gaps: each has its own.",
            _ORDER,
        ),
        Slip(
            _each(torch.exp),
            "You return ratios of probabilities: the gaps are differences of logarithms.",
            _ORDER,
        ),
        Slip(
            lambda *a: _right(*a) / _total(*a)[:, None],
            "These are shares of the whole gap: nats were asked.",
            _ORDER,
        ),
        Slip(
            _made(lambda e, o, p: p + o, lambda e, o, p: o + e),
            "The numbers are added: differences were asked.",
            _ORDER,
        ),
    ],
)


def two_gaps(function: Function) -> None:
    """Check `two_gaps(elbo_encoder, elbo_optimised, log_p) -> (approximation, amortisation)`."""
    __tracebackhide__ = True
    run_looked("two-gaps", CHECK, function, [], PAIR)
