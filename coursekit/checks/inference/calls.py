"""What numbers alone do not show: answers that are pairs, and what a call leaves behind.

The engine compares one tensor for each case. Here the student's function is called once more
before that, and a look at the call says what is wrong with the kind of its answer or with the
inputs afterwards; then the answer goes on to the engine, a pair joined to one tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from coursekit.checks import wording
from coursekit.checks.engine import Case, Check, Function, close, run
from coursekit.checks.findings import Finding


@dataclass(frozen=True)
class Call:
    """One call of the student's function: its case, its arguments and what came back."""

    case: Case
    arguments: tuple[Any, ...]
    value: Any
    right: Tensor

    @property
    def place(self) -> str:
        """How a message about this call begins."""
        return f"for {self.case.name()}: "

    @property
    def agrees(self) -> bool:
        """Whether one tensor came back, and the right one."""
        if type(self.value) is not Tensor or self.value.shape != self.right.shape:
            return False
        return close(self.value, self.right, self.case.tolerance)


@dataclass(frozen=True)
class Pair:
    """What a function returns that was asked for two tensors of the same shape.

    Args:
        names: of the two.
        shape: of each, in words.
        whole: whether they hold whole numbers of type int64.
    """

    names: tuple[str, str]
    shape: str
    whole: bool = False

    def joined(self, value: Any) -> Tensor:
        """Make one tensor, (B, 2, ...), of the two."""
        first, second = value
        both = torch.stack([first, second], dim=1)
        return both.double() if self.whole else both

    def look(self, call: Call) -> None:
        """Raise a `Finding` where an answer is not such a pair."""
        wanted = f"a pair ({', '.join(self.names)}) was asked"
        if not isinstance(call.value, (tuple, list)):
            kind = "nothing (None)" if call.value is None else "one thing"
            raise Finding(f"{call.place}you return {kind}; {wanted}.", _DOCSTRING)
        if len(call.value) != 2:
            raise Finding(f"{call.place}you return {len(call.value)} things; {wanted}.", _DOCSTRING)
        for index, name in enumerate(self.names):
            problem = self._problem(call, call.value[index], call.right[:, index])
            if problem:
                raise Finding(f"{call.place}your {name} is {problem}", _DOCSTRING)

    def _problem(self, call: Call, value: Any, right: Tensor) -> str | None:
        if self.whole and type(value) is Tensor:
            if value.dtype != torch.int64:
                return (
                    f"of type {value.dtype}; whole numbers of type torch.int64 were asked: the "
                    "number of a row."
                )
            value = value.double()
        return wording.shape_problem(value, right, call.case.inputs, self.shape)


_DOCSTRING = "What does the docstring say is returned?"


def run_looked(
    exercise: str,
    check: Check,
    function: Function,
    looks: Sequence[Callable[[Call], None]],
    pair: Pair | None = None,
    late: bool = False,
) -> None:
    """Check a function as `engine.run` does, after a look at each call.

    Args:
        exercise: the exercise's id.
        check: its cases, reference and slips; these return joined tensors where `pair` is given.
        function: the student's.
        looks: each raises a `Finding` where a call is not as it should be.
        pair: what the function returns, if two tensors were asked.
        late: whether to look only where the values are right in all cases.

    Raises:
        CheckFailed: for a wrong answer.
        NotImplementedError: where the student's function has not been written.
    """
    __tracebackhide__ = True

    def cases() -> Sequence[Case]:
        found = list(check.cases())
        calls = [_call(check, case, function) for case in found]
        if not late or all(call is not None and call.agrees for call in calls):
            for call in filter(None, calls):
                for look in [pair.look, *looks] if pair else looks:
                    look(call)
        return found

    def joined(*arguments: Any) -> Any:
        value = function(*arguments)
        return pair.joined(value) if pair else value

    run(exercise, (replace(check, cases=cases), joined if callable(function) else function))


def _call(check: Check, case: Case, function: Function) -> Call | None:
    """Call the function on copies; None where it stops, which the engine reports."""
    copies = {
        name: value.clone().requires_grad_(name in check.slopes).clone()
        if isinstance(value, Tensor)
        else value
        for name, value in case.inputs.items()
    }
    arguments = check.arguments(copies)
    right = check.reference(*check.arguments(case.inputs)).detach()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(1)
            value = function(*arguments)
    except Exception:  # the engine calls it again, and says where it stopped
        return None
    return Call(case, arguments, value, right)
