"""How it is checked that only the differences of logits matter, however large they are."""

from __future__ import annotations

import torch
from torch import Tensor

from coursekit.checks import wording
from coursekit.checks.engine import Case, Check, Function
from coursekit.checks.findings import Finding
from coursekit.checks.vqvae.draws import MAPS, NEAR, Draws

# Three usual codes, one that comes once in a hundred maps, and one that never comes.
LOGITS = torch.tensor([0.0, 1.2, -0.8, -3.03, -6000.0])
RARE, SHIFT, SELDOM = 3, 3000.0, 0.004  # of 0.01, six standard deviations

_DIFFERENCES = (
    "Look at step 3 above: by how much does a probability change if the same number is added to "
    "all logits of a map?"
)


def _shifted(indices: Tensor) -> Tensor:
    """Logits of maps of a single code: the same ones, each map's shifted by another number."""
    shifts = torch.linspace(-SHIFT, SHIFT, len(indices))
    return (LOGITS + shifts[:, None])[:, :, None, None]


def _look(draws: Draws) -> None:
    """Raise a `Finding` where large logits, or rare codes, are not drawn as they should be."""
    place = (
        f"for {MAPS:,} maps of a single code, whose logits differ only by a number between -3,000 "
        "and 3,000 that is added to all of a map's, "
    )
    cure = (
        "Only the differences of a map's logits matter: are they cut off, or is an exponential "
        "taken of large ones, or of those of the whole batch together?"
    )
    try:
        codes = draws(_shifted, (MAPS, 1, 1), len(LOGITS), torch.Generator().manual_seed(6))
    except Finding:
        raise
    except Exception as error:
        raise Finding(f"{place}{wording.stopped(error)} {cure}", _DIFFERENCES) from (error)
    mine = torch.bincount(codes.flatten(), minlength=len(LOGITS)) / MAPS
    right = torch.softmax(LOGITS, dim=0)
    worst = int((mine - right).abs().argmax())
    comes = f"the code {worst} comes in {_percent(mine[worst])} of them, and should in "
    if (mine - right).abs().max() >= NEAR or mine[-1] > 0:
        raise Finding(f"{place}{comes}{_percent(right[worst])}. {cure}", _DIFFERENCES)
    if mine[RARE] < SELDOM:
        raise Finding(
            f"for {MAPS:,} maps of a single code the code {RARE} comes in {_percent(mine[RARE])} "
            f"of them, and should in {_percent(right[RARE])}. A rare code is to come too, as often "
            "as its probability says: is something cut off?",
            "Look at step 3 above: which of the K codes may be drawn?",
        )


def _percent(share: Tensor) -> str:
    return f"{wording.number(round(100 * share.item(), 1))} %"


def large(function: Function) -> tuple[Check, Function]:
    """Make the part of a check that looks at large logits; it comes last, and counts no case.

    Args:
        function: the student's.

    Returns:
        A check and a function, for `engine.run`.
    """

    def cases() -> list[Case]:
        _look(Draws(function))
        return []

    return Check(torch.ones, cases, slips=(), look=_DIFFERENCES), function
