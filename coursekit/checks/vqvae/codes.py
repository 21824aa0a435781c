"""Answers that are numbers of codes: whole numbers of type int64, which the engine sees as floats.

The engine compares floating-point tensors. Here the whole numbers are made comparable on the way
there, and printed as whole numbers in what comes back.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Check, Function, run
from coursekit.checks.findings import CheckFailed

# A whole number printed as a float, alone or in a list.
_FLOAT = re.compile(r"(?<![\w.])(-?\d+)(?:\.0\b|\.(?=[,\]]))")


def as_numbers(function: Function) -> Function:
    """The function with its whole numbers made comparable; other types are named as they are."""

    def wrapped(*arguments: Any) -> Any:
        value = function(*arguments)
        if type(value) is not Tensor:
            return value
        if value.dtype == torch.int64:
            return value.double()
        return type(f"Tensor of {value.dtype}", (), {})()

    return wrapped if callable(function) else function


def run_codes(exercise: str, *parts: tuple[Check, Function]) -> None:
    """Check an exercise as `engine.run` does, and print whole numbers without a point.

    Args:
        exercise: the exercise's id.
        parts: checks, and functions that went through `as_numbers`.

    Raises:
        CheckFailed: for a wrong answer.
        NotImplementedError: where the student's function has not been written.
    """
    __tracebackhide__ = True
    message = ""
    try:
        run(exercise, *parts)
    except CheckFailed as failed:
        start, found, rest = str(failed).partition(" you return ")
        message = start + found + _FLOAT.sub(r"\1", rest)
    if message:
        raise CheckFailed(message)
