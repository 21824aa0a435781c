"""The sentences of the checks: numbers in print, and what a pattern of wrong numbers suggests."""

from __future__ import annotations

import linecache
import math
import textwrap
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.findings import by_statement

CHANGED = (
    "changes its input {} in place: whoever called it finds other numbers there afterwards. "
    "Avoid operations whose name ends in an underscore, +=, and writing into an element."
)
NO_SLOPE = (
    "no gradient reaches {}: did you detach, or use .data, .item(), numpy or torch.no_grad(), "
    "or round?"
)
WRONG_SLOPE = (
    "the gradient that reaches {} is wrong: is a part of the calculation detached, clamped "
    "or rounded?"
)
NAN_SLOPE = (
    "the gradient that reaches {} is not finite: somewhere on the way a number overflows, "
    "or a branch that is thrown away divides by zero."
)
LOOK_SLOPE = (
    "Follow the calculation from the result back to the inputs: at which line does "
    ".requires_grad become False, or a function with a flat slope come in?"
)
UNUSED = "It does not change when {} changes: have you left that out?"

# What an error of torch's usually means here.
_ERRORS = {
    "in-place operation": "You change an input in place: write a new tensor instead.",
    "modified inplace": "You change in place what a function has returned: write a new tensor "
    "instead.",
    "modified by an inplace": "You change a tensor in place that the gradient needs: "
    "write a new tensor instead.",
    "call numpy() on tensor": "numpy breaks the gradient: stay with torch's functions.",
    "only one element tensors": "Functions of math take single numbers: "
    "use torch's own for tensors.",
    "only integer tensors": "Functions of math take single numbers: use torch's own for tensors.",
    "must be Tensor, not float": "A function of torch was given a plain number: "
    "math has functions for those.",
    "Expected parameter scale": "A standard deviation must be positive: what is yours made from?",
    "Dimension out of range": "There are fewer axes here than you name: their number may vary.",
    "-1]' is invalid for input of size": "What is left does not fill rows of equal length: a mask "
    "may leave each picture another number of entries.",
    "invalid for input of size": "A size stands there as a number: take it from the inputs.",
    "does not require grad": "Ask which tensors have requires_grad: a copy has it only if you "
    "switch it on, and nothing gets it inside no_grad.",
    "same dtype": "A tensor that you make has another precision than the inputs: give it theirs.",
    "torch.return_types": "Along an axis torch gives the values and their positions: take .values.",
    "can only concatenate tuple": "One of the two is a pair, as of values and positions: take "
    "its .values.",
    "positional argument": "The arguments must be those of the exercise, in that order.",
}
_SIGN_VARIES = "It has the right size, but sometimes the wrong sign: does an abs() hide there?"
_FACTORS = {
    2.0: "It is twice what it should be: is a factor missing in front?",
    0.5: "It is half of what it should be: is there a factor too many in front?",
    -1.0: "It has the right size and the wrong sign.",
    -2.0: "It has the wrong sign, and is twice too large: is a factor missing in front?",
    -0.5: "It has the wrong sign and half the size it should have.",
    1 / math.log(2): "It is in bits: nats were asked, so use the natural logarithm.",
    -1 / math.log(2): "It is in bits and has the wrong sign: nats were asked.",
    1 / math.log(10): "You use the logarithm to base 10: nats need the natural one.",
}


def number(value: float) -> str:
    """Print a number shortly: "4.0", "-0.4402", "1.5e-09", "nan"."""
    if math.isfinite(value) and value == round(value) and abs(value) < 1e6:
        return f"{value:.1f}"
    return f"{value:.4g}"


def numbers(value: Tensor) -> str:
    """Print a tensor as nested lists: "[[2., 0.]]"."""
    if value.dim() == 0:
        text = f"{value.item():.4g}"
        plain = value.is_floating_point() and text.lstrip("-").isdigit()
        return text + "." if plain else text
    return "[" + ", ".join(numbers(row) for row in value) + "]"


def assignments(inputs: Mapping[str, Any]) -> str:
    """Print small inputs: "mu = [[2., 0.]], log_var = [[0., 0.]]"."""
    return ", ".join(
        f"{name} = {numbers(value.detach()) if isinstance(value, Tensor) else value}"
        for name, value in inputs.items()
    )


def listed(names: Sequence[str]) -> str:
    """Join names: "mu", "mu and log_var", "x, mean and log_var"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def first_wrong_row(value: Tensor, right: Tensor) -> int:
    """Index of the first picture whose value is wrong."""
    value = value.detach().double().cpu()
    wrong = ~torch.isclose(value, right.double(), rtol=1e-4, atol=1e-4)
    return int(wrong.view(len(right), -1).any(dim=1).int().argmax())


def entry(value: Tensor, index: int) -> str:
    """Print one row of a result: "4.0", or "[1., 2.]" where it has several numbers."""
    one = value.detach()[index]
    return number(one.item()) if one.dim() == 0 else numbers(one)


def row(value: Tensor, index: int) -> str:
    """Print one row and say which one it is: "4.0", or "4.0 in row 3" where there are several."""
    return entry(value, index) + (f" in row {index}" if len(value) > 1 else "")


def shape_problem(value: Any, right: Tensor, inputs: Mapping[str, Any], shape: str) -> str | None:
    """Say what is wrong with the type or the shape of a result; None where nothing is."""
    wanted = f"shape {shape}, here {tuple(right.shape)}, was asked"
    if value is None:
        return "nothing (None): is the line with `return` missing?"
    if type(value) is not Tensor:
        kind = "a Python number" if isinstance(value, (int, float)) else _kind(value)
        return f"{kind}; a tensor of {wanted}."
    if not value.is_floating_point():
        return f"a tensor of {value.dtype}; floating-point numbers were asked."
    if value.shape == right.shape:
        return None
    reason = _shape_reason(value, right, inputs)
    return f"a tensor of shape {tuple(value.shape)}; {wanted}. {reason}"


def _kind(value: Any) -> str:
    name = type(value).__name__
    if type(value).__module__ == "numpy":
        return f"a numpy {name}"
    return f"an object of type {name}"


def _shape_reason(value: Tensor, right: Tensor, inputs: Mapping[str, Any]) -> str:
    given = [tuple(t.shape) for t in inputs.values() if isinstance(t, Tensor)]
    mine, batch = tuple(value.shape), tuple(right.shape)
    if mine in ((*batch, 1), (1, *batch)):
        return "An axis of length 1 is left over: drop it."
    if value.numel() == right.numel() == 1 and value.dim() < right.dim():
        return (
            "An axis of length 1 is missing: did a squeeze, or a sum or mean over the batch, "
            "remove it?"
        )
    if len(mine) > 1 and mine == batch[::-1]:
        return "The axes are exchanged: which one comes first in the shape that was asked?"
    if value.numel() == 1:
        return "You reduced over the batch too: each picture keeps a number of its own."
    if value.dim() < right.dim():
        return "An axis is missing: was something summed, or a single row picked?"
    if value.dim() > right.dim():
        if mine in given:
            return "Nothing was summed: the dimensions are still apart."
        return "Something is still to be summed, or shapes were broadcast against each other."
    return "You reduced over the wrong axis: the pictures' own axis has gone."


def pattern(pairs: Sequence[tuple[Tensor, Tensor]], alone: bool = False) -> str:
    """Say what wrong and right values have in common over all cases; "" if nothing is found.

    Args:
        pairs: values and right values of each case.
        alone: whether a single case fails, so that only the plainest patterns mean anything.
    """
    value = torch.cat([mine.flatten() for mine, _ in pairs])
    right = torch.cat([true.flatten() for _, true in pairs])
    if not value.isfinite().all():
        return ""
    if bool((value == value[0]).all()):
        return f"It is {number(value[0].item())} whatever the inputs are: is it computed at all?"
    if torch.allclose(value.abs(), right.abs(), rtol=1e-4, atol=1e-4):
        always = torch.allclose(value, -right, rtol=1e-4, atol=1e-4)
        return _FACTORS[-1.0] if always else _SIGN_VARIES
    return "" if alone else _factor(value, right) or _offset(pairs) or _rows(pairs)


def _factor(value: Tensor, right: Tensor) -> str:
    ratio = value / right
    if bool(((ratio - 1).abs() < 0.01).all()):
        return "It is nearly right: is a number rounded, or something small added?"
    if not torch.isclose(ratio, ratio[:1], rtol=2e-3).all():
        return ""
    for factor, sentence in _FACTORS.items():
        if math.isclose(ratio[0].item(), factor, rel_tol=2e-3):
            return sentence
    return f"It is {number(ratio[0].item())} times what it should be in every case: why?"


def _offset(pairs: Sequence[tuple[Tensor, Tensor]]) -> str:
    apart = [((mine - true).flatten(), true.abs().flatten()) for mine, true in pairs]
    if not all(_alike(difference, difference[0].item(), size) for difference, size in apart):
        return ""
    first = apart[0][0][0].item()
    if all(_alike(difference, first, size) for difference, size in apart):
        return (
            f"It is too {'large' if first > 0 else 'small'} by {number(abs(first))} in every "
            "case: is a constant missing, or counted twice?"
        )
    if all(len(difference) == 1 for difference, _ in apart):
        return ""  # one number for each case is always off by an amount of its own
    return (
        "It is off by an amount that depends on the shape of the inputs only: "
        "how often is each constant counted?"
    )


def _alike(differences: Tensor, wanted: float, size: Tensor) -> bool:
    """Whether all differences are the wanted one, but for the rounding of large values."""
    return bool(((differences - wanted).abs() <= 1e-3 + 1e-6 * (size + size[0])).all())


def _rows(pairs: Sequence[tuple[Tensor, Tensor]]) -> str:
    right = [
        torch.isclose(mine, true, rtol=1e-4, atol=1e-4).view(len(true), -1).all(dim=1)
        for mine, true in pairs
        if len(true) > 1
    ]
    first_only = [bool(rows[0]) and not rows[1:].any() for rows in right]
    settled = [first or bool(rows.all()) for first, rows in zip(first_only, right, strict=True)]
    if sum(first_only) > 1 and all(settled):
        return "Only the first row of each batch is right: each needs its own calculation."
    return ""


def clue(value: Tensor, text: str, printed: bool) -> str:
    """Say the little that is known where no pattern was found.

    Args:
        value: the student's values.
        text: what is special about the case.
        printed: whether the message shows the case's inputs.
    """
    if value.isnan().any():
        return (
            "Something on the way is not a number: 0 times infinity, or the logarithm of a "
            f"negative number. {text}"
        ).strip()
    if value.isinf().any():
        return f"Something on the way overflows, or is the logarithm of zero. {text}".strip()
    by_hand = "Redo this case with pencil and paper."
    return text or (by_hand if printed else "No slip that is known here gives this number.")


def stopped(error: Exception) -> str:
    """Say where in the student's code an error arose, and what it usually means."""
    text = str(error).strip().splitlines()
    first = textwrap.shorten(text[0], 120, placeholder=" ...") if text else ""
    sentence = f"your code stops with {type(error).__name__}: {first}".rstrip(": ")
    sentence += "" if sentence.endswith(".") else "."
    torch_folder, own = Path(torch.__file__).parent, Path(__file__).parent
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if torch_folder in path.parents or own in path.parents:
            continue
        line = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
        if line:
            sentence += f' It happens in your line "{line}".'
        break
    if _refused(error):
        return f"{sentence} You refuse a case that is allowed."
    for fragment, advice in _ERRORS.items():
        if fragment in str(error):
            return f"{sentence} {advice}"
    return sentence


def _refused(error: Exception) -> bool:
    """Whether an error is a ValueError that the student's own code raises."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or not isinstance(error, ValueError):
        return False
    path = Path(trace.tb_frame.f_code.co_filename).as_posix()
    elsewhere = "lib/python" in path or "site-packages" in path
    return not elsewhere and by_statement(error)


def look_stopped(
    error: Exception, look: str = "Print the shapes and types of all that enters this line."
) -> str:
    """Say where to look when the student's code stops; `look` where nothing special is known."""
    if _refused(error):
        return "What does the docstring allow, and which of your conditions does this case meet?"
    if "inplace" in str(error) or "in-place" in str(error):
        return "Which line ends in an underscore, has += or the like, or writes into an element?"
    return look
