"""The training loop of the course: progress, early stopping, best weights, resuming."""

from __future__ import annotations

import copy
import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from coursekit.data import DataSet, Split
from coursekit.data import prepare as prepare_pictures
from coursekit.errors import CourseError
from coursekit.files import atomic_path
from coursekit.history import History, TrainingDiverged, shown
from coursekit.models.base import Model
from coursekit.optimisation import Optimiser, Schedule, make_optimiser, make_schedule

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
class _Settings:
    """What must be the same when a run is gone on with."""

    data: str
    pictures: int
    epochs: int
    batch_size: int
    prepare: str
    optimiser: str
    lr: float
    schedule: str
    clip: float | None
    seed: int
    device: str

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items())


class _Run:
    """A training run: all its state, one epoch at a time, and the file to resume it from."""

    def __init__(
        self, model: Model, data: DataSet, settings: _Settings,
        optimiser: torch.optim.Optimizer, schedule: Callable[[float], float],
    ) -> None:  # fmt: skip
        self.model = model
        self.settings = settings
        self.optimiser = optimiser
        self.schedule = schedule
        self.device = model.device
        self.data = data.to(self.device)
        self.generator = torch.Generator(self.device).manual_seed(settings.seed)
        self.history = History(unit=model.unit)
        self.start = copy.deepcopy(model.state_dict())
        self.best: dict[str, Tensor] | None = None
        self.steps = len(data.train) // settings.batch_size

    @property
    def epoch(self) -> int:
        """How many epochs are complete."""
        return len(self.history)

    def _set_rate(self, step: int) -> float:
        done = (self.epoch * self.steps + step) / (self.settings.epochs * self.steps)
        factor = self.schedule(done)
        for group in self.optimiser.param_groups:
            # what the optimiser was made with stays in the group, so that resuming is exact
            group["lr"] = group.setdefault("full_lr", group["lr"]) * factor
        return self.optimiser.param_groups[0]["lr"]

    def train_epoch(self, bar: tqdm) -> None:
        """One pass over the training pictures, then one look at the validation pictures."""
        began = time.perf_counter()
        train, generator = self.data.train, self.generator
        order = torch.randperm(len(train), generator=generator, device=self.device)
        total = torch.zeros((), device=self.device)
        rate = 0.0
        self.model.train()
        used = order[: self.steps * self.settings.batch_size]
        for step, index in enumerate(used.split(self.settings.batch_size)):
            rate = self._set_rate(step)
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
            # one look in fifty steps: each look makes a GPU wait
            if (step % 50 == 49 or step == self.steps - 1) and not math.isfinite(total.item()):
                raise self._diverged(rate)
            bar.update()
        if self._not_finite():  # the last step may have ruined what the loss has not seen
            raise self._diverged(rate)
        history, better = self.history, True
        if len(self.data.validation):
            value = mean_loss(self.model, self.data.validation, self.settings.prepare)
            better = value < min(filter(math.isfinite, history.validation_loss), default=math.inf)
            history.validation_loss.append(value)
        # all of an epoch is noted at once, so that Ctrl-C cannot leave half of it
        history.train_loss.append(total.item() / self.steps)
        history.lr.append(rate)
        history.seconds.append(time.perf_counter() - began)
        if better:
            self.best = copy.deepcopy(self.model.state_dict())
            history.best_epoch = self.epoch

    def _not_finite(self) -> list[str]:
        return [n for n, p in self.model.named_parameters() if not torch.isfinite(p).all()]

    def _diverged(self, rate: float) -> TrainingDiverged:
        bad = self._not_finite()
        where = f"the weights {bad[0]!r} are not finite" if bad else "all weights are finite"
        kept = f"of epoch {self.history.best_epoch}" if self.best else "it began with"
        self.best, self.history.stopped = self.best or self.start, "diverged"
        return TrainingDiverged(
            f"Training diverged in epoch {self.epoch + 1}: the loss is no longer a finite number "
            f"({where}; learning rate {rate:g}); the weights {kept} are restored; lower the "
            "learning rate or clip the gradients (clip=1.0), and look for log(0) or a division "
            "by 0 in the loss.",
            self.history,
        )

    def restore_best(self) -> None:
        """Put the weights of the best epoch back."""
        if self.best is not None:
            self.model.load_state_dict(self.best)

    def _state(self) -> dict[str, Any]:
        gpu = self.device.type == "cuda"
        return {
            "settings": str(self.settings),
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state(self.device) if gpu else None,
            "history": json.dumps(asdict(self.history)),
            "best": self.best,
        }

    def save(self, path: Path) -> None:
        """Write all state, whole or not at all."""
        with atomic_path(path) as temporary:
            torch.save(self._state(), temporary)

    def load(self, path: Path) -> None:
        """Read all state; nothing is changed if the file does not fit."""
        try:
            # weights_only: nothing in the file is run, whoever made it
            state = torch.load(path, weights_only=True, map_location="cpu")
            history = History(**json.loads(state["history"]))
            shapes = {name: value.shape for name, value in state["model"].items()}
            if state.keys() != self._state().keys():
                raise KeyError("a part is missing")
        except Exception as error:
            raise CourseError(
                f"{path} is cut short or is no training run of this course; delete it to start "
                "afresh."
            ) from error
        if state["settings"] != str(self.settings):
            raise CourseError(
                f"{path} is a run with other settings ({state['settings']}; now {self.settings}); "
                "delete it, or give another path."
            )
        try:
            if shapes != {name: value.shape for name, value in self.start.items()}:
                raise ValueError("other weights")
            self.optimiser.load_state_dict(state["optimiser"])
        except ValueError as error:
            raise CourseError(
                f"{path} belongs to a model of another architecture, or with other weights "
                "frozen; delete it, or give another path."
            ) from error
        self.model.load_state_dict(state["model"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_rng"])
        if state["cuda_rng"] is not None:
            torch.cuda.set_rng_state(state["cuda_rng"], self.device)
        best = state["best"]
        self.best = None if best is None else {k: v.to(self.device) for k, v in best.items()}
        self.history = history


def _check(
    data: DataSet, epochs: int, batch_size: int, patience: int | None, clip: float | None
) -> None:
    if epochs < 1:
        raise CourseError(f"fit: epochs is {epochs}; it must be at least 1.")
    if batch_size < 1:
        raise CourseError(f"fit: batch_size is {batch_size}; it must be at least 1.")
    if patience is not None and patience < 1:
        raise CourseError(f"fit: patience is {patience}; it must be at least 1, or None.")
    if clip is not None and not clip > 0:
        raise CourseError(f"fit: clip is {clip}; it must be above 0, or None.")
    if len(data.train) < batch_size:
        raise CourseError(
            f"fit: {len(data.train)} training pictures do not fill one batch of {batch_size}; "
            "lower batch_size."
        )
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
    device = model.device
    settings = _Settings(
        data.name, len(data.train), epochs, batch_size, prepare, type(made).__name__, lr,
        getattr(schedule, "__name__", str(schedule)), clip, seed, device.type,
    )  # fmt: skip
    run = _Run(model, data, settings, made, make_schedule(schedule))
    path = Path(resume) if resume is not None else None
    live = LiveCurves(
        f"{type(model).__name__} on {data.title}", plot, ylabel=f"loss ({model.unit})"
    )
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)  # for dropout, which takes no generator
        if path is not None and path.exists():
            run.load(path)
        bar = tqdm(
            total=epochs * run.steps, initial=run.epoch * run.steps, disable=not progress,
            file=sys.stdout, leave=False, mininterval=0.5, ncols=100, unit=" batches",
        )  # fmt: skip
        try:
            while run.epoch < epochs and not _out_of_patience(run.history, patience):
                run.train_epoch(bar)
                if path is not None:
                    run.save(path)
                live.update(run.history.train_loss, run.history.validation_loss)
                bar.set_description(_state(run.history, epochs), refresh=False)
                if on_epoch is not None:
                    model.eval()
                    with torch.random.fork_rng(devices=gpus):
                        on_epoch(run.epoch, model)
            run.history.stopped = "finished" if run.epoch == epochs else "patience"
        except KeyboardInterrupt:
            run.history.stopped = "interrupted"
        finally:
            run.restore_best()
            model.eval()
            bar.close()
            live.close()
    if progress:
        print(run.history.summary())
    return run.history


def _out_of_patience(history: History, patience: int | None) -> bool:
    return patience is not None and len(history) - history.best_epoch >= patience


def _state(history: History, epochs: int) -> str:
    text = f"epoch {len(history)}/{epochs}, training {shown(history.train_loss[-1])}"
    if history.validation_loss:
        text += f", validation {shown(history.validation_loss[-1])}"
    return text
