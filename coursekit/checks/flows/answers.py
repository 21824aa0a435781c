"""Answers of several tensors: a look at their number and shapes, and one part of them at a time.

The engine compares one tensor for each case. A function that returns two or three is looked at
first, and then each of its parts goes through a check of its own, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from coursekit.checks import wording
from coursekit.checks.engine import Case, Check, Function, Inputs
from coursekit.checks.findings import Finding

_DOCSTRING = "What does the docstring say is returned, in which order and of which shape?"


@dataclass(frozen=True)
class Several:
    """What a function returns that was asked for several tensors.

    Args:
        names: theirs, in order.
        shapes: theirs, in words.
        sizes: makes the shapes from a case's inputs.
    """

    names: tuple[str, ...]
    shapes: tuple[str, ...]
    sizes: Callable[[Inputs], Sequence[Sequence[int]]]

    def parts(self, function: Function, checks: Sequence[Check]) -> list[tuple[Check, Function]]:
        """Make the parts of an exercise, for `engine.run`.

        Args:
            function: the student's.
            checks: one for each tensor; the first one's cases are looked at.

        Returns:
            Each check with a function that gives its tensor alone.
        """
        looked = [self._looking(checks[0], function), *checks[1:]]
        return [(check, _part(function, index)) for index, check in enumerate(looked)]

    def _looking(self, check: Check, function: Function) -> Check:
        def cases() -> Sequence[Case]:
            found = list(check.cases())
            # several rows say more about an axis than a single one
            for case in sorted(found, key=lambda case: self.sizes(case.inputs)[-1][0] == 1):
                self._look(check, case, function)
            return found

        return replace(check, cases=cases)

    def _look(self, check: Check, case: Case, function: Function) -> None:
        """Raise a `Finding` where the number, a type or a shape is wrong."""
        copies = {
            name: value.clone().requires_grad_(name in check.slopes).clone()
            if isinstance(value, Tensor)
            else value
            for name, value in case.inputs.items()
        }
        try:
            with torch.random.fork_rng(devices=[]):
                value = function(*check.arguments(copies))
        except Exception:  # the engine calls it again, and says where it stopped
            return
        place, problem = f"for {case.name()} ", self._problem(case, value)
        if problem:
            raise Finding(place + problem, _DOCSTRING)

    def _problem(self, case: Case, value: Any) -> str:
        wanted = f"({', '.join(self.names)}) was asked"
        if not isinstance(value, (tuple, list)):
            kind = "nothing (None)" if value is None else "one thing"
            return f"you return {kind}; {wanted}."
        if len(value) != len(self.names):
            return f"you return {len(value)} things; {wanted}."
        sizes = [tuple(size) for size in self.sizes(case.inputs)]
        given = [tuple(t.shape) if isinstance(t, Tensor) else () for t in value]
        if given != sizes and given == sizes[::-1]:
            return f"the order is wrong: {wanted}."
        for name, one, size, shape in zip(self.names, value, sizes, self.shapes, strict=True):
            problem = wording.shape_problem(one, torch.empty(size), case.inputs, shape)
            if problem:
                return f"your {name} is {problem}"
        return ""


def _part(function: Function, index: int) -> Any:
    """The function that gives one of the tensors; what is no function stays as it is."""
    return (lambda *arguments: function(*arguments)[index]) if callable(function) else function
