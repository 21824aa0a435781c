"""Check of `one-hot`: labels as rows of zeros with a single 1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from coursekit.checks.conditional.refusals import Refusal, refusing
from coursekit.checks.engine import Case, Check, Function, Slip, run


def rows(labels: Tensor, classes: int) -> Tensor:
    """Work out the right rows: where the class's number is the label."""
    return (labels[:, None] == torch.arange(classes)).double()


def _cases() -> list[Case]:
    def case(labels: list[int], classes: int, title: str = "", clue: str = "") -> Case:
        return Case({"labels": torch.tensor(labels), "classes": classes}, title, clue)

    generator = torch.Generator().manual_seed(201)
    many = torch.randint(10, (12,), generator=generator).tolist()
    return [
        case([2], 4),
        case([0, 3, 1, 1], 4),
        case([1, 2, 0], 3),
        case([1, 0], 5, clue="Classes that no label names have a place as well."),
        case(many, 10, "12 random labels of 10 classes"),
    ]


def _placed(places: Function) -> Function:
    """Rows whose single 1 stands where `places` says, made from labels and classes."""
    return lambda labels, classes: rows(places(labels, classes), classes)


_PLACE = "Where in a row stands the 1 of the label 0, and where that of the last class?"
_SHAPE = "How many rows are there, and how many numbers in each? Take both from the arguments."
_NAME = "A label is a name: what stands in the places of the other classes, and what in its own?"

CHECK = Check(
    reference=rows,
    cases=_cases,
    shape="(B, classes), of type torch.float32",
    look=_NAME,
    slips=[
        Slip(
            lambda labels, classes: labels[:, None].double().expand(-1, classes),
            "The label's number stands in every place: a label is a name and not an amount.",
            _NAME,
        ),
        Slip(
            lambda labels, classes: labels.double(),
            "Those are the labels themselves, as floats: each becomes a row.",
            _NAME,
        ),
        Slip(
            lambda labels, classes: labels[:, None].double(),
            "Those are the labels themselves, as a column of floats: each becomes a row.",
            _NAME,
        ),
        Slip(
            lambda labels, classes: rows(labels, classes) * labels[:, None],
            "In the label's place stands its number, so that 0 is lost: a 1 belongs there.",
            _NAME,
        ),
        Slip(
            lambda labels, classes: 1 - rows(labels, classes),
            "Zeros and ones are exchanged.",
            _NAME,
        ),
        Slip(
            lambda labels, classes: 2 * rows(labels, classes) - 1,
            "The other places hold -1: zeros were asked.",
            _NAME,
        ),
        Slip(
            lambda labels, classes: (torch.arange(classes) <= labels[:, None]).double(),
            "All places up to the label's hold a 1: that orders the classes, and they have no "
            "order.",
            _NAME,
        ),
        Slip(
            lambda labels, classes: (torch.arange(classes) < labels[:, None]).double(),
            "The row counts up to the label: that orders the classes, and they have no order.",
            _NAME,
        ),
        *(
            Slip(
                places,
                "The 1 stands one place too far to the left: labels count from 0, as places do.",
                _PLACE,
            )
            for places in (
                _placed(lambda labels, classes: labels - 1),
                _placed(lambda labels, classes: (labels - 1) % classes),
            )
        ),
        Slip(
            _placed(lambda labels, classes: (labels + 1) % classes),
            "The 1 stands one place too far to the right: labels count from 0, as places do.",
            _PLACE,
        ),
        Slip(
            _placed(lambda labels, classes: classes - 1 - labels),
            "The places are counted from the right.",
            _PLACE,
        ),
        Slip(
            lambda labels, classes: rows(labels, classes).flip(0),
            "The rows are right and in the wrong order: the batch is turned round.",
        ),
        Slip(
            lambda labels, classes: rows(labels, classes)[:, None],
            "An axis of length 1 is left over: does labels[:, None] stand where labels should?",
            _SHAPE,
        ),
        Slip(
            lambda labels, classes: rows(labels, classes).T,
            "Rows and columns are exchanged: each label has a row.",
            _SHAPE,
        ),
        Slip(
            lambda labels, classes: rows(labels, classes).sum(dim=0),
            "That counts how often each class occurs: each label has a row of its own.",
            _SHAPE,
        ),
        Slip(
            lambda labels, classes: rows(labels, classes).sum(dim=0).clamp(max=1),
            "All labels are marked in a single row: each has a row of its own.",
            _SHAPE,
        ),
        Slip(
            lambda labels, classes: (
                rows(labels, classes).sum(dim=0).clamp(max=1).expand(len(labels), -1)
            ),
            "Every label's 1 stands in every row: row b belongs to label b alone.",
            "Which elements does an assignment to result[:, labels] reach?",
        ),
        Slip(
            lambda labels, classes: rows(labels[:1], classes).expand(len(labels), -1),
            "Every row is the first label's: each label has its own.",
            _SHAPE,
        ),
        Slip(
            lambda labels, classes: rows(labels, int(labels.max()) + 1),
            "The rows are as long as the largest label needs: their length is classes.",
            _SHAPE,
        ),
        Slip(
            lambda labels, classes: rows(labels, 10),
            "Every row has 10 places: take their number from classes.",
            _SHAPE,
        ),
        Slip(
            lambda labels, classes: rows(labels, classes + 1),
            "There is one place too many: the classes are 0 to classes - 1.",
            _SHAPE,
        ),
        Slip(
            lambda labels, classes: torch.eye(max(len(labels), classes))[: len(labels), :classes],
            "The 1 stands where the row's own number says: the label says where.",
            _PLACE,
        ),
    ],
)

_ABOVE = "A label beyond the last class is let through."
_JUST = "A label that equals classes is let through: they count from 0, so which is the last one?"
_BELOW = (
    "A negative label is let through: as an index, -1 means the last place, and takes part "
    "silently."
)


def _refusals() -> list[Refusal]:
    def bad(labels: list[int], classes: int, what: str) -> Refusal:
        return Refusal({"labels": torch.tensor(labels), "classes": classes}, what)

    return [
        bad([7], 4, _ABOVE),
        bad([4], 4, _JUST),
        bad([-1], 4, _BELOW),
        bad([-4], 3, _BELOW),
        bad([0, 1, 2, 9], 3, f"{_ABOVE} Do you look at all labels, or at some only?"),
        bad([5, 1, 2], 3, f"{_ABOVE} Do you look at all labels, or at some only?"),
        bad([0, 2, -2, 1], 3, f"{_BELOW} Do you look at all labels, or at some only?"),
        bad([5, -5, 0], 3, "Too large and too small labels cancel: look at each by itself."),
    ]


def _single(function: Function) -> Function:
    """The function with floats of another precision named as they are."""

    def wrapped(*arguments: Any) -> Any:
        value = function(*arguments)
        other = type(value) is Tensor and value.is_floating_point()
        if other and value.dtype != torch.float32:
            return type(f"Tensor of {value.dtype}", (), {})()
        return value

    return wrapped if callable(function) else function


def one_hot(function: Function) -> None:
    """Check `one_hot(labels, classes) -> (B, classes)`."""
    __tracebackhide__ = True
    look = "Which is the smallest label that is a class, and which the largest? Test for both."
    run("one-hot", (CHECK, _single(function)), refusing(function, _refusals(), look))
