"""Directions that are taken in place of the principal ones, for `pca-reconstruction`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def leading(centred: Tensor) -> Tensor:
    """The principal directions, a row for each, the leading one first."""
    return torch.linalg.svd(centred, full_matrices=False).Vh


_SMALLEST = "Those are the directions of the smallest variance: eigh puts them first."
_ROWS = "Rows of the matrix of eigenvectors are taken: an eigenvector is a column."

# Directions (rows) taken wrongly, from centred train, x and k; and what to say to that.
PICKED: list[tuple[Callable[[Tensor, Tensor, int], Tensor], str]] = [
    (
        lambda centred, x, k: leading(x - x.mean(0))[:k],
        "The directions are found from the new rows: train's are asked.",
    ),
    (
        lambda centred, x, k: leading(centred).T[:k],
        "Rows and columns are exchanged in the matrix of directions.",
    ),
    (
        lambda centred, x, k: torch.linalg.eigh(centred.T @ centred)[1][:, :k].T,
        _SMALLEST,
    ),
    (
        lambda centred, x, k: torch.linalg.eigh(torch.cov(centred.T))[1][:, :k].T,
        _SMALLEST,
    ),
    (
        lambda centred, x, k: leading(centred)[-k:],
        "Those are the k last directions: the leading ones were asked.",
    ),
    (
        lambda centred, x, k: torch.linalg.eigh(centred.T @ centred)[1][-k:],
        _ROWS,
    ),
    (
        lambda centred, x, k: torch.linalg.eigh(centred.T @ centred)[1][:k],
        _ROWS,
    ),
    (lambda centred, x, k: torch.linalg.eigh(torch.cov(centred.T))[1][-k:], _ROWS),
    (lambda centred, x, k: torch.linalg.eigh(torch.cov(centred.T))[1][:k], _ROWS),
    (lambda centred, x, k: leading(centred)[: k + 1], "One direction too many is used."),
    (lambda centred, x, k: leading(centred)[: k - 1], "One direction too few is used."),
    (
        lambda centred, x, k: leading(centred)[1 : k + 1],
        "The leading direction is left out: the first one is number 0.",
    ),
    (
        lambda centred, x, k: leading(centred)[k - 1 : k],
        "Direction number k alone is used: all of the first k were asked.",
    ),
    (
        lambda centred, x, k: leading(centred)[:1],
        "Only the leading direction is used, whatever k is.",
    ),
    (lambda centred, x, k: leading(centred)[:2], "Two directions are used, whatever k is."),
    (lambda centred, x, k: leading(centred), "All directions are used: k of them were asked."),
    (
        lambda centred, x, k: torch.eye(centred.shape[1]).to(centred)[:k],
        "The first k columns are kept: the directions of the largest spread are others.",
    ),
    (
        lambda centred, x, k: torch.eye(centred.shape[1]).to(centred)[
            centred.var(0).topk(k).indices
        ],
        "The columns themselves are ranked by their spread: a direction mixes all of them.",
    ),
]
