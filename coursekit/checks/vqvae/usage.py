"""Check of `perplexity`: how many codes are in use, as the exponential of an entropy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.findings import Finding
from coursekit.checks.parts import grey
from coursekit.checks.vqvae.usage_slips import ENTROPY, SHARES, WRONG, right


def _drawn(seed: int, codes: int, *shape: int, power: float = 1.0) -> Tensor:
    """Codes drawn at random, with a power above 1 the first ones more often."""
    return (grey(seed, *shape, dtype=torch.float64) ** power * codes).long()


def _cases() -> list[Case]:
    def case(
        indices: Tensor, codes: int | tuple[int, int], title: str = "", clue: str = ""
    ) -> Case:
        return Case({"indices": indices, "codes": codes}, title, clue)

    tensor = torch.tensor
    unused = "Codes that never occur have a share of 0, and 0 counts nothing: see step 2."
    return [
        case(tensor([0, 0, 1, 2]), 4, clue="Work out steps 1 to 3 by hand here."),
        case(tensor([2, 0, 1, 3, 3, 1, 0, 2]), 4, clue="All codes occur equally often here."),
        case(tensor([1, 1, 1]), 3, clue=f"A single code is in use. {unused}"),
        case(
            _drawn(841, 7, 2, 3, 5, 4, power=2.0),
            (7, 9),
            "two batches of 3 maps of 5 x 4 codes, each by itself",
            "indices may have any shape: all its numbers count alike.",
        ),
        case(
            _drawn(842, 16, 2, 8, 8, power=1.5),
            512,
            "2 code maps of 8 x 8 codes, the first 16 out of 512",
            unused,
        ),
        case(
            496 + _drawn(843, 16, 60),
            512,
            "60 codes, drawn from the last 16 out of 512",
            unused,
        ),
        case(
            _drawn(844, 300, 2, 40, 8, 8, power=3.0),
            (300, 400),
            "two batches of 40 maps of 8 x 8 codes out of 300 and 400, each by itself",
        ),
        case(
            torch.cat([torch.zeros(20000, dtype=torch.int64), tensor([1])]),
            2,
            "one code 20,000 times and another one once",
            "A share may be small, and is still not 0.",
        ),
        case(tensor([[0, 0], [1, 1], [2, 2]]), 3, clue="Each row alone holds a single code."),
    ]


def _each(function: Function) -> Function:
    """The function called on each map by itself where there are several numbers of codes."""

    def values(indices: Tensor, codes: int | tuple[int, ...]) -> Tensor:
        if isinstance(codes, int):
            return torch.as_tensor(function(indices, codes), dtype=torch.float64).view(1)
        return torch.cat([values(one, k) for one, k in zip(indices, codes, strict=True)])

    return values


CHECK = Check(
    reference=_each(right),
    cases=_cases,
    shape="(1,)",
    look=f"{SHARES} {ENTROPY}",
    slips=[
        *(Slip(_each(wrong), what, look) for wrong, what, look in WRONG),
    ],
)


def _look(case: Case, function: Function) -> None:
    """Raise a `Finding` where the answer is no float."""
    try:
        with torch.random.fork_rng(devices=[]):
            value = function(*(t.clone() if isinstance(t, Tensor) else t for t in _given(case)))
    except Exception:  # the engine calls it again, and says where it stopped
        return
    if isinstance(value, float):
        return
    what, look = f"an object of type {type(value).__name__}", "What makes a number of a tensor?"
    if value is None:
        what, look = "nothing (None)", "Is the line with `return` missing?"
    elif isinstance(value, int):
        what, look = f"{value}, an {type(value).__name__}", "Where is something rounded or counted?"
    elif isinstance(value, Tensor):
        what = f"a tensor of shape {tuple(value.shape)}"
    raise Finding(f"for {case.name()} you return {what}; a Python float was asked.", look)


def _given(case: Case) -> tuple[Any, ...]:
    return tuple(case.inputs.values())


def perplexity(function: Function) -> None:
    """Check `perplexity(indices, codes) -> float`."""
    __tracebackhide__ = True

    def cases() -> list[Case]:
        found = _cases()
        _look(found[0], function)
        return found

    made = _each(function) if callable(function) else function
    run("perplexity", (replace(CHECK, cases=cases), made))
