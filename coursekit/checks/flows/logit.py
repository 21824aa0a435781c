"""Check of `logit-preprocessing`: grey values spread over all real numbers, with the logdet."""

from __future__ import annotations

from coursekit.checks.engine import Function, run
from coursekit.checks.flows.answers import Several
from coursekit.checks.flows.logit_logdet import LOGDET
from coursekit.checks.flows.logit_values import VALUES

ANSWER = Several(
    ("y", "logdet"),
    ("(B, ...)", "(B,)"),
    lambda inputs: [inputs["x"].shape, inputs["x"].shape[:1]],
)


def logit_preprocessing(function: Function) -> None:
    """Check `logit_with_logdet(x, alpha) -> (y, logdet (B,))`, y of the shape of x."""
    __tracebackhide__ = True
    run("logit-preprocessing", *ANSWER.parts(function, (VALUES, LOGDET)))
