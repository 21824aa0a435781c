"""Check of `flow-loss-bug`, with its last cases: both ends of the range, and losses of any size."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Function, Slip, run
from coursekit.checks.flows.loss_cases import (
    BASE,
    CHECK,
    FLOW,
    KEPT,
    LOOK_X,
    Seen,
    bent,
    made_loss,
    seen_at,
)


def _edge_cases() -> list[Case]:
    """Make the cases at both ends of the range, of very large and small losses."""
    cut = "Nothing is cut off: neither x near 0 and 1, nor the noise, nor a loss of any size."

    def case(levels: list[int], noise: Tensor, stretch: float, centre: float, title: str) -> Case:
        v = torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1)
        shift = -math.exp(stretch) * bent(torch.tensor(centre, dtype=torch.float64)).item()
        flow = torch.tensor([[stretch], [shift]]).to(noise)
        inputs = {"v": v, "noise": noise.view(v.shape), FLOW: flow, BASE: torch.zeros(1).to(noise)}
        return Case(inputs, title, cut)

    double = torch.float64
    black = case(
        [0, 0, 1],
        torch.tensor([0.0, 1e-8, 0.5]),
        20.0,
        0.0,
        "3 pictures of a single pixel of level 0 or 1, some with noise of 0",
    )
    white = case(
        [255, 255],
        torch.tensor([1 - 2**-24, 0.999], dtype=double),
        9.2,
        1.0,
        "2 pictures of a single pixel of level 255, noise nearly 1, in float64",
    )
    never = Case(
        {**black.inputs, BASE: torch.tensor([math.inf])},
        "3 pictures of a single pixel, and a base that gives them no density at all",
        "A loss that is infinite is to be seen as such.",
    )
    one = {
        name: value[:1] if name in ("v", "noise") else value for name, value in black.inputs.items()
    }
    kept = Case({**one, KEPT: torch.tensor([2.5])}, "a flow that keeps the logdet it returns")
    return [black, white, never, kept]


def _place_inside(small: float) -> Seen:
    return lambda v, noise: seen_at(v, noise).clamp(small, 1 - small)


def _noise_inside(small: float) -> Seen:
    return lambda v, noise: seen_at(v, noise.clamp(small, 1 - small))


EDGES = replace(
    CHECK,
    cases=_edge_cases,
    slopes=(),
    slips=[
        *(
            Slip(
                made_loss(_place_inside(small)),
                "x is kept away from 0 and 1: it may come near to both.",
                LOOK_X,
            )
            for small in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
        ),
        *(
            Slip(
                made_loss(_noise_inside(small)),
                "The noise is kept away from 0 and 1: it is to be used as it is given.",
                LOOK_X,
            )
            for small in (0.05, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)
        ),
    ],
)


def flow_loss_bug(function: Function) -> None:
    """Check `flow_loss(v, noise, forward, base_log_prob) -> (B,)`."""
    __tracebackhide__ = True
    run("flow-loss-bug", (CHECK, function), (EDGES, function))
