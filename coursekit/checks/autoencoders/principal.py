"""Check of `pca-reconstruction`: the best linear autoencoder, in closed form."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.autoencoders.principal_directions import PICKED, leading
from coursekit.checks.autoencoders.principal_edges import edges
from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import normal

_FLAT = "Look at steps 1 to 4 above, and print the shape and the mean of what each of them gives."


def _right(train: Tensor, x: Tensor, k: int) -> Tensor:
    """Reconstruct by the eigenvectors of the covariance."""
    mean = train.mean(dim=0)
    vectors = torch.linalg.eigh(torch.cov((train - mean).T)).eigenvectors
    basis = vectors.flip(1)[:, :k]
    return mean + torch.einsum("bd,dk,ek->be", x - mean, basis, basis)


def _cases() -> list[Case]:
    def case(title: str, seed: int, n: int, dims: int, b: int, k: int, **kind: float) -> Case:
        """Train rows with distinct spreads in tilted directions; x lies elsewhere."""
        ratio = kind.get("ratio", 2.0)
        dtype = torch.float64 if "float64" in title else torch.float32
        parts = normal(seed, (n, dims), (b, dims), (dims, dims), (dims,), dtype=dtype)
        z, x, tilt, mean = parts
        spreads = ratio ** -torch.arange(dims, dtype=dtype)
        turn = torch.linalg.qr(tilt).Q if kind.get("tilted", 1) else torch.eye(dims)
        train = 3 * (z * spreads) @ turn.to(dtype) + 2 * mean + 1
        return Case({"train": train, "x": 2 * x - 1, "k": k}, title)

    tensor = torch.tensor
    hand = Case(
        {"train": tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 4.0]]), "x": tensor([[4.0, 2.0]]), "k": 1}
    )
    return [
        hand,
        case("20 rows of 5 numbers, k = 2, 4 new rows", 51, 20, 5, 4, 2),
        case("12 rows of 4 numbers, k = 1, 1 new row", 52, 12, 4, 1, 1),
        case("9 rows of 3 numbers, k = 3 (all directions)", 53, 9, 3, 2, 3),
        case("4 rows of 7 numbers, k = 2, 3 new rows", 54, 4, 7, 3, 2),
        case("6 rows of 6 numbers, k = 3, 6 new rows, in float64", 55, 6, 6, 6, 3),
        case(
            "30 rows along the axes, spreads far apart, k = 2", 56, 30, 4, 3, 2, ratio=5, tilted=0
        ),
    ]


def _through(x: Tensor, directions: Tensor) -> Tensor:
    return x @ directions.T @ directions


def _centred_by(mean: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """The reconstruction with another mean, made from train and x."""

    def wrong(train: Tensor, x: Tensor, k: int) -> Tensor:
        middle = mean(train, x)
        return middle + _through(x - middle, leading(train - middle)[:k])

    return wrong


def _along(pick: Callable[[Tensor, Tensor, int], Tensor]) -> Function:
    """The reconstruction along other directions, picked from centred train, x and k."""

    def wrong(train: Tensor, x: Tensor, k: int) -> Tensor:
        mean = train.mean(dim=0)
        return mean + _through(x - mean, pick(train - mean, x, k))

    return wrong


def _joined(join: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Function:
    """Joins x, the training mean and the k directions (k, D) in another way."""

    def wrong(train: Tensor, x: Tensor, k: int) -> Tensor:
        mean = train.mean(dim=0)
        return join(x, mean, leading(train - mean)[:k])

    return wrong


def _standardised(back: bool) -> Function:
    """PCA of standardised columns."""

    def wrong(train: Tensor, x: Tensor, k: int) -> Tensor:
        mean, spread = train.mean(dim=0), train.std(dim=0)
        found = _through((x - mean) / spread, leading((train - mean) / spread)[:k])
        return found * spread + mean if back else found

    return wrong


def _scaled(power: float) -> Function:
    """The codes multiplied by a power of the singular values."""

    def wrong(train: Tensor, x: Tensor, k: int) -> Tensor:
        mean = train.mean(dim=0)
        _, values, rows = torch.linalg.svd(train - mean, full_matrices=False)
        return mean + ((x - mean) @ rows[:k].T * values[:k] ** power) @ rows[:k]

    return wrong


def _whitened(train: Tensor, x: Tensor, k: int) -> Tensor:
    return train.mean(dim=0) + (_scaled(-1.0)(train, x, k) - train.mean(dim=0)) * (
        (len(train) - 1) ** 0.5
    )


_MEAN = "Look at step 1 above: whose mean is subtracted, and when does it come back?"
_PICK = "Look at step 2 above: in which order come the directions, and is each a row or a column?"
_BACK = "Look at steps 3 and 4 above: what is the shape of a code, and how does it become a row?"

CHECK = Check(
    reference=_right,
    cases=_cases,
    shape="(B, D)",
    look=_FLAT,
    slips=[
        Slip(
            _centred_by(lambda train, x: torch.zeros_like(train[0])),
            "Nothing is centred: the directions of the rows themselves are not those of their "
            "spread.",
            _MEAN,
        ),
        Slip(
            _centred_by(lambda train, x: x.mean(dim=0)),
            "The mean of the new rows is taken: train's is what the directions were found with.",
            _MEAN,
        ),
        Slip(
            _centred_by(lambda train, x: torch.cat([train, x]).mean(dim=0)),
            "The new rows enter the mean: it is train's alone.",
            _MEAN,
        ),
        Slip(
            _centred_by(lambda train, x: train.mean() * torch.ones_like(train[0])),
            "One mean is taken over all numbers: each column has its own.",
            _MEAN,
        ),
        Slip(
            _centred_by(lambda train, x: train.median(dim=0).values),
            "The median is subtracted: a mean was asked.",
            _MEAN,
        ),
        Slip(
            _joined(lambda x, mean, rows: _through(x - mean, rows)),
            "The mean is not added back at the end.",
            _MEAN,
        ),
        Slip(
            _joined(lambda x, mean, rows: _through(x, rows)),
            "The directions are right, but the new rows are not centred, and no mean is added.",
            _MEAN,
        ),
        Slip(
            _joined(lambda x, mean, rows: mean + _through(x, rows)),
            "The new rows are not centred before they are projected; the mean is added all the "
            "same.",
            _MEAN,
        ),
        Slip(
            _joined(lambda x, mean, rows: _through(x - mean, rows) - mean),
            "The mean comes back with the wrong sign.",
            _MEAN,
        ),
        Slip(
            lambda train, x, k: (
                train.mean(0) + _through(x - x.mean(0), leading(train - train.mean(0))[:k])
            ),
            "The new rows are centred by their own mean: train's is subtracted from them too.",
            _MEAN,
        ),
        Slip(
            lambda train, x, k: (
                x.mean(0) + _through(x - x.mean(0), leading(train - train.mean(0))[:k])
            ),
            "The new rows are centred by their own mean: train's is subtracted from them too.",
            _MEAN,
        ),
        Slip(
            lambda train, x, k: train.mean(0) + _through(x - train.mean(0), leading(train)[:k]),
            "The directions come from rows that are not centred.",
            _MEAN,
        ),
        Slip(
            lambda train, x, k: x.mean(0) + _through(x - x.mean(0), leading(x - x.mean(0))[:k]),
            "The directions are found from the new rows: train is not used.",
            _MEAN,
        ),
        *(Slip(_along(pick), what, _PICK) for pick, what in PICKED),
        Slip(
            lambda train, x, k: x.clone(),
            "The rows come back as they are: only k directions may be kept.",
            _PICK,
        ),
        Slip(
            lambda train, x, k: train.mean(dim=0).expand(x.shape),
            "Every row comes back as the mean: what lies along the directions is left out.",
            _BACK,
        ),
        Slip(
            _joined(lambda x, mean, rows: x - _through(x - mean, rows)),
            "That is what the k directions leave over: what they hold was asked.",
            _BACK,
        ),
        Slip(
            _joined(lambda x, mean, rows: (x - mean) @ rows.T),
            "That is the code: it is to be mapped back to D numbers.",
            _BACK,
        ),
        Slip(
            lambda train, x, k: _right(train, train, k),
            "You reconstruct train: x was asked.",
            _BACK,
        ),
        Slip(
            _joined(lambda x, mean, rows: (mean + _through(x - mean, rows)).clamp(0, 1)),
            "The reconstruction is clamped to the range of grey values: nothing was said of that.",
            _BACK,
        ),
        Slip(
            _scaled(1.0),
            "The codes are multiplied by the singular values: directions have length 1.",
            _BACK,
        ),
        Slip(
            _scaled(2.0),
            "The codes are multiplied by the squared singular values: directions have length 1.",
            _BACK,
        ),
        Slip(
            _scaled(-1.0),
            "The codes are divided by the singular values and not multiplied again.",
            _BACK,
        ),
        Slip(
            _standardised(back=True),
            "The columns are divided by their spread before the directions are found: centre only.",
            _MEAN,
        ),
        Slip(
            _standardised(back=False),
            "The columns are divided by their spread, and neither spread nor mean comes back.",
            _MEAN,
        ),
        Slip(
            _whitened,
            "The codes are scaled to a spread of 1 and not scaled back.",
            _BACK,
        ),
        Slip(
            lambda train, x, k: _right(train, x, k).T,
            "Rows and columns of the result are exchanged.",
            _BACK,
        ),
        Slip(
            lambda train, x, k: _centred_by(lambda known, new: known.mean(0))(x, train, k),
            "train and x are exchanged: the directions come from train.",
            _BACK,
        ),
        Slip(
            lambda train, x, k: _right(train, x, k).flip(0),
            "The reconstructions are right and in the wrong order.",
            _BACK,
        ),
        Slip(
            lambda train, x, k: _right(train, x, k)[:1].expand(x.shape),
            "Every row is the first one's reconstruction: each has its own.",
            _BACK,
        ),
    ],
)


EDGES = edges(_right)


def pca_reconstruction(function: Function) -> None:
    """Check `pca_reconstruct(train, x, k) -> (B, D)`."""
    __tracebackhide__ = True
    run("pca-reconstruction", (CHECK, function), (EDGES, function))
