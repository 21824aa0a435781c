"""Check of `keep-best`: each picture's best step, and the step at which it stops."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip
from coursekit.checks.inference.calls import Pair, run_looked
from coursekit.checks.inference.walking import Rule, walk
from coursekit.checks.parts import normal

PAIR = Pair(("best", "stopped"), "(B,)", whole=True)


RIGHT = Rule()


def _found(rule: Rule = RIGHT) -> Function:
    """Best and stopped of each picture, joined."""

    def both(elbos: Tensor, patience: int) -> Tensor:
        rows = [walk(column, patience, rule) for column in elbos.T.tolist()]
        return torch.tensor(rows, dtype=torch.float64)

    return both


def _by(least: float) -> Callable[[float, float], bool]:
    return lambda value, best: value > best + least


_right = _found()


def _changed(change: Callable[[Tensor, Tensor, Tensor, int], tuple[Tensor, Tensor]]) -> Function:
    """The right answer changed, from best, stopped, elbos and patience."""

    def both(elbos: Tensor, patience: int) -> Tensor:
        best, stopped = _right(elbos, patience).unbind(dim=1)
        return torch.stack(change(best, stopped, elbos, patience), dim=1).double()

    return both


def _together(elbos: Tensor, patience: int) -> Tensor:
    """All pictures stopped at once, by their mean."""
    row: Tensor = _right(elbos.mean(dim=1, keepdim=True), patience)
    return row.expand(elbos.shape[1], 2)


def _columns(*columns: list[float]) -> Tensor:
    return torch.tensor(columns, dtype=torch.float32).T.contiguous()


def _cases() -> list[Case]:
    def case(elbos: Tensor, patience: int, title: str = "", clue: str = "") -> Case:
        return Case({"elbos": elbos, "patience": patience}, title, clue)

    steady = torch.tensor([[0.0, -1, -2, -3, -4, -5, -6]]).T
    mixed = _columns(
        [0, 1, 2, 3, 4, 5, 6],  # rises to the end
        [5, 4, 3, 9, 2, 1, 0],  # starts best, a higher value at the very row of stopping or before
        [0, 3, 1, 2, 2.5, 9, 8],  # rises against the row before, not against the best
        [1, 0, 2, 1, 0, -1, 7],
    )
    ties = _columns([2, 2, 2, 2, 2, 3], [1, 4, 4, 3, 4, 4], [0, 0, 1, 1, 0, 2])
    walks = normal(341, (13, 5), (6, 6), dtype=torch.float64)
    return [
        case(torch.tensor([[1.0], [3.0], [2.0], [2.5], [1.0], [4.0]]), 2),
        case(mixed, 3, "4 pictures, 6 steps and a patience of 3"),
        case(ties, 3, "values that occur more than once", "Of equal values the earliest counts."),
        case(
            torch.cat([steady, steady.flip(0)], dim=1) - 100,
            4,
            "one ELBO that only falls and one that only rises",
            "Row 0 is the start: it is a candidate like any other.",
        ),
        case(walks[0], 2, "5 random pictures, 12 steps and a patience of 2"),
        case(walks[1], 1, "6 random pictures, 5 steps and a patience of 1"),
        case(
            walks[0][:8] - 50,
            20,
            "a patience that is longer than all steps",
            "A picture that never stops before reaches the last row.",
        ),
        case(
            _columns([0, 1, 0, 0], [0, 0, 1, 0], [2, 1, 0, 0]),
            2,
            "patience that runs out at the last row, or would after it",
        ),
        case(
            _columns(*([0.0, gain, 0, 0, 0] for gain in (5e-8, 5e-6, 5e-5, 5e-4, 5e-3, 0.05, 0.5))),
            2,
            "gains of different sizes",
            "Any larger value is the new best, however little it is larger.",
        ),
        case(
            (walks[1].float() - 20) * 1e30,
            2,
            "ELBOs that are very low",
            "With what does the best so far start: with row 0's own value, or with a number?",
        ),
    ]


_STOP = "Write the rows of one picture on paper, cover those after the stop, and look again."
_COUNT = "How many rows lie between the best row and the row of the stop, by the docstring?"
_TIES = "Is a value that is only as good as the best one better?"
_OWN = "Each column is a picture: which numbers of the other columns does it need?"
_START = "Which number has the first row of the tensor, and is it a candidate?"

CHECK = Check(
    reference=_right,
    cases=_cases,
    subject="your best and stopped are",
    shape="(B, 2)",
    look=_STOP,
    slips=[
        Slip(
            _changed(lambda b, s, e, p: (e.argmax(dim=0), s)),
            "The best row is looked for among all rows: those after the stop were never reached.",
            _STOP,
        ),
        Slip(
            _changed(lambda b, s, e, p: (e.argmax(dim=0), torch.full_like(s, len(e) - 1))),
            "Nothing ever stops: patience is not used.",
            _STOP,
        ),
        Slip(
            _changed(
                lambda b, s, e, p: (
                    e.argmax(dim=0),
                    (e.argmax(dim=0) + p).clamp(max=len(e) - 1),
                )
            ),
            "Patience is counted from the best of ALL rows: a picture may have stopped before it "
            "gets there.",
            _STOP,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b, torch.full_like(s, len(e) - 1))),
            "The best rows are right; the row of the stop is always the last one.",
            _STOP,
        ),
        Slip(
            _found(Rule(better=lambda value, best: value >= best)),
            "Of equal values you keep the latest: a value that is only as good is no progress.",
            _TIES,
        ),
        *(
            Slip(
                _found(Rule(better=_by(least))),
                "A small gain is not counted as one: any larger value is the new best.",
                _TIES,
            )
            for least in (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
        ),
        Slip(
            lambda elbos, patience: _right(elbos.clamp(min=0.0), patience),
            "ELBOs are negative: a best so far that starts at 0 beats them all.",
            _START,
        ),
        *(
            Slip(
                lambda elbos, patience, low=low: _right(elbos.clamp(min=low), patience),
                "A best so far that starts at a number beats every ELBO below it: row 0's own "
                "value is the start.",
                _START,
            )
            for low in (-1.0, -1e2, -1e3, -1e4, -1e5, -1e6, -1e9, -1e10, -1e12)
        ),
        Slip(
            _found(Rule(done=lambda since, patience: since > patience)),
            "Patience is counted a row too far: it has run out as soon as so many rows have "
            "brought nothing better.",
            _COUNT,
        ),
        Slip(
            _found(Rule(done=lambda since, patience: since >= max(1, patience - 1))),
            "Patience runs out a row too early: is the best row itself counted?",
            _COUNT,
        ),
        Slip(
            _found(Rule(done=lambda since, patience: since >= patience - 1)),
            "Patience runs out a row too early: is the best row itself counted?",
            _COUNT,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b, b + p)),
            "Patience may be longer than what is left: no picture stops after the last row.",
            _COUNT,
        ),
        Slip(
            _changed(
                lambda b, s, e, p: (
                    e[: p + 1].argmax(dim=0),
                    torch.full_like(s, min(p, len(e) - 1)),
                )
            ),
            "Patience is counted from the start: it begins anew at each better value.",
            _COUNT,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b, torch.full_like(s, min(p, len(e) - 1)))),
            "Patience is counted from the start: it begins anew at each better value.",
            _COUNT,
        ),
        Slip(
            _found(Rule(against_last=True)),
            "You compare with the row before: progress is a value above the best so far.",
            "Look at a column that falls, and then rises without getting back to where it was.",
        ),
        Slip(
            _found(Rule(first=1)),
            "The start is left out: row 0 is a candidate too, and patience is counted from it.",
            _START,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b + 1, s + 1)),
            "The rows are counted from 1: the start is row 0.",
            _START,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b - 1, s - 1)),
            "The rows are counted without the start, which is row 0.",
            _START,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b, torch.where(s - b >= p, s, s + 1))),
            "A picture that never stops gets the number of rows: the last row was asked.",
            _START,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b, torch.where(s - b >= p, s, torch.zeros_like(s)))),
            "A picture that never stops gets 0: the last row was asked.",
            _START,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b, torch.where(s - b >= p, s, -torch.ones_like(s)))),
            "A picture that never stops gets -1: the last row was asked.",
            _START,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b, s - 1)),
            "The row before the stop is returned: the row at which patience has run out was asked.",
            _COUNT,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b, b)),
            "The best row is given as the row of the stop: patience is waited for in between.",
            _COUNT,
        ),
        Slip(
            _changed(lambda b, s, e, p: (s, s)),
            "The row of the stop is given as the best one: the last is not the best.",
            _STOP,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b, s - b)),
            "That is how long was waited after the best row: the row of the stop was asked.",
            _COUNT,
        ),
        Slip(
            _changed(lambda b, s, e, p: (s, b)),
            "The two are exchanged: the best rows come first.",
            "In which order does the docstring name them?",
        ),
        Slip(
            _together,
            "All pictures stop together, by their mean: each stops on its own.",
            _OWN,
        ),
        Slip(
            _changed(lambda b, s, e, p: (b, s.max().expand_as(s))),
            "All pictures run until the last of them stops: each stops on its own.",
            _OWN,
        ),
        Slip(
            _changed(
                lambda b, s, e, p: (e[: int(s.max()) + 1].argmax(dim=0), s.max().expand_as(s))
            ),
            "All pictures run until the last of them stops: each stops on its own.",
            _OWN,
        ),
        *(
            Slip(
                _changed(change),
                "All pictures stop with the first of them that does: each stops on its own.",
                _OWN,
            )
            for change in (
                lambda b, s, e, p: (b, s.min().expand_as(s)),
                lambda b, s, e, p: (e[: int(s.min()) + 1].argmax(dim=0), s.min().expand_as(s)),
            )
        ),
        Slip(
            lambda elbos, patience: _right(-elbos, patience),
            "The smallest value is kept: an ELBO is better the larger it is.",
            "Is this a loss, or a bound that is pushed up?",
        ),
        Slip(
            lambda elbos, patience: _right(elbos.T.contiguous(), patience),
            "The rows are taken for pictures: row by row come the steps, column by column the "
            "pictures.",
            _OWN,
        ),
        Slip(
            lambda elbos, patience: _right(elbos, patience)[:1].expand(elbos.shape[1], 2),
            "Every picture gets the first one's rows: each has its own.",
            _OWN,
        ),
    ],
)


def keep_best(function: Function) -> None:
    """Check `keep_best(elbos, patience) -> (best, stopped)`, whole numbers of type int64."""
    __tracebackhide__ = True
    run_looked("keep-best", CHECK, function, [], PAIR)
