"""Check of `optimise-posterior`: gradient ascent on each picture's own ELBO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Inputs, Slip
from coursekit.checks.findings import Finding
from coursekit.checks.inference.calls import Call, Pair, run_looked
from coursekit.checks.inference.climbing import (
    PLAIN,
    RIGHT,
    SUM,
    TERMS,
    Decoder,
    Way,
    adam,
    climb,
    way_slips,
)
from coursekit.checks.parts import binary, normal

DECODER, SHIFT, HISTORY = "the decoder", "its shift", "history"
PAIR = Pair(("mu", "log_var"), "(B, K)")


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a linear decoder, and give mu and log_var a history where the case asks for it."""

    def decode_logits(z: Tensor) -> Tensor:
        return z @ inputs[DECODER] + inputs[SHIFT]

    mu, log_var = inputs["mu"], inputs["log_var"]
    if inputs[HISTORY]:
        mu, log_var = (start.clone().requires_grad_() * 1.0 for start in (mu, log_var))
    return inputs["x"], decode_logits, mu, log_var, inputs["noises"], inputs["lr"]


def _with(
    way: Way = RIGHT,
    noises: Function = lambda noises: noises,
    finish: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = lambda mu, log_var: (mu, log_var),
    steps: Function = climb,
) -> Function:
    """The ascent with a part exchanged, its mu and log_var joined."""

    def reached(
        x: Tensor, decode: Decoder, mu: Tensor, log_var: Tensor, draws: Tensor, lr: float
    ) -> Tensor:
        used = noises(draws)
        found = (
            climb(x, decode, mu, log_var, used, lr, way)
            if steps is climb
            else steps(x, decode, mu, log_var, used, lr)
        )
        return torch.stack(finish(*found), dim=1).detach()

    return reached


def _at_the_start(total: bool) -> Function:
    """One step from the start, with the gradient for all rows of noise, or with their mean."""

    def steps(
        x: Tensor, decode: Decoder, mu: Tensor, log_var: Tensor, noises: Tensor, lr: float
    ) -> tuple[Tensor, Tensor]:
        ends = [climb(x, decode, mu, log_var, noise[None], lr) for noise in noises]
        scale = 1.0 if total else 1.0 / len(noises)
        moved = [
            start + scale * sum((end[i] - start for end in ends), torch.zeros_like(start))
            for i, start in enumerate((mu.detach(), log_var.detach()))
        ]
        return moved[0], moved[1]

    return steps


def _case(
    title: str, seed: int, x: Tensor, latents: int, steps: int, lr: float, history: bool = False
) -> Case:
    rows = (len(x), latents)
    mu, log_var, noises, weights = normal(
        seed, rows, rows, (steps, *rows), (latents, x.shape[1]), dtype=x.dtype
    )
    inputs = {"x": x, "mu": mu, "log_var": 0.5 * log_var, "noises": noises, DECODER: weights}
    inputs[SHIFT] = torch.zeros_like(x[0])
    clue = (
        "mu and log_var come from an encoder here, with a gradient history: start from copies "
        "without one."
    )
    return Case({**inputs, "lr": lr, HISTORY: history}, title, clue if history else "")


def _saturated() -> Case:
    """Logits in the hundreds, of which some are wrong."""
    case = _case("a decoder with logits in the hundreds", 343, binary(342, 3, 8), 2, 3, 0.1)
    (shift,) = normal(344, (8,))
    clue = "Where logits are large, work with them, and never with a probability."
    return replace(case, inputs={**case.inputs, SHIFT: 300 * shift}, clue=clue)


def _wide() -> Case:
    """Variances that are tiny, and variances that are huge."""
    x = binary(345, 2, 5).double()
    case = _case("log_var from -25 to 11, 2 steps of 1e-5", 346, x, 4, 2, 1e-5)
    log_var = torch.linspace(-25, 11, 8, dtype=x.dtype).view(2, 4)
    clue = "Take log_var as it is, far from 0 too: nothing asks for cutting it off."
    return replace(case, inputs={**case.inputs, "log_var": log_var}, clue=clue)


def _cases() -> list[Case]:
    encoded = "2 pictures whose mu and log_var an encoder gave, 2 steps of 0.1"
    return [
        _case("one white pixel, K = 1, one step of 0.1", 331, torch.ones(1, 1), 1, 1, 0.1),
        _case("one picture of 6 pixels, K = 2, 3 steps of 0.1", 333, binary(332, 1, 6), 2, 3, 0.1),
        _case("4 pictures, K = 3, 5 steps of 0.05", 335, binary(334, 4, 9), 3, 5, 0.05),
        _case(
            "3 pictures in float64, K = 3, 3 steps of 0.2",
            337,
            binary(336, 3, 5).double(),
            3,
            3,
            0.2,
        ),
        replace(
            _case("3 pictures, 4 steps of 1.0", 341, binary(340, 3, 9), 2, 4, 1.0),
            clue="Such steps are too long: the last mu and log_var were asked, whatever the ELBO "
            "does on the way.",
        ),
        _case(encoded, 339, binary(338, 2, 7), 2, 2, 0.1, history=True),
        _saturated(),
        _wide(),
    ]


_NOISE = "Which row of noises belongs to the first step, which one to the last?"
_HISTORY = "In what state are new tensors made, and which of torch's functions cuts a history off?"

CHECK = Check(
    reference=_with(),
    cases=_cases,
    arguments=_arguments,
    subject="you return as mu and log_var",
    shape="(B, 2, K)",
    look="Follow one picture with one pixel for one step, with pencil and paper; then a second.",
    slips=[
        *way_slips(_with),
        Slip(
            _with(Way(through=False)),
            "No gradient flows through the scale of the noise: log_var feels the divergence alone.",
            TERMS,
        ),
        Slip(
            _with(Way(half=1.0)),
            "You multiply the noise by the variance: the standard deviation is its root.",
            TERMS,
        ),
        Slip(_with(Way(half=0.0)), "The noise is not multiplied by the standard deviation.", TERMS),
        Slip(
            _with(noises=lambda noises: 0 * noises),
            "You decode the mean in every step: the noise is not used.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises: noises[:1].expand_as(noises)),
            "Every step uses the first row of noises: each has a row of its own.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises: noises[-1:].expand_as(noises)),
            "Every step uses the last row of noises: each has a row of its own.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises: noises.flip(0)),
            "The rows of noises are used from the last to the first: the order was given.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises: noises[:, :1].expand_as(noises)),
            "Every picture gets the first one's noise: each has its own.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises: noises[:-1]),
            "A step is missing: the last row of noises is not used.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises: noises[1:]),
            "A step is missing: the first row of noises is not used.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises: noises[:1]),
            "Only one step is taken: each row of noises asks for one. Does `return` stand inside "
            "the loop?",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises: torch.cat([noises, noises[-1:]])),
            "A step too many is taken: one for each row of noises was asked.",
            _NOISE,
        ),
        Slip(
            _with(noises=lambda noises: noises.mean(dim=0, keepdim=True)),
            "The rows of noises are averaged, and one step is taken: each row is a step.",
            _NOISE,
        ),
        *(
            Slip(
                _with(steps=_at_the_start(total)),
                "All gradients are taken at the start: each step begins where the last one ended.",
                _NOISE,
            )
            for total in (True, False)
        ),
        *(
            Slip(
                lambda x, d, mu, log_var, n, lr, fixed=fixed: _with()(x, d, mu, log_var, n, fixed),
                "lr is not used: the steps have a size of their own.",
                PLAIN,
            )
            for fixed in (0.1, 0.05, 0.01, 0.001)
        ),
        Slip(
            _with(steps=adam),
            "These are Adam's steps: plain ones were asked, lr times the gradient.",
            PLAIN,
        ),
        Slip(
            _with(Way(moves=(True, False))),
            "Only mu moves: log_var is to be improved as well.",
            "Of which tensors do you ask the gradient, and which do you put back?",
        ),
        Slip(
            _with(Way(moves=(False, True))),
            "Only log_var moves: mu is to be improved as well.",
            "Of which tensors do you ask the gradient, and which do you put back?",
        ),
        Slip(
            _with(Way(moves=(False, False))),
            "Nothing moves: mu and log_var come back as they went in.",
            "Does the step change the tensors that you return, or only copies of them?",
        ),
        Slip(
            _with(Way(alternate=True)),
            "The gradient of log_var is taken after mu has moved: both belong to the same point.",
            "Take both gradients first, then move both.",
        ),
        Slip(
            _with(finish=lambda mu, log_var: (log_var, mu)),
            "The two are exchanged: mu comes first.",
            "In which order does the docstring name them?",
        ),
        Slip(
            _with(finish=lambda mu, log_var: (mu, torch.exp(log_var))),
            "You return the variance: log_var itself was asked.",
        ),
        Slip(
            _with(finish=lambda mu, log_var: (mu, torch.exp(log_var / 2))),
            "You return the standard deviation: log_var was asked.",
        ),
        Slip(
            lambda *a: _with()(*a)[:1].expand_as(_with()(*a)),
            "Every picture gets the first one's Gaussian: each has its own.",
            SUM,
        ),
    ],
)


def _look_at_history(call: Call) -> None:
    """Raise a `Finding` where a result has a gradient history."""
    for name, value in zip(PAIR.names, call.value, strict=True):
        if value.requires_grad:
            raise Finding(
                f"{call.place}your {name} still has a gradient history, or asks for one: numbers "
                "alone were asked, cut off from how they came about.",
                _HISTORY,
            )


def _look_at_inputs(call: Call) -> None:
    """Raise a `Finding` where an input asks for a gradient that did not before."""
    if call.case.inputs[HISTORY]:
        for name, value in zip(PAIR.names, call.arguments[2:4], strict=True):
            # value is a leaf times 1: the leaf stands where an encoder's weights would
            leaf = value.grad_fn.next_functions[0][0].variable
            if leaf.grad is not None:
                raise Finding(
                    f"{call.place}a gradient runs back through {name} into the encoder that it "
                    "came from, and is left on its weights: start from copies without a history.",
                    _HISTORY,
                )
        return
    for name, value in zip(PAIR.names, call.arguments[2:4], strict=True):
        if value.requires_grad:
            raise Finding(
                f"{call.place}your function leaves requires_grad switched on at its input {name}: "
                "whoever called it did not ask for that.",
                "Of which tensor do you need a gradient: of the input, or of a copy of it?",
            )


def optimise_posterior(function: Function) -> None:
    """Check `optimise_posterior(x, decode_logits, mu, log_var, noises, lr) -> (mu, log_var)`."""
    __tracebackhide__ = True
    looks = [_look_at_history, _look_at_inputs]
    run_looked("optimise-posterior", CHECK, function, looks, PAIR)
