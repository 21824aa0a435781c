"""Answers to the exercise of notebook 03 on the classes of nearest neighbours."""

import torch
from sklearn.metrics import confusion_matrix

from coursekit import checks
from mutants import Exercise

confusion = Exercise("confusion", checks.confusion, ("nearest_neighbour_confusion",))


def distances(z):
    return torch.cdist(z, z).fill_diagonal_(torch.inf)


def counted(nearest, labels, classes):
    table = torch.zeros(classes, classes)
    for mine, other in zip(labels.tolist(), labels[nearest].tolist(), strict=True):
        table[mine, other] += 1
    return table


def rows(table):
    return table / table.sum(dim=1, keepdim=True).clamp(min=1)


def by_cdist(z, labels, classes):
    return rows(counted(distances(z).argmin(dim=1), labels, classes))


def by_loops(z, labels, classes):
    table = torch.zeros(classes, classes, dtype=torch.float64)
    for i in range(len(z)):
        others = [j for j in range(len(z)) if j != i]
        j = min(others, key=lambda j: float((z[i] - z[j]).square().sum()))
        table[labels[i], labels[j]] += 1
    for row in table:
        if row.sum() > 0:
            row /= row.sum()
    return table


def by_bincount(z, labels, classes):
    apart = (z[:, None] - z[None]).pow(2).sum(2) + torch.diag(torch.full((len(z),), torch.inf))
    pairs = labels * classes + labels[apart.argmin(1)]
    table = torch.bincount(pairs, minlength=classes**2).view(classes, classes)
    return torch.nan_to_num(table / table.sum(1, keepdim=True))


def by_scikit_learn(z, labels, classes):
    nearest = distances(z).argmin(dim=1)
    table = confusion_matrix(labels, labels[nearest], labels=range(classes), normalize="true")
    return torch.from_numpy(table)


confusion.right("cdist", by_cdist)
confusion.right("loops", by_loops)
confusion.right("bincount", by_bincount)
confusion.right("scikit-learn's table", by_scikit_learn)


def table_of(z, labels, classes):
    return counted(distances(z).argmin(dim=1), labels, classes)


def made(change):
    return lambda z, labels, classes: change(table_of(z, labels, classes))


def by(apart):
    def wrong(z, labels, classes):
        table = apart(z)
        table = table.fill_diagonal_(torch.inf)
        return rows(counted(table.argmin(dim=1), labels, classes))

    return wrong


def itself(z, labels, classes):
    return rows(counted(torch.cdist(z, z).argmin(dim=1), labels, classes))


def second_smallest(z, labels, classes):
    apart = (z[:, None] - z[None]).norm(dim=2)
    return rows(counted(apart.argsort(dim=1, stable=True)[:, 1], labels, classes))


def zero_means_itself(z, labels, classes):
    apart = (z[:, None] - z[None]).norm(dim=2)
    nearest = torch.where(apart == 0, torch.inf, apart).argmin(dim=1)
    return rows(counted(nearest, labels, classes))


def farthest(z, labels, classes):
    return rows(counted(torch.cdist(z, z).argmax(dim=1), labels, classes))


def third_smallest(z, labels, classes):
    order = distances(z).argsort(dim=1)[:, min(1, len(z) - 2)]
    return rows(counted(order, labels, classes))


def to_means(z, labels, classes):
    centres = torch.stack([z[labels == c].mean(dim=0) for c in range(classes)])
    nearest = torch.cdist(z, centres).nan_to_num(torch.inf).argmin(dim=1)
    table = torch.zeros(classes, classes)
    table.index_put_((labels, nearest), torch.ones(len(z)), accumulate=True)
    return rows(table)


def written_once(z, labels, classes):
    table = torch.zeros(classes, classes)
    table[labels, labels[distances(z).argmin(dim=1)]] += 1
    return rows(table)


def ones_written(z, labels, classes):
    table = torch.zeros(classes, classes)
    table[labels, labels[distances(z).argmin(dim=1)]] = 1
    return table


def only_present(z, labels, classes):
    return rows(table_of(z, labels, int(labels.max()) + 1))


def largest_on_diagonal(z, labels, classes):
    apart = torch.cdist(z, z)
    apart = apart.fill_diagonal_(float(apart.max()))
    return rows(counted(apart.argmin(dim=1), labels, classes))


def on_diagonal(number):
    def wrong(z, labels, classes):
        apart = torch.cdist(z, z) + number * torch.eye(len(z))
        return rows(counted(apart.argmin(dim=1), labels, classes))

    return wrong


def in_place(z, labels, classes):
    z -= z.mean(dim=0)
    return by_cdist(z, labels, classes)


def sorted_in_place(z, labels, classes):
    shares = by_cdist(z, labels, classes)
    labels.copy_(labels.sort().values)
    return shares


confusion.wrong(
    ("the point itself", "the point itself", itself),
    ("second smallest", "How does your code know which point is the point itself", second_smallest),
    ("distance 0 is itself", "How does your code know which point", zero_means_itself),
    ("farthest", "farthest", farthest),
    ("second nearest", "second nearest", third_smallest),
    ("nearest class mean", "nearest class mean", to_means),
    (
        "columns normalised",
        "columns add up to 1",
        made(lambda t: t / t.sum(0, keepdim=True).clamp(min=1)),
    ),
    ("divided without keepdim", "columns", made(lambda t: t / t.sum(1).clamp(min=1))),
    ("transposed", "Rows and columns", made(lambda t: rows(t).T)),
    ("turned round, then divided", "turned round", made(lambda t: rows(t.T))),
    ("counts", "counts", made(lambda t: t)),
    ("shares of all", "shares of all", made(lambda t: t / t.sum())),
    ("nan for an empty class", "row of nan", made(lambda t: t / t.sum(1, keepdim=True))),
    (
        "ones for an empty class",
        "equal shares",
        made(lambda t: torch.where(t.sum(1, keepdim=True) > 0, rows(t), 1 / len(t))),
    ),
    (
        "an empty class is its own",
        "its own neighbour",
        made(lambda t: rows(t) + torch.diag((t.sum(1) == 0).float())),
    ),
    ("per cent", "per cent", made(lambda t: 100 * rows(t))),
    ("rounded", "right value is", made(lambda t: rows(t).round(decimals=1))),
    ("diagonal", "diagonal", made(lambda t: rows(t).diag().diag())),
    ("diagonal only", "axis is missing", made(lambda t: rows(t).diag())),
    ("each pair once", "right value is", written_once),
    ("ones written", "counts once", ones_written),
    ("smoothed", "smoothed", made(lambda t: rows(t + 1))),
    ("softmax", "softmax", made(lambda t: t.softmax(1))),
    ("sums of absolute differences", "absolute differences", by(lambda z: torch.cdist(z, z, p=1))),
    ("largest difference", "largest difference", by(lambda z: torch.cdist(z, z, p=float("inf")))),
    (
        "cosine",
        "most similar direction",
        by(lambda z: 1 - torch.cosine_similarity(z[:, None], z[None], dim=2)),
    ),
    ("inner product", "inner product", by(lambda z: -(z @ z.T))),
    ("first dimension", "first latent dimension", by(lambda z: torch.cdist(z[:, :1], z[:, :1]))),
    ("differences cancel", "cancel", by(lambda z: (z[:, None] - z[None]).sum(2).abs())),
    ("classes that occur", "(6, 6)", only_present),
    ("classes that occur, the reason", "largest class that occurs", only_present),
    ("small constant", "small constant", made(lambda t: t / (t.sum(1, keepdim=True) + 1e-3))),
    ("largest on the diagonal", "largest distance", largest_on_diagonal),
    *(
        (f"{number:g} on the diagonal", "number stands on the diagonal", on_diagonal(number))
        for number in (10, 50, 100, 1e3, 1e6)
    ),
    (
        "multiplied out",
        "multiplied out",
        by(lambda z: z.square().sum(1)[:, None] + z.square().sum(1) - 2 * z @ z.T),
    ),
    ("ten classes", "(10, 10)", lambda z, labels, classes: by_cdist(z, labels, 10)),
    ("identity", "the point itself", lambda z, labels, classes: torch.eye(classes)),
    ("zeros", "whatever the inputs", lambda z, labels, classes: torch.zeros(classes, classes)),
    ("whole numbers", "torch.int64", made(lambda t: t.long())),
    ("in place", "in place", in_place),
    ("labels in place", "in place", sorted_in_place),
)

confusion.check_only |= {
    "multiplied out": "float32 rounding that the probe, in double precision, does not reach"
}

EXERCISES = [confusion]
