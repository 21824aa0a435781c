"""Answers that are one number for the whole batch: a tensor of shape ().

The engine compares tensors with at least one axis. A look at each call says what is wrong with the
kind of the answer; then the number goes on to the engine as a tensor of shape (1,).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function
from coursekit.checks.findings import Finding

_DOCSTRING = "What does the docstring say is returned, and of which shape?"


@dataclass(frozen=True)
class Call:
    """One call of the student's function: its case, its arguments and what came back."""

    case: Case
    arguments: tuple[Any, ...]
    value: Any

    @property
    def place(self) -> str:
        """How a message about this call begins."""
        return f"for {self.case.name()} "


Look = Callable[[Call], None]


def looked(check: Check, function: Function, looks: Sequence[Look]) -> Check:
    """Put looks at each call before a check.

    Args:
        check: its cases are called once, in order.
        function: the student's.
        looks: each raises a `Finding` where a call is not as it should be.

    Returns:
        The check whose cases begin with the looks.
    """

    def cases() -> Sequence[Case]:
        found = list(check.cases())
        for case in found:
            call = _call(check, case, function)
            if call is not None:
                for look in looks:
                    look(call)
        return found

    return replace(check, cases=cases)


def number(call: Call) -> None:
    """Raise a `Finding` where an answer is not a tensor of shape ()."""
    value, wanted = call.value, "one number, a tensor of shape (), was asked"
    if value is None:
        problem = "nothing (None): is the line with `return` missing?"
    elif isinstance(value, (tuple, list)):
        problem = f"{len(value)} things; {wanted}."
    elif isinstance(value, (int, float)):
        problem = f"a Python number; {wanted}: .item() and float cut the gradient off."
    elif type(value) is not Tensor:
        problem = f"an object of type {type(value).__name__}; {wanted}."
    elif not value.is_floating_point():
        problem = f"a tensor of {value.dtype}; floating-point numbers were asked."
    elif value.dim():
        problem = f"a tensor of shape {tuple(value.shape)}; {wanted}: what is to be averaged?"
    else:
        return
    raise Finding(f"{call.place}you return {problem}", _DOCSTRING)


def as_row(function: Function) -> Any:
    """The function with its number as a tensor of shape (1,); what is no function stays."""

    def row(*arguments: Any) -> Any:
        value = function(*arguments)
        return value[None] if type(value) is Tensor and value.dim() == 0 else value

    return row if callable(function) else function


def _call(check: Check, case: Case, function: Function) -> Call | None:
    """Call the function on copies; None where it stops, which the engine reports."""
    copies = {
        name: value.clone().requires_grad_(name in check.slopes).clone()
        if isinstance(value, Tensor)
        else value
        for name, value in case.inputs.items()
    }
    arguments = check.arguments(copies)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(1)
            value = function(*arguments)
    except Exception:  # the engine calls it again, and says where it stopped
        return None
    return Call(case, arguments, value)
