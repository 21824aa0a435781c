"""How it is checked that `ema-codebook` keeps the type of what it is given, and all its digits."""

from __future__ import annotations

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function
from coursekit.checks.findings import Finding
from coursekit.checks.parts import normal
from coursekit.checks.vqvae.averages import new_codebook, new_counts, new_sums

_TYPES = "Print the dtype of each tensor that you make: a tensor of zeros has one of its own."
NAMES = ("counts", "sums", "codebook")


def _given(decay: float) -> tuple[Tensor, Tensor, Tensor, Tensor, float, float]:
    """Averages of 4 codes and 30 vectors, in float64, of which float32 keeps half the digits."""
    sums, z, counts = normal(883, (4, 3), (30, 3), (4,), dtype=torch.float64)
    return counts.abs() + 1 / 3, sums, z, torch.arange(30) % 4, decay, 0.01


def _look(function: Function) -> None:
    """Raise a `Finding` where a result is of another type, or has lost digits, or is no new one."""
    place = "for 30 vectors, 4 codes, D = 3, in float64 "
    right = [make(*_given(0.75)) for make in (new_counts, new_sums, new_codebook)]
    for name, value, wanted in zip(NAMES, function(*_given(0.75)), right, strict=True):
        if value.dtype != torch.float64:
            raise Finding(
                f"{place}{value.dtype} comes back for your {name}: what you return has the "
                "type of what is given.",
                _TYPES,
            )
        if not torch.allclose(value.detach(), wanted, rtol=1e-11, atol=1e-11):
            raise Finding(
                f"{place}only the first digits of your {name} are right: something on the way is "
                "made in float32.",
                _TYPES,
            )
    given = _given(1.0)
    for name, value in zip(NAMES, function(*given), strict=True):
        if value.data_ptr() in (given[0].data_ptr(), given[1].data_ptr()):
            raise Finding(
                f"for a decay of 1 the tensor given comes back in the place of your {name}: new "
                "tensors were asked.",
                "Which line makes a new tensor, and is it passed in every case?",
            )


def precision(function: Function) -> tuple[Check, Function]:
    """Make the part of a check that looks at types; it comes last, and counts no case.

    Args:
        function: the student's.

    Returns:
        A check and a function, for `engine.run`.
    """

    def cases() -> list[Case]:
        _look(function)
        return []

    return Check(torch.ones, cases, slips=(), look=_TYPES), function
