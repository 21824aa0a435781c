"""The first half of `affine-coupling`: the values y, and where they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Inputs, Slip
from coursekit.checks.parts import normal

NETWORK = "the network"
Moved = Callable[[Tensor, Tensor, Tensor, bool], Tensor]


def arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a network of one layer from the weights among the inputs."""

    def network(kept: Tensor) -> tuple[Tensor, Tensor]:
        alpha, m = (kept @ inputs[NETWORK] + 0.3).chunk(2, dim=1)
        return 1.2 * torch.tanh(alpha), m

    network.__qualname__ = "network"  # as an error's message calls it
    return inputs["x"], inputs["mask"], network, inputs["inverse"]


def move(changed: Tensor, alpha: Tensor, m: Tensor, inverse: bool) -> Tensor:
    """Move the changed entries, in one of the two directions."""
    return changed * alpha.exp() + m if inverse else (changed - m) * (-alpha).exp()


def coupling(
    move: Moved = move,
    kept: Function = lambda x, mask: mask,
    seen: Callable[[Tensor], Tensor] = lambda x: x,
    passed: Callable[[Tensor], Tensor] = lambda x: x,
) -> Function:
    """Make the function of the values y, or what becomes of them with another part.

    Args:
        move: makes the changed entries.
        kept: makes the mask that is used, from x and the mask.
        seen: what the network sees of the kept entries.
        passed: what becomes of the kept entries.
    """

    def values(x: Tensor, mask: Tensor, network: Function, inverse: bool) -> Tensor:
        mask = kept(x, mask)
        alpha, m = network(seen(x[:, mask]))
        place = torch.eye(x.shape[1], dtype=x.dtype)
        moved: Tensor = move(x[:, ~mask], alpha, m, inverse) @ place[~mask]
        return moved + passed(x[:, mask]) @ place[mask]

    return values


_y = coupling()


def cases() -> list[Case]:
    """Make the cases, for y and for the logdet alike."""

    def case(
        seed: int, size: int, mask: list[int], inverse: bool = False, dtype: Any = torch.float32
    ) -> Case:
        dims, kept = len(mask), sum(mask)
        x, weights = normal(seed, (size, dims), (kept, 2 * (dims - kept)), dtype=dtype)
        inputs = {"x": x, "mask": torch.tensor(mask).bool(), NETWORK: weights, "inverse": inverse}
        pictures = f"{size} x {dims} values" if size > 1 else f"one row of {dims} values"
        title = f"{pictures}, mask = {mask}"
        title += ", inverse = True" if inverse else ""
        title += ", in float64" if dtype == torch.float64 else ""
        clue = (
            f"The network takes the {kept} kept of each row's entries, and gives alpha and m for "
            f"the other {dims - kept}."
        )
        return Case(inputs, title, clue)

    double = torch.float64
    return [
        case(611, 1, [1, 0]),
        case(612, 3, [1, 1, 0, 0]),
        case(613, 3, [1, 1, 0, 0], inverse=True),
        case(614, 4, [0, 1, 0, 1], dtype=double),
        case(615, 4, [0, 1, 0, 1], inverse=True, dtype=double),
        case(616, 5, [1, 0, 0, 1, 0]),
        case(617, 3, [0, 1, 1], inverse=True),
        case(618, 2, [0, 0, 1, 0, 1, 0, 0], inverse=True),
        case(619, 6, [1, 0, 1, 1, 0, 1]),
    ]


_WHO = "Look at step 1 above: who sees the network, who is changed, and where does it stand in y?"
LOOK_FORWARD = "Look at step 2 above: in which order is undone what the generative direction does?"
LOOK_BACK = "Look at step 3 above: what is done first on the way from z to x, and with which sign?"
_ORDER = (
    "The entries come out in another order than they came in: kept and changed ones stay at their "
    "own places."
)


def _one_way(moved: Moved) -> Moved:
    """Wrong on the way from x to z only."""
    return lambda x, a, m, inverse: move(x, a, m, True) if inverse else moved(x, a, m, False)


def _way_back(moved: Moved) -> Moved:
    """Wrong on the way from z to x only."""
    return lambda x, a, m, inverse: moved(x, a, m, True) if inverse else move(x, a, m, False)


def scaled(scale: Callable[[Tensor], Tensor]) -> Moved:
    """Another scale in place of the exponential of alpha, in both directions."""
    return lambda x, a, m, inverse: x * scale(a) + m if inverse else (x - m) / scale(a)


_MOVES: list[tuple[Moved, str, str]] = [
    (
        lambda x, a, m, i: move(x, a, m, not i),
        "The two directions are exchanged: x to z comes by default, z to x where inverse is true.",
        LOOK_FORWARD,
    ),
    (
        lambda x, a, m, i: move(x, a, m, False),
        "Both directions do the same: inverse is not looked at.",
        LOOK_BACK,
    ),
    (
        lambda x, a, m, i: move(x, a, m, True),
        "Both directions do the same, the way from z to x: x to z comes by default.",
        LOOK_FORWARD,
    ),
    (lambda x, a, m, i: move(x, m, a, i), "alpha and m are exchanged: alpha comes first.", _WHO),
    (
        lambda x, a, m, i: move(x, -a, m, i),
        "The exponent has the wrong sign, in both directions.",
        LOOK_FORWARD,
    ),
    (
        lambda x, a, m, i: move(x, a, -m, i),
        "The shift has the wrong sign, in both directions.",
        LOOK_FORWARD,
    ),
    (
        _one_way(lambda x, a, m, i: (x - m) * a.exp()),
        "On the way from x to z the exponent has the wrong sign.",
        LOOK_FORWARD,
    ),
    (
        _one_way(lambda x, a, m, i: (x + m) * (-a).exp()),
        "On the way from x to z the shift has the wrong sign.",
        LOOK_FORWARD,
    ),
    (
        _one_way(lambda x, a, m, i: x * (-a).exp() - m),
        "On the way from x to z the scale comes before the shift: what was done last is undone "
        "first.",
        LOOK_FORWARD,
    ),
    (
        _one_way(lambda x, a, m, i: x * (-a).exp() + m),
        "On the way from x to z only the exponent's sign is turned: the shift, and the order of "
        "the two, belong to it.",
        LOOK_FORWARD,
    ),
    (
        _way_back(lambda x, a, m, i: x * (-a).exp() + m),
        "On the way from z to x the exponent has the wrong sign.",
        LOOK_BACK,
    ),
    (
        _way_back(lambda x, a, m, i: x * a.exp() - m),
        "On the way from z to x the shift has the wrong sign.",
        LOOK_BACK,
    ),
    (
        _way_back(lambda x, a, m, i: (x + m) * a.exp()),
        "On the way from z to x the shift comes before the scale.",
        LOOK_BACK,
    ),
    (
        _way_back(lambda x, a, m, i: (x - m) * a.exp()),
        "On the way from z to x only the exponent's sign is turned: the shift, and the order of "
        "the two, belong to it.",
        LOOK_BACK,
    ),
    (
        lambda x, a, m, i: (x + m) * a.exp() if i else x * (-a).exp() - m,
        "Shift and scale come in the other order, in both directions: a round trip works, and it "
        "is another coupling than the one that was asked.",
        LOOK_BACK,
    ),
    (
        lambda x, a, m, i: x + m if i else x - m,
        "alpha is not used: nothing is scaled.",
        LOOK_FORWARD,
    ),
    (
        lambda x, a, m, i: x * (a if i else -a).exp(),
        "m is not used: nothing is shifted.",
        LOOK_FORWARD,
    ),
    (scaled(lambda a: a), "The scale is alpha itself: its exponential was asked.", LOOK_BACK),
    (scaled(torch.sigmoid), "The scale is a sigmoid: an exponential was asked.", LOOK_BACK),
    (
        scaled(lambda a: torch.sigmoid(a + 2)),
        "The scale is a sigmoid: an exponential was asked.",
        LOOK_BACK,
    ),
    (scaled(torch.nn.functional.softplus), "The scale is a softplus: an exponential.", LOOK_BACK),
    (scaled(lambda a: 1 + a), "The scale is 1 and alpha: an exponential was asked.", LOOK_BACK),
    (scaled(lambda a: (a / 2).exp()), "alpha is halved, as a log-variance would be.", LOOK_BACK),
    (scaled(lambda a: (2 * a).exp()), "alpha counts twice.", LOOK_BACK),
    (
        scaled(lambda a: torch.tanh(a).exp()),
        "alpha goes through a tanh: the network bounds it already.",
        LOOK_BACK,
    ),
    (
        scaled(lambda a: a.clamp(-1, 1).exp()),
        "alpha is limited: it may be any number.",
        LOOK_BACK,
    ),
    (lambda x, a, m, i: x, "Nothing is changed at all.", _WHO),
]

VALUES = Check(
    reference=_y,
    cases=cases,
    arguments=arguments,
    slopes=("x", NETWORK),
    subject="your y is",
    shape="(B, D)",
    look="Go through steps 1 to 3 above with a row of two values, on paper, in both directions.",
    slips=[
        *(Slip(coupling(move), what, look) for move, what, look in _MOVES),
        Slip(
            coupling(kept=lambda x, mask: ~mask),
            "Kept and changed are exchanged: true stands for what passes through.",
            _WHO,
        ),
        Slip(
            lambda x, mask, network, inverse: _y(
                x, mask, lambda kept: network(x[:, ~mask]), inverse
            ),
            "The network sees the entries that are changed: nobody knows them on the way back.",
            _WHO,
        ),
        Slip(
            coupling(passed=torch.zeros_like),
            "The kept entries are 0 in y: they pass through as they are.",
            _WHO,
        ),
        Slip(
            lambda x, mask, *a: torch.cat([x[:, mask], _y(x, mask, *a)[:, ~mask]], dim=1),
            _ORDER,
            _WHO,
        ),
        Slip(
            lambda x, mask, *a: torch.cat([_y(x, mask, *a)[:, ~mask], x[:, mask]], dim=1),
            _ORDER,
            _WHO,
        ),
        Slip(
            lambda x, mask, *a: _y(x, mask, *a)[:, mask.int().argsort(stable=True)],
            _ORDER,
            _WHO,
        ),
        Slip(
            coupling(kept=lambda x, mask: torch.arange(len(mask)) < int(mask.sum())),
            "The first entries are always the kept ones: the mask says which.",
            _WHO,
        ),
        Slip(
            coupling(seen=torch.zeros_like),
            "The network sees zeros in place of the kept entries.",
            _WHO,
        ),
        Slip(
            coupling(seen=lambda kept: kept[:1].expand_as(kept)),
            "The network sees the first row's kept entries for all: each row has its own.",
            _WHO,
        ),
        Slip(
            coupling(seen=lambda kept: kept.mean(dim=0, keepdim=True).expand_as(kept)),
            "The network sees the batch's mean: each row has its own entries.",
            _WHO,
        ),
    ],
)
