"""Check of `logit-preprocessing`: grey values spread over all real numbers, with the logdet."""

from __future__ import annotations

from coursekit.checks.engine import Function, run
from coursekit.checks.flows.answers import Several
from coursekit.checks.flows.logit_logdet import EXACT_LOGDET, LOGDET
from coursekit.checks.flows.logit_values import EXACT_VALUES, VALUES

ANSWER = Several(
    ("y", "logdet"),
    ("(B, ...)", "(B,)"),
    lambda inputs: [inputs["x"].shape, inputs["x"].shape[:1]],
)


def logit_preprocessing(function: Function) -> None:
    """Check `logit_with_logdet(x, alpha) -> (y, logdet (B,))`, y of the shape of x."""
    __tracebackhide__ = True
    ordinary = ANSWER.parts(function, (VALUES, LOGDET))
    run("logit-preprocessing", *ordinary, *ANSWER.parts(function, (EXACT_VALUES, EXACT_LOGDET)))
