"""Check of `confusion`: which class a point's nearest neighbour has."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import grey, normal


def _distances(z: Tensor) -> Tensor:
    """Euclidean distances between all points, those of the points to themselves infinite."""
    apart = (z[:, None] - z[None]).norm(dim=2)
    return apart.masked_fill(torch.eye(len(z), dtype=torch.bool), torch.inf)


def _counts(nearest: Tensor, labels: Tensor, classes: int) -> Tensor:
    """How many points of class i have a neighbour of class j."""
    mine, other = one_hot(labels, classes).double(), one_hot(labels[nearest], classes).double()
    return mine.T @ other


def _shares(counts: Tensor) -> Tensor:
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)


def _right(z: Tensor, labels: Tensor, classes: int) -> Tensor:
    return _shares(_counts(_distances(z).argmin(dim=1), labels, classes))


def _labels(seed: int, count: int, *classes: int) -> Tensor:
    """Labels drawn from the classes named."""
    chosen = (grey(seed, count) * len(classes)).long()
    return torch.tensor(classes)[chosen]


def _cases() -> list[Case]:
    def case(z: Tensor, labels: Tensor, classes: int, title: str = "", clue: str = "") -> Case:
        return Case({"z": z, "labels": labels, "classes": classes}, title, clue)

    tensor = torch.tensor
    empty = "Some classes have no points here: the shares of nothing would be 0 divided by 0."
    twice = (
        "Two points of different classes lie at the same place here: they are each other's "
        "nearest neighbours. How does your code know which point is the point itself?"
    )
    z = normal(141, (9, 2))[0]
    doubled = torch.cat([z, z[3:6]])
    return [
        case(tensor([[0.0], [1.0], [3.0]]), tensor([0, 1, 1]), 2),
        case(
            normal(142, (14, 2))[0] / 5, _labels(143, 14, 0, 1, 2), 3, "14 random points, 3 classes"
        ),
        case(
            normal(144, (40, 5), dtype=torch.float64)[0],
            _labels(145, 40, 0, 1, 2, 3),
            4,
            "40 random points, 4 classes, K = 5, in float64",
        ),
        case(
            normal(146, (16, 3))[0] * tensor([1.0, 4.0, 0.3]),
            _labels(147, 16, 0, 2, 5),
            7,
            "16 random points of classes 0, 2 and 5 out of 7",
            empty,
        ),
        case(
            doubled,
            torch.cat([_labels(148, 9, 0, 1, 2), (_labels(148, 9, 0, 1, 2)[3:6] + 1) % 3]),
            3,
            "12 points, three of which are copies of others with another class",
            twice,
        ),
        case(tensor([[0.0], [1.0]]), tensor([0, 1]), 2),
        case(
            1e7 * normal(149, (12, 2))[0],
            _labels(150, 12, 0, 1, 2),
            3,
            "12 random points, millions apart",
            "Distances may be as large as they like: what loses every comparison?",
        ),
        case(
            1000 + normal(155, (12, 3))[0],
            _labels(156, 12, 0, 1, 2),
            3,
            "12 random points around 1000",
            _LOST,
        ),
    ]


_LOST = (
    "Far from 0 the squares are large and their differences small, and the digits are lost: "
    "subtract before you square."
)


def _diagonal(value: float) -> Function:
    """The shares where the table's diagonal holds a number, or its largest distance for 0."""

    def wrong(z: Tensor, labels: Tensor, classes: int) -> Tensor:
        apart = (z[:, None] - z[None]).norm(dim=2)
        apart.fill_diagonal_(value or float(apart.max()))
        return _shares(_counts(apart.argmin(dim=1), labels, classes))

    return wrong


def _by(distances: Function) -> Function:
    """The shares where another distance, between all points, says who is nearest."""

    def wrong(z: Tensor, labels: Tensor, classes: int) -> Tensor:
        apart = distances(z).fill_diagonal_(torch.inf)
        return _shares(_counts(apart.argmin(dim=1), labels, classes))

    return wrong


def _made(change: Function) -> Function:
    """What is made of the counts in the place of shares."""

    def wrong(z: Tensor, labels: Tensor, classes: int) -> Tensor:
        counts = _counts(_distances(z).argmin(dim=1), labels, classes)
        changed: Tensor = change(counts)
        return changed

    return wrong


def _by_itself(z: Tensor, labels: Tensor, classes: int) -> Tensor:
    return _shares(_counts(torch.arange(len(z)), labels, classes))


def _at_zero(z: Tensor, labels: Tensor, classes: int) -> Tensor:
    nearest = (z[:, None] - z[None]).norm(dim=2).argmin(dim=1)
    return _shares(_counts(nearest, labels, classes))


def _farthest(z: Tensor, labels: Tensor, classes: int) -> Tensor:
    farthest = (z[:, None] - z[None]).norm(dim=2).argmax(dim=1)
    return _shares(_counts(farthest, labels, classes))


def _second(z: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The shares by the second nearest of the others, where there is one."""
    return _shares(_counts(_distances(z).argsort(dim=1)[:, min(1, len(z) - 2)], labels, classes))


def _means(z: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The shares by the nearest class mean."""
    members = one_hot(labels, classes).to(z)
    centres = members.T @ z / members.sum(dim=0)[:, None]
    apart = torch.nan_to_num((z[:, None] - centres[None]).norm(dim=2), nan=torch.inf)
    return _shares(members.T.double() @ one_hot(apart.argmin(dim=1), classes).double())


_ROW = "Which points does row i speak of, how many are there, and what must the row add up to?"
_SELF = "What is the distance from a point to itself, and how does your code step over it?"
_TOTAL = "What is the total of a class without points, and what does your code divide by it?"
_NEAR = "Print the distances of the first case: which one is smallest in each row?"

CHECK = Check(
    reference=_right,
    cases=_cases,
    shape="(classes, classes)",
    look=f"{_SELF} {_ROW}",
    slips=[
        *(
            Slip(
                itself,
                "Every point's nearest neighbour seems to be the point itself: it must be left "
                "out.",
                _SELF,
            )
            for itself in (_at_zero, _by_itself, lambda z, labels, classes: torch.eye(classes))
        ),
        Slip(
            _by(lambda z: -(z[:, None] - z[None]).norm(dim=2)),
            "You take the farthest point: the nearest was asked.",
            _NEAR,
        ),
        Slip(_farthest, "You take the farthest point: the nearest was asked.", _NEAR),
        Slip(
            _made(lambda c: _shares(c.T).T),
            "The columns add up to 1: the ROWS should, since row i holds shares of the points of "
            "class i.",
            _ROW,
        ),
        Slip(
            _made(lambda c: _shares(c).T),
            "Rows and columns are exchanged: the point's own class is the row, its neighbour's "
            "the column.",
            _ROW,
        ),
        Slip(
            _made(lambda c: _shares(c.T)),
            "The counts are turned round before they are divided: the point's own class is the "
            "row, its neighbour's the column.",
            _ROW,
        ),
        Slip(_made(torch.clone), "These are counts: shares of a class's points were asked.", _ROW),
        Slip(
            _made(lambda c: c.T),
            "These are counts, with rows and columns exchanged: shares were asked.",
            _ROW,
        ),
        Slip(
            _made(lambda c: c / c.sum()),
            "These are shares of all points: each class has its own total.",
            _ROW,
        ),
        *(
            Slip(
                _made(lambda c, m=least: c / c.sum(dim=1).clamp(min=m)),
                "The counts are divided by the wrong class's total: shapes were broadcast, so the "
                "columns were divided where the rows were meant.",
                _ROW,
            )
            for least in (0, 1)
        ),
        Slip(
            _made(lambda c: c / c.sum(dim=1, keepdim=True)),
            "A class without points has a row of nan: zeros were asked there.",
            _TOTAL,
        ),
        Slip(
            _made(lambda c: 100 * _shares(c)),
            "These are per cent: shares between 0 and 1 were asked.",
            _ROW,
        ),
        Slip(
            _made(lambda c: torch.eye(len(c)).double() * _shares(c)),
            "Only the diagonal is filled: where does a point go whose neighbour has another class?",
            _ROW,
        ),
        Slip(
            _made(lambda c: (c > 0).double()),
            "Every pair of classes counts once: each point should.",
            "Writing 1 at a place twice leaves 1 there: what adds up?",
        ),
        Slip(
            _made(lambda c: torch.where(c.sum(1, keepdim=True) > 0, _shares(c), 1 / len(c))),
            "A class without points has equal shares in its row: zeros were asked there.",
            _TOTAL,
        ),
        Slip(
            _made(lambda c: _shares(c) + torch.diag((c.sum(dim=1) == 0).double())),
            "A class without points is said to be its own neighbour: zeros were asked there.",
            _TOTAL,
        ),
        Slip(
            _made(lambda c: (c + 1) / (c + 1).sum(dim=1, keepdim=True)),
            "One is added to each count: nothing was to be smoothed.",
            _ROW,
        ),
        Slip(
            _made(lambda c: c.softmax(dim=1)),
            "That is a softmax of the counts: shares are counts divided by their total.",
            _ROW,
        ),
        Slip(
            _by(lambda z: (z[:, None] - z[None]).abs().sum(dim=2)),
            "The distances are sums of absolute differences: Euclidean ones were asked.",
            _NEAR,
        ),
        Slip(
            _by(lambda z: (z[:, None] - z[None]).abs().amax(dim=2)),
            "The distance is the largest difference alone: the Euclidean one was asked.",
            _NEAR,
        ),
        Slip(
            _by(lambda z: -torch.cosine_similarity(z[:, None], z[None], dim=2)),
            "The nearest is the one in the most similar direction: Euclidean distance was asked.",
            _NEAR,
        ),
        Slip(
            _by(lambda z: -(z @ z.T)),
            "The nearest is the one with the largest inner product: Euclidean distance was asked.",
            _NEAR,
        ),
        Slip(
            _by(lambda z: (z[:, None, 0] - z[None, :, 0]).abs()),
            "Only the first latent dimension is used: all of them count.",
            _NEAR,
        ),
        *(
            Slip(
                _by(lambda z, m=made: m((z[:, None] - z[None]).sum(dim=2))),
                "Differences of different signs cancel in your distance: square them first.",
                _NEAR,
            )
            for made in (torch.abs, torch.clone)
        ),
        Slip(
            _second,
            "You take the second nearest of the other points: is the point itself stepped over "
            "twice?",
            _SELF,
        ),
        Slip(
            _diagonal(0),
            "The largest distance is put on the diagonal: where all others are as large, the point "
            "itself comes first.",
            _SELF,
        ),
        *(
            Slip(
                _diagonal(value),
                "A number stands on the diagonal that other distances can exceed: then the point "
                "itself is the nearest.",
                "Which number is larger than every distance, whatever the latents?",
            )
            for value in (1.0, 2.0, 10.0, 50.0, 100.0, 1e3, 1e4, 1e5, 1e6)
        ),
        Slip(
            _by(lambda z: z.square().sum(1)[:, None] + z.square().sum(1) - 2 * z @ z.T),
            f"The squared distance is multiplied out. {_LOST}",
            "Print the distances of the points around 1000, found in both ways.",
        ),
        Slip(
            lambda z, labels, classes: _right(z, labels, int(labels.max()) + 1),
            "The table ends at the largest class that occurs: the argument says how many classes "
            "there are.",
            "How many rows has the table if the last class has no points?",
        ),
        *(
            Slip(
                _made(lambda c, e=epsilon: c / (c.sum(dim=1, keepdim=True) + e)),
                "A small constant is added to the number of points: the rows no longer add up to "
                "1.",
                "What should a class without points be divided by, and what the others?",
            )
            for epsilon in (1e-3, 1e-2, 0.1, 1.0)
        ),
        Slip(
            _means,
            "You look for the nearest class mean: the nearest single point was asked.",
            _NEAR,
        ),
    ],
)


def confusion(function: Function) -> None:
    """Check `nearest_neighbour_confusion(z, labels, classes) -> (classes, classes)`."""
    __tracebackhide__ = True
    run("confusion", (CHECK, function))
