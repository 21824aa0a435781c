"""Check of `discriminator-step`: a published step of the discriminator's, mended."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.findings import Finding
from coursekit.checks.gans import networks as net
from coursekit.checks.gans.networks import RIGHT, Way, loss_by, weights_by
from coursekit.checks.gans.single import Call, as_row, looked, number
from coursekit.checks.gans.step_slips import (
    BACK,
    COSTS,
    DRAWN,
    MOVE,
    RANGE,
    SEEN,
    TURN,
    WAYS,
)
from coursekit.checks.parts import grey, normal

SGD, MOMENTUM, ADAM = (
    ("SGD", {"lr": 0.2}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.999)}),
)


def _case(
    title: str,
    seed: int,
    size: tuple[int, ...],
    drawn: int,
    optimiser: tuple[str, dict[str, Any]] = SGD,
    modes: tuple[bool, bool] = (True, True),
    frozen: bool = False,
    sure: float = 1.0,
    dtype: torch.dtype = torch.float32,
    clue: str = "",
) -> Case:
    dims, hidden, latents = size[1] * size[2] * size[3], 3, 2
    z, draws, first, second = normal(
        seed, (drawn, latents), (latents, dims), (dims + 1, hidden), (hidden,), dtype=dtype
    )
    inputs = {"x": grey(seed + 1, *size, dtype=dtype), "z": z, net.DRAWS: draws}
    inputs |= {net.FIRST: first, net.SECOND: sure * second}
    facts = {net.OPTIMISER: optimiser, net.FROZEN: frozen, net.MODES: modes}
    return Case({**inputs, **facts}, title, clue)


def _cases() -> list[Case]:
    return [
        _case("4 real and 4 generated pictures, and plain steps", 731, (4, 1, 2, 2), 4),
        _case("3 real and 5 generated pictures, and Adam", 733, (3, 2, 2, 1), 5, ADAM),
        _case(
            "2 real and 3 generated pictures, and steps with momentum",
            735,
            (2, 1, 3, 2),
            3,
            MOMENTUM,
            modes=(False, True),
        ),
        _case(
            "5 real and 2 generated pictures, in float64",
            737,
            (5, 1, 2, 1),
            2,
            modes=(True, False),
            frozen=True,
            dtype=torch.float64,
        ),
        _case(
            "a discriminator whose logits are in the hundreds",
            743,
            (3, 1, 2, 2),
            3,
            modes=(False, False),
            sure=300.0,
            clue="Where logits are large, work with them, and never with a probability.",
        ),
    ]


def _loss_after(*arguments: Any) -> Tensor:
    """The loss after a right step, on the same pictures."""
    weights_by(RIGHT)(*arguments)
    late: Tensor = loss_by(RIGHT)(*arguments)
    return late


LOSS = Check(
    reference=loss_by(RIGHT),
    cases=_cases,
    arguments=net.arguments,
    shape="()",
    look="Go through steps 1 to 5 above, and compare each with a line of yours.",
    slips=[
        *(Slip(loss_by(Way(seen=seen)), what, RANGE) for seen, what in SEEN),
        *(Slip(loss_by(Way(drawn=drawn)), what, RANGE) for drawn, what in DRAWN),
        Slip(
            loss_by(Way(seen=lambda x: x, drawn=lambda p: (p + 1) / 2)),
            "Both batches are brought to [0, 1]: the discriminator takes pictures in [-1, 1].",
            RANGE,
        ),
        Slip(
            loss_by(Way(seen=lambda x: x, drawn=lambda p: 2 * p - 1)),
            "The wrong batch is scaled: it is the real pictures that come in [0, 1].",
            RANGE,
        ),
        *(Slip(loss_by(Way(loss=loss)), what, look) for loss, what, look in COSTS),
        *(
            Slip(
                loss_by(Way(drawn_in=mode)),
                "The generator draws in another mode than its own: training or evaluation was "
                "chosen before the step.",
                TURN,
            )
            for mode in (True, False)
        ),
        Slip(
            _loss_after,
            "That is the loss after the step: the one before it was asked.",
            BACK,
        ),
    ],
)


def _after(function: Function) -> Any:
    """The discriminator's weights after the student's step; what is no function stays."""

    def moved(*arguments: Any) -> Tensor:
        function(*arguments)
        return net.weights_of(arguments[3])

    return moved if callable(function) else function


WEIGHTS = Check(
    reference=weights_by(RIGHT),
    cases=_cases,
    arguments=net.arguments,
    subject="after the step the discriminator's weights, laid end to end, hold",
    shape="(P,)",
    look=MOVE,
    slips=[Slip(weights_by(way), what, look) for way, what, look in WAYS],
)


def _look_at_generator(call: Call) -> None:
    """Raise a `Finding` where the generator is not what it was before the call."""
    generator, kept = call.arguments[2], net.Generator(call.case.inputs)
    for now, before in zip(generator.parameters(), kept.parameters(), strict=True):
        if not torch.equal(now, before):
            raise Finding(
                f"{call.place}the generator's weights are changed afterwards: it is not its turn.",
                TURN,
            )
        if before.grad is None:
            same = now.grad is None
        else:
            same = now.grad is not None and torch.equal(now.grad, before.grad)
        if not same:
            cleared = now.grad is None or not now.grad.any()
            raise Finding(
                f"{call.place}the generator's .grad {'was cleared' if cleared else 'has grown'}: "
                "it is the discriminator's turn, and the generator's gradients stay what they "
                "were.",
                TURN,
            )


def _look_at_states(call: Call) -> None:
    """Raise a `Finding` where requires_grad or a mode is not what it was."""
    modes = call.case.inputs[net.MODES]
    kept = net.arguments(call.case.inputs)[2:4]
    names = ("generator", "discriminator")
    for name, network, before, mode in zip(names, call.arguments[2:4], kept, modes, strict=True):
        for now, was in zip(network.parameters(), before.parameters(), strict=True):
            if now.requires_grad != was.requires_grad:
                state = "on" if now.requires_grad else "off"
                raise Finding(
                    f"{call.place}requires_grad of the {name}'s weights is switched {state} "
                    "afterwards: leave it as it was.",
                    TURN,
                )
        if network.training != mode:
            raise Finding(
                f"{call.place}the {name} is in {'training' if network.training else 'evaluation'} "
                "mode afterwards, and was not before: leave it as it was.",
                TURN,
            )


def _look_at_result(call: Call) -> None:
    """Raise a `Finding` where the loss has a history."""
    if call.value.requires_grad:
        raise Finding(
            f"{call.place}the loss that you return still has its history: a list of losses would "
            "keep every step's calculation alive.",
            BACK,
        )


def discriminator_step(function: Function) -> None:
    """Check `discriminator_step(x, z, generator, discriminator, optimiser) -> the loss`."""
    __tracebackhide__ = True
    looks = [_look_at_generator, number, _look_at_states, _look_at_result]
    run(
        "discriminator-step",
        (looked(LOSS, function, looks), as_row(function)),
        (WEIGHTS, _after(function)),
    )
