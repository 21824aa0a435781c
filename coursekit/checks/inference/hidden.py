"""The cases of `masked-log-likelihood`: what is seen, and what stands where nothing is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Inputs
from coursekit.checks.parts import binary, grey, normal

HIDDEN = "hidden pixels"  # "kept", or a key of FILLS
FILLS = {
    "nan": (torch.nan,),
    "infinite": (torch.inf, -torch.inf),
    "huge": (1e38, -1e38),
}


def arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Put nan, or other values, where nothing is seen, in the cases that ask for it."""
    x, logits, seen = (inputs[name] for name in ("x", "logits", "seen"))
    if inputs[HIDDEN] in FILLS:
        values = torch.tensor(FILLS[inputs[HIDDEN]], dtype=x.dtype)
        x = torch.where(seen, x, values.repeat(x.numel())[: x.numel()].view(x.shape))
    return x, logits, seen


def _case(title: str, seed: int, x: Tensor, seen: Tensor, hidden: str, size: float = 1.0) -> Case:
    (logits,) = normal(seed, x.shape, dtype=x.dtype)
    clue = "Hidden pixels must not matter, whatever x holds there." if hidden in FILLS else ""
    return Case({"x": x, "logits": size * logits, "seen": seen, HIDDEN: hidden}, title, clue)


def _masks(seed: int, *shape: int) -> Tensor:
    return grey(seed, *shape) > 0.5


def cases() -> list[Case]:
    """Make the cases, new ones at each call."""
    small = {
        "x": torch.tensor([[1.0, 0.0]]),
        "logits": torch.tensor([[0.0, 3.0]]),
        "seen": torch.tensor([[True, False]]),
        HIDDEN: "kept",
    }
    own = _masks(312, 4, 7)
    own[0], own[1] = True, False
    return [
        Case(small, "x = [[1., 0.]], logits = [[0., 3.]], seen = [[True, False]]"),
        _case(
            "4 pictures of 7 pixels, of which one is seen whole and one not at all",
            313,
            binary(311, 4, 7),
            own,
            "kept",
        ),
        _case(
            "4 pictures of 4 pixels and one mask for all, of shape (4,)",
            315,
            binary(314, 4, 4),
            torch.tensor([True, False, True, True]),
            "kept",
        ),
        _case(
            "3 pictures of 8 pixels, nan where they are hidden",
            317,
            binary(316, 3, 8),
            _masks(318, 3, 8),
            "nan",
        ),
        _case(
            "5 pictures in float64 and one mask for all, nan where they are hidden",
            320,
            binary(319, 5, 6).double(),
            torch.arange(6) < 3,
            "nan",
        ),
        _case(
            "2 pictures with logits in the hundreds",
            322,
            binary(321, 2, 12),
            _masks(323, 2, 12),
            "kept",
            size=200.0,
        ),
        _case(
            "3 pictures of 9 pixels, inf and -inf where they are hidden",
            325,
            binary(324, 3, 9),
            _masks(326, 3, 9),
            "infinite",
            size=4.0,
        ),
        _case(
            "3 pictures of 9 pixels, 1e38 and -1e38 where they are hidden",
            328,
            binary(327, 3, 9),
            _masks(329, 3, 9),
            "huge",
            size=20.0,
        ),
    ]
