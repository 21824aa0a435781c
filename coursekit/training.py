"""The training loop of the course: progress, early stopping, best weights, resuming."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from coursekit.data import DataSet, Split
from coursekit.data import prepare as prepare_pictures
from coursekit.errors import CourseError
from coursekit.history import History, TrainingDiverged, shown
from coursekit.models.base import Model
from coursekit.optimisation import Optimiser, Schedule, make_optimiser, make_schedule
from coursekit.runs import Settings, TrainingRun, check_sizes

__all__ = ["History", "TrainingDiverged", "fit", "mean_loss"]


def mean_loss(model: Model, split: Split, prepare: str, seed: int = 0, chunk: int = 1000) -> float:
    """Mean loss over a split in evaluation mode; the same seed gives the same noise draws.

    Args:
        model: any model with `loss`.
        split: pictures and labels, on the model's device.
        prepare: how pictures are prepared, a name for `coursekit.data.prepare`.
        seed: of all draws (binarisation and latents).
        chunk: pictures at a time; it bounds the memory.

    Returns:
        The loss in its own unit, per picture.
    """
    device = split.pictures.device
    generator = torch.Generator(device).manual_seed(seed)
    was_training = model.training
    model.eval()
    total = torch.zeros((), device=device)
    try:
        with torch.no_grad():
            for pictures, labels in zip(
                split.pictures.split(chunk), split.labels.split(chunk), strict=True
            ):
                x = prepare_pictures(pictures, prepare, generator)
                total += model.loss(x, labels, generator=generator).sum()
    finally:
        model.train(was_training)
    return total.item() / len(split)


@dataclass(frozen=True)
class _Settings(Settings):
    prepare: str
    optimiser: str
    lr: float
    schedule: str
    clip: float | None
    seed: int
    device: str


class _Run(TrainingRun[History]):
    """One model, one optimiser, and the weights of the best validation epoch."""

    settings: _Settings
    advice = (
        "lower the learning rate or clip the gradients (clip=1.0), and look for log(0) or a "
        "division by 0 in the loss"
    )

    def __init__(
        self, model: Model, data: DataSet, settings: _Settings,
        optimiser: torch.optim.Optimizer, schedule: Callable[[float], float],
    ) -> None:  # fmt: skip
        super().__init__(
            model, settings, settings.seed, {"optimiser": optimiser}, History(unit=model.unit)
        )
        self.data = data.to(self.device)
        self.optimiser = optimiser
        self.schedule = schedule
        self.rate = 0.0

    def _set_rate(self, step: int) -> None:
        done = (self.epoch * self.steps + step) / (self.settings.epochs * self.steps)
        factor = self.schedule(done)
        for group in self.optimiser.param_groups:
            # what the optimiser was made with stays in the group, so that resuming is exact
            group["lr"] = group.setdefault("full_lr", group["lr"]) * factor
        self.rate = self.optimiser.param_groups[0]["lr"]

    def train_epoch(self, bar: tqdm) -> None:
        """One pass over the training pictures, then one look at the validation pictures."""
        began = time.perf_counter()
        train, generator = self.data.train, self.generator
        total = torch.zeros((), device=self.device)
        self.model.train()
        for step, index in self.shuffled():
            self._set_rate(step)
            x = prepare_pictures(train.pictures[index], self.settings.prepare, generator)
            loss = self.model.loss(x, train.labels[index], generator=generator).mean()
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if self.settings.clip is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
            self.optimiser.step()
            total += loss.detach()
            if self.epoch == 0 and step == 0:
                self.history.first_loss = loss.item()
            self.watch(step, total)
            bar.update()
        self.check_weights()
        history, better = self.history, True
        if len(self.data.validation):
            value = mean_loss(self.model, self.data.validation, self.settings.prepare)
            better = value < min(filter(math.isfinite, history.validation_loss), default=math.inf)
            history.validation_loss.append(value)
        # all of an epoch is noted at once, so that Ctrl-C cannot leave half of it
        history.train_loss.append(total.item() / self.steps)
        history.lr.append(self.rate)
        history.seconds.append(time.perf_counter() - began)
        if better:
            self.best = copy.deepcopy(self.model.state_dict())
            history.best_epoch = self.epoch

    def kept_from(self) -> int:
        """The best epoch."""
        return self.history.best_epoch

    def rates(self) -> str:
        """The learning rate of the last step."""
        return f"learning rate {self.rate:g}"

    def curves(self) -> tuple[list[float], list[float]]:
        """Training and validation loss."""
        return self.history.train_loss, self.history.validation_loss

    def state_line(self) -> str:
        """The losses of the last epoch."""
        text = f"training {shown(self.history.train_loss[-1])}"
        if self.history.validation_loss:
            text += f", validation {shown(self.history.validation_loss[-1])}"
        return text


def _check(
    data: DataSet, epochs: int, batch_size: int, patience: int | None, clip: float | None
) -> None:
    check_sizes("fit", len(data.train), epochs, batch_size)
    if patience is not None and patience < 1:
        raise CourseError(f"fit: patience is {patience}; it must be at least 1, or None.")
    if clip is not None and not clip > 0:
        raise CourseError(f"fit: clip is {clip}; it must be above 0, or None.")
    if patience is not None and len(data.validation) == 0:
        raise CourseError("fit: patience needs validation pictures, and this data set has none.")


def fit(
    model: Model,
    data: DataSet,
    *,
    epochs: int,
    batch_size: int = 128,
    prepare: str = "dynamic",
    optimiser: Optimiser = "adam",
    lr: float = 1e-3,
    schedule: Schedule = None,
    patience: int | None = None,
    clip: float | None = None,
    seed: int = 0,
    resume: str | os.PathLike[str] | None = None,
    progress: bool = True,
    plot: bool = False,
    on_epoch: Callable[[int, nn.Module], Any] | None = None,
) -> History:
    """Train a model; it ends with the weights of its best validation epoch, in evaluation mode.

    The pictures stay on the model's device as uint8; each batch is prepared afresh (binarised,
    dequantised) with draws from a generator that `seed` fixes. An epoch is a fresh shuffle cut
    into full batches; the few pictures left over have their chance in the next one.

    Args:
        model: has `loss(x, y, generator) -> (B,)`; its parameters tell the device.
        data: training and validation pictures; without the latter the last weights are kept.
        epochs: passes over the training pictures.
        batch_size: pictures in a step.
        prepare: a name for `coursekit.data.prepare`.
        optimiser: "adam", "adamax", "sgd", or a function from parameters to an optimiser.
        lr: learning rate.
        schedule: "cosine", or a function from the share of steps done to a factor on lr.
        patience: stop after this many epochs without a better validation loss.
        clip: largest norm of the gradient; a longer one is scaled down to it.
        seed: of shuffles, preparation and latent draws.
        resume: file that holds the run after each epoch; where it exists the run goes on from it.
        progress: show a progress bar, and one line at the end.
        plot: draw the curves while training.
        on_epoch: called with the epoch (from 1) and the model, in evaluation mode, after each
            epoch; what it draws has no effect on the training.

    Returns:
        The history. Ctrl-C ends the run early and keeps the best weights so far.

    Raises:
        TrainingDiverged: if the loss is no longer finite; the best weights so far are restored
            first, or those it began with.
        CourseError: for settings that make no sense, or a `resume` file of another run.
    """
    from coursekit.plots import LiveCurves

    _check(data, epochs, batch_size, patience, clip)
    made = make_optimiser(optimiser, model, lr)
    settings = _Settings(
        data.name, len(data.train), epochs, batch_size, prepare, type(made).__name__, lr,
        getattr(schedule, "__name__", str(schedule)), clip, seed, model.device.type,
    )  # fmt: skip
    run = _Run(model, data, settings, made, make_schedule(schedule))
    live = LiveCurves(
        f"{type(model).__name__} on {data.title}", plot, ylabel=f"loss ({model.unit})"
    )
    return run.go(
        Path(resume) if resume is not None else None, live, progress, on_epoch,
        lambda history: _out_of_patience(history, patience),
    )  # fmt: skip


def _out_of_patience(history: History, patience: int | None) -> bool:
    return patience is not None and len(history) - history.best_epoch >= patience
