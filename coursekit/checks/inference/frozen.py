"""Check of `frozen-decoder-bug`: means inferred with a decoder that stays as it is, mended."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from coursekit.checks.engine import Case, Check, Function, Inputs, Slip
from coursekit.checks.findings import Finding
from coursekit.checks.inference.calls import Call, run_looked
from coursekit.checks.inference.climbing import PLAIN, RIGHT, SUM, Way, adam, climb, way_slips
from coursekit.checks.parts import binary, normal

WEIGHTS = ("first", "second", "shift")
FROZEN, MODE = "frozen before", "in training mode"


class Network(nn.Module):
    """A small decoder, latents (B, K) to logits (B, D)."""

    def __init__(self, first: Tensor, second: Tensor, shift: Tensor, frozen: str) -> None:
        super().__init__()
        self.first, self.second, self.shift = map(nn.Parameter, (first, second, shift))
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name != frozen)

    def forward(self, z: Tensor) -> Tensor:
        """Give the logits of the pixels."""
        return torch.tanh(z @ self.first) @ self.second + self.shift


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    first, second, shift = (inputs[name].detach() for name in WEIGHTS)
    decoder = Network(first, second, shift, inputs[FROZEN]).train(inputs[MODE])
    return inputs["x"], decoder, inputs["steps"], inputs["lr"], inputs["noises"]


def _with(
    way: Way = RIGHT,
    noises: Callable[[Tensor, int], Tensor] = lambda noises, steps: noises[:steps],
    start: Callable[[Tensor], Tensor] = lambda noises: torch.zeros_like(noises[0]),
    by: Function = climb,
) -> Function:
    """The inference with a part exchanged."""

    def reached(x: Tensor, decoder: nn.Module, steps: int, lr: float, draws: Tensor) -> Tensor:
        mu = start(draws)
        rest = (way,) if by is climb else ()
        return by(x, decoder, mu, torch.zeros_like(mu), noises(draws, steps), lr, *rest)[0]

    # log_var stays at 0, so that q keeps the variance 1
    way = replace(way, moves=(True, False))
    return reached


def _along(x: Tensor, decoder: nn.Module, steps: int, lr: float, noises: Tensor) -> Tensor:
    """The published loop: the decoder's weights move as well, here those of a copy."""
    mu = torch.zeros_like(noises[0]).requires_grad_()
    trained = copy.deepcopy(decoder)
    stepper = torch.optim.SGD([mu, *trained.parameters()], lr=lr, maximize=True)
    with torch.enable_grad():
        for noise in noises[:steps]:
            logits = trained(mu + noise)
            likelihood = x * logits - nn.functional.softplus(logits)
            stepper.zero_grad()
            (likelihood.sum() - mu.square().sum() / 2).backward()
            stepper.step()
    return mu.detach()


_right = _with()


def _case(
    title: str,
    seed: int,
    x: Tensor,
    latents: int,
    steps: int,
    lr: float,
    rows: int = 0,
    frozen: str = "",
    training: bool = True,
    saturated: float = 1.0,
) -> Case:
    hidden, pixels = 4, x.shape[1]
    first, second, shift, noises = normal(
        seed, (latents, hidden), (hidden, pixels), (pixels,), (rows or steps, len(x), latents)
    )
    weights = dict(zip(WEIGHTS, (first, second, saturated * shift), strict=True))
    inputs = {"x": x, "steps": steps, "lr": lr, "noises": noises, **weights, FROZEN: frozen}
    clue = "Where logits are large, work with them, and never with a probability."
    return Case({**inputs, MODE: training}, title, clue if saturated > 1 else "")


def _cases() -> list[Case]:
    return [
        _case("one white pixel, K = 1, one step of 0.1", 361, torch.ones(1, 1), 1, 1, 0.1),
        _case("4 pictures of 9 pixels, K = 2, 4 steps of 0.1", 363, binary(362, 4, 9), 2, 4, 0.1),
        _case(
            "3 pictures, K = 3, 3 steps of 0.2", 365, binary(364, 3, 6), 3, 3, 0.2, training=False
        ),
        _case(
            "2 pictures, 3 steps, more rows of noise than steps",
            367,
            binary(366, 2, 5),
            2,
            3,
            0.1,
            rows=5,
        ),
        _case(
            "a decoder of which a part was frozen before",
            369,
            binary(368, 3, 7),
            2,
            2,
            0.1,
            frozen="first",
        ),
        _case(
            "a decoder with logits in the hundreds",
            371,
            binary(370, 3, 8),
            2,
            3,
            0.1,
            training=False,
            saturated=300.0,
        ),
    ]


_LOOP = "Write down the ELBO of q = N(mu, I): which of its symbols may the loop change?"
_NOISE = "Which row of noises belongs to the first step, and how many steps were asked?"

CHECK = Check(
    reference=_right,
    cases=_cases,
    arguments=_arguments,
    shape="(B, K)",
    look=_LOOP,
    slips=[
        Slip(
            _along,
            "The bug is still there: while mu moves, the decoder's weights move too, so that each "
            "step is made with another decoder.",
            _LOOP,
        ),
        Slip(
            lambda x, decoder, steps, lr, noises: torch.zeros_like(noises[0]),
            "mu stays at 0: does a gradient reach it through z, and does the step change what you "
            "return?",
            "Does the step change the tensor that you return, or only a copy of it?",
        ),
        *way_slips(_with),
        Slip(
            _with(noises=lambda noises, steps: 0 * noises[:steps]),
            "You decode the mean in every step: the noise is not used.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises, steps: noises[:1].expand(steps, *noises.shape[1:])),
            "Every step uses the first row of noises: each has a row of its own.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises, steps: noises[:steps].flip(0)),
            "The rows of noises are used from the last to the first: the order was given.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises, steps: noises),
            "A step is taken for every row of noises: steps says how many were asked.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises, steps: noises[: steps - 1]),
            "A step is missing: one for each of the steps was asked.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises, steps: noises[:1]),
            "Only one step is taken: does `return` stand inside the loop?",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises, steps: noises[:steps, :1].expand_as(noises[:steps])),
            "Every picture gets the first one's noise: each has its own.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises, steps: -noises[:steps]),
            "The noise comes in with the wrong sign: its distribution is the same, but here it is "
            "given.",
            _NOISE,
        ),
        Slip(
            _with(start=lambda noises: noises[0]),
            "You start at the noise: mu begins at 0.",
            "What is asked of mu before the first step?",
        ),
        Slip(
            _with(start=torch.ones_like),
            "You start at 1: mu begins at 0.",
            "What is asked of mu before the first step?",
        ),
        Slip(
            _with(by=partial(adam, moves=(True, False))),
            "These are Adam's steps: plain ones were asked, lr times the gradient.",
            PLAIN,
        ),
        Slip(
            lambda *a: _right(*a)[:1].expand_as(_right(*a)),
            "Every picture gets the first one's mean: each has its own.",
            SUM,
        ),
        Slip(
            lambda *a: _right(*a).mean(dim=0, keepdim=True).expand_as(_right(*a)),
            "You averaged over the pictures: each has a mean of its own.",
            SUM,
        ),
    ],
)


def _look_at_result(call: Call) -> None:
    """Raise a `Finding` where the means have a gradient history."""
    if isinstance(call.value, Tensor) and call.value.requires_grad:
        raise Finding(
            f"{call.place}your mu still has a gradient history, or asks for a gradient: numbers "
            "alone were asked, cut off from how they came about.",
            "Which of torch's functions cuts a history off?",
        )


def _look_at_decoder(call: Call) -> None:
    """Raise a `Finding` where the decoder is not what it was before the call."""
    decoder = call.arguments[1]
    frozen = call.case.inputs[FROZEN]
    now = dict(decoder.named_parameters())
    moved = any(not torch.equal(now[name], call.case.inputs[name]) for name in WEIGHTS)
    if moved:
        raise Finding(
            f"{call.place}the decoder's weights are changed afterwards: only mu is to move. Every "
            "later picture would be decoded by another model.",
            _LOOP,
        )
    for name, parameter in now.items():
        if parameter.requires_grad != (name != frozen):
            state = "switched off" if name != frozen else "switched on where it had been off"
            raise Finding(
                f"{call.place}requires_grad of the decoder's weights is {state} afterwards: the "
                "next training would be another one. Leave it as it was.",
                "Note each weight's own state before you change it, or ask for mu's gradient alone "
                "so that nothing need be switched.",
            )
    if decoder.training != call.case.inputs[MODE]:
        now_in, before = (
            ("training", "evaluation") if decoder.training else ("evaluation", "training")
        )
        raise Finding(
            f"{call.place}the decoder is in {now_in} mode afterwards, and was in {before} mode "
            "before: leave it as it was.",
            "Is the mode yours to choose here? If you switch it, note what it was before.",
        )
    for parameter in now.values():
        if parameter.grad is not None:
            kind = "a .grad of zeros is" if not parameter.grad.any() else "gradients are"
            raise Finding(
                f"{call.place}{kind} left behind on the decoder's weights: the next optimiser "
                "that gets them would use them.",
                "Which of torch's functions gives the gradient of the tensors that you name, and "
                "leaves .grad alone?",
            )


def frozen_decoder_bug(function: Function) -> None:
    """Check `infer_mean(x, decoder, steps, lr, noises) -> (B, K)`."""
    __tracebackhide__ = True
    run_looked("frozen-decoder-bug", CHECK, function, [_look_at_decoder, _look_at_result])
