"""How answers that are whole numbers are checked: exactly, an int or a list of them.

The engine compares floating-point tensors. Here a first pass looks at the numbers as they are and
says what is wrong with them; what it lets through goes on to the engine, as tensors.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from coursekit.checks import wording
from coursekit.checks.engine import Case, Check, Function, run
from coursekit.checks.findings import Finding, not_written

_FACTORS = {
    2.0: "It is twice what it should be: is something counted twice?",
    0.5: "It is half of what it should be: is a half left out?",
    -1.0: "It has the right size and the wrong sign.",
}


def whole(values: Sequence[int]) -> Tensor:
    """Make the tensor that a reference or a slip returns, exact for whole numbers."""
    return torch.tensor(values, dtype=torch.float64)


def run_whole(exercise: str, check: Check, function: Function, listed: bool = False) -> None:
    """Check a function that returns an int, or a list of ints where `listed`.

    Args:
        exercise: the exercise's id.
        check: its cases, whose inputs are numbers and lists; reference and slips return `whole`.
        function: the student's.
        listed: whether a list was asked.

    Raises:
        CheckFailed: for a wrong answer.
        NotImplementedError: where the student's function has not been written.
    """
    __tracebackhide__ = True

    def cases() -> Sequence[Case]:
        found = list(check.cases())
        _examine(check, found, function, listed)
        return found

    def as_tensor(*arguments: Any) -> Tensor:
        value = function(*copy.deepcopy(arguments))
        return whole(value if listed else [value])

    run(exercise, (replace(check, cases=cases), as_tensor if callable(function) else function))


@dataclass
class _Result:
    case: Case
    right: list[int]
    value: Any = None
    finding: Finding | None = None

    @property
    def mine(self) -> list[int]:
        return self.value if isinstance(self.value, list) else [self.value]


def _examine(check: Check, cases: Sequence[Case], function: Function, listed: bool) -> None:
    """Raise a `Finding` about the first case whose answer is wrong."""
    __tracebackhide__ = True
    results = [_call(check, case, function, listed) for case in cases]
    for result in results:
        if result.finding is not None:
            raise result.finding
        if result.mine != result.right:
            raise _explained(check, results, result)


def _call(check: Check, case: Case, function: Function, listed: bool) -> _Result:
    """Call the function on copies of the inputs, and note whatever it does."""
    __tracebackhide__ = True
    given = copy.deepcopy(dict(case.inputs))
    right = [int(number) for number in check.reference(*case.inputs.values()).tolist()]
    result = _Result(case, right)
    place = f"for {case.name()} "
    try:
        with torch.random.fork_rng(devices=[]):
            result.value = function(*given.values())
            again = function(*copy.deepcopy(tuple(case.inputs.values())))
    except Exception as error:
        if isinstance(error, NotImplementedError) and not_written(error):
            raise
        what = place + wording.stopped(error) + (f" {case.clue}" if case.clue else "")
        result.finding = Finding(
            what, wording.look_stopped(error, "Print all that enters this line.")
        )
        return result
    changed = [name for name, value in case.inputs.items() if given[name] != value]
    problem = _kind_problem(result.value, listed)
    if changed:
        result.finding = Finding(f"{place}your function {wording.CHANGED.format(changed[0])}")
    elif problem:
        result.finding = Finding(
            f"{place}you return {problem}", "What does the docstring say is returned?"
        )
    elif again != result.value:
        result.finding = Finding(
            f"{place}two calls with the same inputs give different answers: is something "
            "remembered from one call to the next?"
        )
    return result


def _kind_problem(value: Any, listed: bool) -> str:
    """Say what is wrong with the type of an answer; "" where nothing is."""
    wanted = "a list of whole numbers (int)" if listed else "a whole number (int)"
    if value is None:
        return "nothing (None): is the line with `return` missing?"
    if listed and not isinstance(value, list):
        return f"{_named(value)}; {wanted} was asked."
    for number in value if listed else [value]:
        if isinstance(number, float):
            return f"{value}; {wanted} was asked. One slash divides to a float, even without rest."
        if isinstance(number, bool) or not isinstance(number, Integral):
            held = "a list that holds " if listed else ""
            return f"{held}{_named(number)}; {wanted} was asked."
    return ""


def _named(value: Any) -> str:
    if isinstance(value, (int, float, tuple)):
        return f"{value}, a {type(value).__name__}"
    return f"an object of type {type(value).__name__}"


def _explained(check: Check, results: list[_Result], failed: _Result) -> Finding:
    """Make the `Finding` that explains best why `failed` is wrong."""
    start = f"for {failed.case.name()} you return {failed.value}"
    usable = [result for result in results if result.finding is None]
    for slip in check.slips:
        if all(_agrees(slip.wrong, result) for result in usable):
            return Finding(f"{start}. {slip.what}", slip.look)
    good = sum(result.finding is None and result.mine == result.right for result in results)
    score = f" It is right on {good} of {len(results)} cases so far." if good else ""
    reason = _pattern(usable)
    if len(failed.mine) != len(failed.right):
        reason = f"Those are {len(failed.mine)} numbers, not {len(failed.right)}."
    if reason:
        return Finding(f"{start}. {reason}{score}")
    right = failed.right if isinstance(failed.value, list) else failed.right[0]
    clue = failed.case.clue or "Redo this case with pencil and paper."
    return Finding(f"{start}; the right answer is {right}. {clue}{score}")


def _agrees(wrong: Function, result: _Result) -> bool:
    """Whether the student's numbers are those of a slip."""
    try:
        values = wrong(*copy.deepcopy(tuple(result.case.inputs.values())))
    except (RuntimeError, IndexError, ValueError):
        return False
    return result.mine == values.tolist()


def _pattern(results: list[_Result]) -> str:
    """Say what wrong and right numbers have in common over all cases; "" if nothing is found."""
    pairs = [(result.mine, result.right) for result in results]
    if any(len(mine) != len(right) for mine, right in pairs):
        return ""
    values = [number for mine, _ in pairs for number in mine]
    rights = [number for _, right in pairs for number in right]
    if len(set(values)) == 1:
        return f"It is {values[0]} whatever the inputs are: is it computed at all?"
    for factor, sentence in _FACTORS.items():
        if values == [factor * right for right in rights]:
            return sentence
    offsets = {value - right for value, right in zip(values, rights, strict=True)}
    if len(offsets) == 1:
        offset = offsets.pop()
        return (
            f"It is too {'large' if offset > 0 else 'small'} by {abs(offset)} in every case: is "
            "something left out, or counted twice?"
        )
    return ""
