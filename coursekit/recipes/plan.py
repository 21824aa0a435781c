"""What a recipe says: which model, on which data, trained how, and what is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One figure that a recipe measures.

    Attributes:
        name: the part of the ledger id behind the slash.
        kind: a key of `measures.MEASURES`.
        unit: "nats", "bits/dim" or another that the ledger knows.
        samples: S of the estimator.
        limit: how many test pictures; all if None.
        epoch: for "train": which epoch, from 1; the last if None.
        key: the whole ledger id, where it does not begin with the recipe's name.
    """

    name: str
    kind: str
    unit: str = "nats"
    samples: int = 1
    limit: int | None = None
    epoch: int | None = None
    key: str | None = None

    def id(self, recipe: str) -> str:
        """The figure's id in the ledger."""
        return self.key or f"{recipe}/{self.name}"


@dataclass(frozen=True)
class Recipe:
    """A training run that a command repeats.

    Attributes:
        builder: a name in `checkpoints.BUILDERS`.
        arguments: for the builder.
        prepare: how pictures are prepared.
        fit: further arguments for the loop.
        figures: what is measured.
        dataset: what `coursekit.data.load` takes, such as "mnist" or "digits".
        seeds: how many seeds; the first one is shipped.
        note: what a reader of the figures should know about the run.
        loop: which loop trains it, a key of `loops.LOOPS`.
        first: the recipe whose trained VQ-VAE a code prior holds; None for other models.
        ships: False for a network too large for the repository: its curves, its figures and some
            samples are kept there, and its weights in the data folder's `runs`.
    """

    builder: str
    arguments: dict[str, Any]
    prepare: str
    fit: dict[str, Any]
    figures: tuple[Figure, ...]
    dataset: str = "mnist"
    seeds: int = 1
    note: str | None = None
    ships: bool = True
    loop: str = "fit"
    first: str | None = None


NELBO = Figure("test_nelbo", "nelbo")
IWAE = Figure("test_iwae5000", "iwae", samples=5000, limit=2000)
FRECHET = (
    Figure("frechet", "frechet", "distance"),
    Figure("frechet_in_floors", "frechet-in-floors", "ratio"),
)
COSINE: dict[str, Any] = {"batch_size": 128, "schedule": "cosine"}
