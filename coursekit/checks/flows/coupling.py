"""Check of `affine-coupling`: a part of x passes through and moves the rest, both ways."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from coursekit.checks.engine import Function, run
from coursekit.checks.flows.answers import Several
from coursekit.checks.flows.coupling_far import FAR_LOGDET, FAR_VALUES
from coursekit.checks.flows.coupling_logdet import LOGDET
from coursekit.checks.flows.coupling_values import VALUES

ANSWER = Several(
    ("y", "logdet"),
    ("(B, D)", "(B,)"),
    lambda inputs: [inputs["x"].shape, inputs["x"].shape[:1]],
)


def _as_called(function: Function) -> Function:
    """Leave `inverse` out where it is false, and name it where it is true."""

    def call(x: Tensor, mask: Tensor, network: Function, inverse: bool) -> Any:
        return function(x, mask, network, **({"inverse": True} if inverse else {}))

    return call if callable(function) else function


def affine_coupling(function: Function) -> None:
    """Check `affine_coupling(x, mask, network, inverse=False) -> (y (B, D), logdet (B,))`."""
    __tracebackhide__ = True
    called = _as_called(function)
    ordinary = ANSWER.parts(called, (VALUES, LOGDET))
    run("affine-coupling", *ordinary, *ANSWER.parts(called, (FAR_VALUES, FAR_LOGDET)))
