"""How it is checked that an answer refuses bad input: with a ValueError, and with nothing else."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from coursekit.checks import wording
from coursekit.checks.engine import Case, Check, Function
from coursekit.checks.findings import Finding

ASKED = "A ValueError, and nothing else, was asked."


@dataclass(frozen=True)
class Refusal:
    """Bad input, and what to say to somebody whose function takes it.

    Args:
        inputs: the arguments by name, in order.
        what: the likely mistake, a sentence or two.
        title: how messages call the input; the arguments themselves are printed if it is empty.
    """

    inputs: Mapping[str, Any]
    what: str
    title: str = ""

    def name(self) -> str:
        """Name the input in a message: "labels = [0, 4], classes = 4"."""
        return self.title or wording.assignments(self.inputs)


def examine(function: Function, refusals: Sequence[Refusal], look: str) -> None:
    """Call the function with bad input.

    Args:
        function: the student's, right for good input.
        refusals: what it must refuse.
        look: the stronger hint.

    Raises:
        Finding: about the first input that it does not refuse.
    """
    __tracebackhide__ = True
    for refusal in refusals:
        finding = _tried(function, refusal, look)
        if finding is not None:
            raise finding


def refusing(function: Function, refusals: Sequence[Refusal], look: str) -> tuple[Check, Function]:
    """Make the part of a check that looks at bad input; it comes after those for good input.

    Args:
        function: the student's.
        refusals: what it must refuse.
        look: the stronger hint.

    Returns:
        A check and a function, for `engine.run`.
    """

    def cases() -> list[Case]:
        examine(function, refusals, look)
        return [Case({}, refusal.name()) for refusal in refusals]

    return Check(_one, cases, slips=(), look=look), _one


def _one() -> Tensor:
    return torch.ones(1)


def _tried(function: Function, refusal: Refusal, look: str) -> Finding | None:
    place = f"for {refusal.name()} "
    try:
        with torch.random.fork_rng(devices=[]):
            value = function(*copy.deepcopy(tuple(refusal.inputs.values())))
    except ValueError:
        return None
    except Exception as error:
        return Finding(f"{place}{wording.stopped(error)} {ASKED}", look)
    if isinstance(value, Exception) or (isinstance(value, type) and issubclass(value, Exception)):
        what = "an error as if it were a result: errors are raised, not returned."
        return Finding(f"{place}you return {what} {ASKED}", look)
    return Finding(
        f"{place}you return {_shown(value)} and raise no ValueError. {refusal.what}", look
    )


def _shown(value: Any) -> str:
    """Print what came back, in a few words."""
    if value is None:
        return "nothing (None)"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return textwrap.shorten(repr(value), 60, placeholder=" ...")
