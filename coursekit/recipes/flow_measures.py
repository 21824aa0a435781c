"""Figures of notebook 06: bits/dim of flows on the test pictures, with fresh noise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from tqdm import tqdm

from coursekit.data import prepare
from coursekit.errors import CourseError
from coursekit.inference import log_mean_exp
from coursekit.ledger import records
from coursekit.models.flows import Flow
from coursekit.recipes.measures import Measure, Run, Value, mean_and_error, pictures_of
from coursekit.recipes.plan import Figure


def _log_weights(figure: Figure, run: Run) -> Tensor:
    """Log p - log q of `figure.samples` draws of noise for each test picture, (S, N) nats."""
    assert isinstance(run.model, Flow)
    key = f"flow-{figure.samples}-{figure.limit}"
    if key in run.kept:
        return run.kept[key]
    device, test = run.model.device, run.data.test
    generator = torch.Generator(device).manual_seed(0)
    pictures, labels = test.pictures[: figure.limit], test.labels[: figure.limit]
    parts = []
    for part, y in zip(
        tqdm(pictures.split(500), leave=False), labels.split(500), strict=True
    ):  # fmt: skip
        x = prepare(part.to(device), "grey")
        parts.append(run.model.log_weights(x, y.to(device), figure.samples, generator).cpu())
    run.kept[key] = torch.cat(parts, dim=1).double()
    return run.kept[key]


def _bits(run: Run, nats: Tensor) -> Value:
    assert isinstance(run.model, Flow)
    return mean_and_error(run.model.bits_per_dim(nats))


def _mean_of_draws(figure: Figure, run: Run) -> Value:
    return _bits(run, -_log_weights(figure, run).mean(dim=0))


def _importance_weighted(figure: Figure, run: Run) -> Value:
    return _bits(run, -log_mean_exp(_log_weights(figure, run)))


def _above(key: str) -> Callable[[Figure, Run], Value]:
    def value(figure: Figure, run: Run) -> Value:
        other = records().get(key)
        if other is None:
            raise CourseError(
                f"{key} is not in the ledger; run `python -m coursekit train {key.split('/')[0]}` "
                "first."
            )
        return _mean_of_draws(figure, run)[0] - float(other["value"]), None

    return value


def _draws(figure: Figure, _epochs: int) -> str:
    return f"8-bit, evaluation mode, mean of {figure.samples} noise draws, {pictures_of(figure)}"


FLOW_MEASURES: dict[str, Measure] = {
    "flow-bits": Measure(_mean_of_draws, _draws),
    "flow-bits-iw": Measure(
        _importance_weighted,
        lambda figure, _epochs: (
            f"8-bit, evaluation mode, importance-weighted over {figure.samples} noise draws, "
            f"{pictures_of(figure)}"
        ),
    ),
    "flow-bits-above-realnvp-10": Measure(
        _above("flow-realnvp-10/test_bpd"),
        lambda figure, epochs: f"{_draws(figure, epochs)}; minus flow-realnvp-10/test_bpd",
    ),
}
