"""How each kind of figure is measured, and the words in which the ledger says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from coursekit.data import DataSet, Split, prepare
from coursekit.evaluation import evaluate
from coursekit.likelihoods import Categorical, bits_per_dim
from coursekit.models.base import Model
from coursekit.models.vae import VAE
from coursekit.recipes.plan import Figure
from coursekit.training import mean_loss

Value = tuple[float, float | None]


@dataclass(frozen=True)
class Run:
    """A trained model, its data and its training curves: what figures are measured from.

    `kept` holds what several figures share, so that it is computed once.
    """

    model: Model
    data: DataSet
    prepare: str
    history: dict[str, Any]
    kept: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """One kind of figure.

    Attributes:
        value: the figure and its standard error over pictures (None where it has none), in the
            figure's unit.
        words: the estimator as the ledger names it; takes the figure and the number of epochs.
        split: the pictures it is measured on.
    """

    value: Callable[[Figure, Run], Value]
    words: Callable[[Figure, int], str]
    split: str = "test"


def pictures_of(figure: Figure) -> str:
    """Which test pictures a figure is measured on, in words."""
    return "whole test set" if figure.limit is None else f"first {figure.limit:,} test pictures"


def mean_and_error(values: torch.Tensor) -> Value:
    """Mean over pictures and its standard error, in double precision."""
    values = values.double()
    return values.mean().item(), values.std().item() / math.sqrt(len(values))


def share_and_error(right: torch.Tensor) -> Value:
    """Share of true entries and its standard error."""
    share = right.double().mean().item()
    return share, math.sqrt(share * (1 - share) / len(right))


def _train(figure: Figure, run: Run) -> Value:
    value = run.history["train_loss"][(figure.epoch or 0) - 1]
    return _in_unit(figure, run, value), None


def _in_unit(figure: Figure, run: Run, nats: float) -> float:
    if figure.unit != "bits/dim":
        return nats
    assert isinstance(run.model, VAE)
    return float(run.model.likelihood.bits_per_dim(nats, run.data.dims))


def _bound(figure: Figure, run: Run) -> Value:
    assert isinstance(run.model, VAE)
    kind = "iwae" if figure.kind == "iwae" else "nelbo"
    estimate = evaluate(
        run.model, run.data.test, run.prepare, kind, figure.samples, figure.limit, progress=True
    )
    error = estimate.standard_error
    if figure.unit == "bits/dim":  # a spread of values has no 8 bits added
        error = float(bits_per_dim(error, run.data.dims))
    return _in_unit(figure, run, estimate.value), error


def _bound_uniform_inside(figure: Figure, run: Run) -> Value:
    assert isinstance(run.model, VAE) and isinstance(run.model.likelihood, Categorical)
    inside = run.model.likelihood.inside.clone()
    run.model.likelihood.spread_evenly()
    try:
        return _bound(figure, run)
    finally:
        run.model.likelihood.inside.copy_(inside)


def _loss(_figure: Figure, run: Run) -> Value:
    return mean_loss(run.model, run.data.test, run.prepare), None


@torch.no_grad()
def _posterior_means(model: VAE, split: Split) -> torch.Tensor:
    parts = [model.encode(prepare(part, "grey"))[0] for part in split.pictures.split(1000)]
    return torch.cat(parts)


def _linear_probe(_figure: Figure, run: Run) -> Value:
    from coursekit.probes import linear_probe

    assert isinstance(run.model, VAE)
    train, test = run.data.train, run.data.test
    accuracy = linear_probe(
        _posterior_means(run.model, train), train.labels,
        _posterior_means(run.model, test), test.labels,
    )  # fmt: skip
    return accuracy, (accuracy * (1 - accuracy) / len(test)) ** 0.5


def _elbo_words(figure: Figure, _epochs: int) -> str:
    name = f"IWAE-{figure.samples}" if figure.kind == "iwae" else "negative ELBO, 1 sample"
    return f"{name}, {pictures_of(figure)}"


MEASURES: dict[str, Measure] = {
    "train": Measure(
        _train,
        lambda figure, epochs: (
            "negative ELBO, 1 sample, mean over the batches of epoch "
            f"{figure.epoch or epochs} while training"
        ),
        split="train",
    ),
    "nelbo": Measure(_bound, _elbo_words),
    "iwae": Measure(_bound, _elbo_words),
    "nelbo-uniform-inside": Measure(
        _bound_uniform_inside,
        lambda figure, epochs: (
            f"{_elbo_words(figure, epochs)}; the mass of a bin shared equally among its levels"
        ),
    ),
    "loss": Measure(
        _loss,
        lambda figure, _epochs: (
            f"mean squared error over values, weights of the best epoch, {pictures_of(figure)}"
        ),
    ),
    "loss-nats": Measure(
        _loss, lambda figure, _epochs: f"negative ELBO, 1 sample, {pictures_of(figure)}"
    ),
    "linear-probe": Measure(
        _linear_probe,
        lambda _figure, _epochs: (
            "logistic regression on the standardised posterior means of grey pictures, fitted on "
            "the training pictures, whole test set"
        ),
    ),
}
