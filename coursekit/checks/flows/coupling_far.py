"""The last cases of `affine-coupling`: a large alpha and m, and many values in a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Inputs, Slip
from coursekit.checks.flows.coupling_logdet import LOGDET, LOOK_LOG, logs
from coursekit.checks.flows.coupling_values import (
    LOOK_BACK,
    LOOK_FORWARD,
    NETWORK,
    VALUES,
    Moved,
    coupling,
    move,
    scaled,
)
from coursekit.checks.parts import normal


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a network whose alpha and m may be any numbers."""

    def network(kept: Tensor) -> tuple[Tensor, ...]:
        return (kept @ inputs[NETWORK]).chunk(2, dim=1)

    network.__qualname__ = "network"
    return inputs["x"], inputs["mask"], network, inputs["inverse"]


def _cases() -> list[Case]:
    """Make the cases with a large alpha and m, and with many values in a row."""
    rows = torch.tensor([[1.0, 0.5, -2.0, 3.0], [-1.0, 0.3, 1.5, -0.4]], dtype=torch.float64)
    far = torch.tensor([[4.0, -4.0, 30.0, 20.0, -20.0, 1.0]], dtype=torch.float64)
    noise, shifts = normal(620, (2, 400), (1, 400))
    many = torch.cat([torch.tensor([[1.0], [-1.0]]), noise], dim=1)
    ones = torch.cat([1 + 0.1 * shifts, shifts], dim=1)

    def case(x: Tensor, weights: Tensor, inverse: bool, title: str, clue: str) -> Case:
        mask = torch.arange(x.shape[1]) < 1
        inputs = {"x": x, "mask": mask, NETWORK: weights, "inverse": inverse}
        return Case(inputs, title + (", inverse = True" if inverse else ""), clue)

    large = "alpha and m may be any numbers: nothing is limited, rounded or padded here."
    wide = "A row may have many values: the product of so many numbers is 0 or infinite."
    return [
        *(
            case(rows, far, inverse, "alpha of 4, -4 and 30, m of 20, in float64", large)
            for inverse in (False, True)
        ),
        *(
            case(many, ones, inverse, "2 rows of 401 values, alpha near 1 and -1", wide)
            for inverse in (False, True)
        ),
    ]


_LIMITS = (1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 15.0, 20.0)
_LIMITED = "alpha is limited: it may be any number."


def _bounded(most: float) -> list[Moved]:
    """Alpha is limited, hard or softly."""
    return [
        scaled(lambda a: a.clamp(-most, most).exp()),
        scaled(lambda a: (most * (a / most).tanh()).exp()),
    ]


def _small_shift(most: float) -> Moved:
    return lambda x, a, m, inverse: move(x, a, m.clamp(-most, most), inverse)


def _padded(small: float) -> Moved:
    """Something small is added to the scale where it is divided by."""
    return lambda x, a, m, inverse: x * a.exp() + m if inverse else (x - m) / (a.exp() + small)


def _sum_of_bounded(most: float) -> Moved:
    return lambda x, a, m, inverse: (a if inverse else -a).clamp(-most, most).sum(dim=1)


FAR_VALUES = replace(
    VALUES,
    cases=_cases,
    arguments=_arguments,
    slopes=(),
    slips=[
        *(Slip(coupling(bounded), _LIMITED, LOOK_BACK) for k in _LIMITS for bounded in _bounded(k)),
        *(
            Slip(
                coupling(_small_shift(k)),
                "m is limited: it may be any number.",
                LOOK_BACK,
            )
            for k in _LIMITS[:-1]
        ),
        *(
            Slip(
                coupling(_padded(k)),
                "Something small is added to the scale, which is never 0: the round trip breaks.",
                LOOK_FORWARD,
            )
            for k in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
        ),
    ],
)

FAR_LOGDET = replace(
    LOGDET,
    cases=_cases,
    arguments=_arguments,
    slopes=(),
    slips=[
        Slip(
            logs(lambda x, a, m, i: (a if i else -a).exp().prod(dim=1).log()),
            "The derivatives are multiplied first, and the product of so many is 0 or infinite: "
            "sum their logarithms.",
            LOOK_LOG,
        ),
        *(Slip(logs(_sum_of_bounded(k)), _LIMITED, LOOK_LOG) for k in _LIMITS),
    ],
)
