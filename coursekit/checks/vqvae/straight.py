"""Check of `straight-through`: the value of one tensor with the gradient of another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, close, run
from coursekit.checks.findings import Finding
from coursekit.checks.parts import normal


class _Straight(torch.autograd.Function):
    """Forward the second argument, backward to the first alone."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, z_q: Tensor) -> Tensor:
        return z_q.clone()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        return slope, None


def _right(z: Tensor, z_q: Tensor) -> Tensor:
    value: Tensor = _Straight.apply(z, z_q)
    return value


def _cases() -> list[Case]:
    def case(*tensors: Tensor, title: str = "", clue: str = "") -> Case:
        return Case(dict(zip(("z", "z_q"), tensors, strict=True)), title, clue)

    tensor = torch.tensor
    zeros = tensor([[0.0, 1.0, 0.0], [-2.0, 0.0, 0.0]])
    return [
        case(tensor([[0.9, -0.2]]), tensor([[1.0, 0.5]])),
        case(*normal(821, (4, 3), (4, 3)), title="4 random vectors with D = 3"),
        case(*normal(822, (3, 2, 2, 4), (3, 2, 2, 4)), title="3 code maps of shape (2, 2, 4)"),
        case(
            *(3 * t for t in normal(823, (2, 5), (2, 5), dtype=torch.float64)),
            title="2 random vectors with D = 5, in float64",
        ),
        case(
            zeros,
            zeros.flip(0) + 1,
            title="vectors that are 0 in places",
            clue="Numbers may be 0 in one of the two and not in the other: do not divide by them.",
        ),
        case(
            20 * normal(824, (5, 2))[0],
            normal(825, (5, 2))[0],
            title="5 vectors that are far from their codes",
            clue="The gradient passes unchanged, however far away the code is.",
        ),
    ]


_VALUE = "Look at step 1 above: put in z = 0.9 and z_q = 1, and work out what comes forward."
_CUT = "Look at step 2 above: which expression counts as a constant in your line, and should it?"

VALUE = Check(
    reference=_right,
    cases=_cases,
    slopes=("z",),
    shape="that of z",
    look=f"{_VALUE} Then ask the same of the gradient, with what is detached as a constant.",
    slips=[
        Slip(
            lambda z, z_q: z,
            "That is z itself: forward, the decoder is to see the code.",
            _VALUE,
        ),
        Slip(
            lambda z, z_q: z + z_q,
            "The two are added: what was put in as z has to be taken out again, without its "
            "gradient.",
            _VALUE,
        ),
        Slip(
            lambda z, z_q: z_q - z,
            "That is the way from z to its code: it starts at z.",
            _VALUE,
        ),
        Slip(
            lambda z, z_q: z - z_q,
            "That is the difference of the two: forward, the code itself was asked.",
            _VALUE,
        ),
        Slip(
            lambda z, z_q: 2 * z - z_q,
            "You go the way from z to its code in the wrong direction.",
            _VALUE,
        ),
        Slip(
            lambda z, z_q: 2 * z_q - z,
            "The two have changed places: it is the code that is to come forward.",
            _VALUE,
        ),
        Slip(lambda z, z_q: (z + z_q) / 2, "That is half way between z and its code.", _VALUE),
        Slip(
            lambda z, z_q: torch.zeros_like(z),
            "Everything cancels: what should be left forward?",
            _VALUE,
        ),
        Slip(lambda z, z_q: -z_q, "The code has the wrong sign.", _VALUE),
        Slip(
            lambda z, z_q: z_q[:1].expand_as(z),
            "Every row gets the first one's code: each has its own.",
            _VALUE,
        ),
        Slip(lambda z, z_q: z_q.flip(0), "The rows come in the reverse order.", _VALUE),
        Slip(lambda z, z_q: z_q.round(), "The code is rounded: it comes forward as it is.", _VALUE),
        Slip(
            lambda z, z_q: z.clamp(-1, 1) + (z_q - z),
            "z is cut off at 1 in one place and not in the other: take it as it is in both.",
            _VALUE,
        ),
    ],
)


def _reaching(z: Tensor, z_q: Tensor) -> Tensor:
    return torch.zeros_like(z_q)


def _weights(z: Tensor) -> Tensor:
    """What comes back from above: another slope for each number."""
    return torch.linspace(1, 2, z.numel(), dtype=z.dtype).view(z.shape)


_LEAK = "A gradient reaches z_q, and through it the codebook, beside the loss that is to move it"

LEAK = Check(
    reference=_reaching,
    cases=_cases,
    subject="the gradient that reaches z_q is",
    shape="that of z",
    look=_CUT,
    slips=[
        Slip(lambda z, z_q: _weights(z), f"{_LEAK}: only z is to get it.", _CUT),
        Slip(
            lambda z, z_q: _weights(z) / 2,
            f"{_LEAK}, half of what comes from above: only z is to get it.",
            _CUT,
        ),
        Slip(
            lambda z, z_q: -_weights(z),
            f"{_LEAK}, with the wrong sign: only z is to get it.",
            _CUT,
        ),
    ],
)


def _leaking(function: Function) -> Function:
    """The gradient that reaches z_q, in the place of the value."""

    def leak(z: Tensor, z_q: Tensor) -> Tensor:
        leaves = [t.detach().clone().requires_grad_() for t in (z, z_q)]
        value = function(*(leaf.clone() for leaf in leaves))
        slopes = torch.autograd.grad((value * _weights(z)).sum(), leaves, allow_unused=True)
        return torch.zeros_like(z_q) if slopes[1] is None else slopes[1]

    return leak


def _look(case: Case, function: Function) -> None:
    """Raise a `Finding` where the value is right, and minus the gradient comes back."""
    z, z_q = (case.inputs[name].clone() for name in ("z", "z_q"))
    z.requires_grad_()
    try:
        value = function(z.clone(), z_q)
        slope = torch.autograd.grad((value * _weights(z)).sum(), z)[0]
    except Exception:  # the engine calls it again, and says where it stopped
        return
    if close(value, z_q) and close(slope, -_weights(z)):
        raise Finding(
            f"for {case.name()} the value is right, but the gradient that reaches z is wrong: it "
            "is MINUS what comes from above.",
            _CUT,
        )


def straight_through(function: Function) -> None:
    """Check `straight_through(z, z_q)`: the value of z_q, the gradient to z."""
    __tracebackhide__ = True

    def cases() -> list[Case]:
        found = _cases()
        _look(found[0], function)
        return found

    run("straight-through", (replace(VALUE, cases=cases), function), (LEAK, _leaking(function)))
