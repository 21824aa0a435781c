"""What every training loop of the course shares, whatever one epoch of it does.

Shuffling, the look for infinities, the file to resume from, Ctrl-C and the progress bar: `fit`
and the two-player loop of the adversarial networks give this the work of one epoch each.
"""

from __future__ import annotations

import copy
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from coursekit.errors import CourseError
from coursekit.files import atomic_path
from coursekit.history import GANHistory, History, TrainingDiverged
from coursekit.models.base import Model

if TYPE_CHECKING:
    from coursekit.plots import LiveCurves

H = TypeVar("H", History, GANHistory)
OnEpoch = Callable[[int, Any], Any]


@dataclass(frozen=True)
class Settings:
    """What must be the same when a run is gone on with; a loop adds its own."""

    data: str
    pictures: int
    epochs: int
    batch_size: int

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items())


def check_sizes(where: str, pictures: int, epochs: int, batch_size: int) -> None:
    """Raise a CourseError unless there is an epoch to run and a full batch in it."""
    if epochs < 1:
        raise CourseError(f"{where}: epochs is {epochs}; it must be at least 1.")
    if batch_size < 1:
        raise CourseError(f"{where}: batch_size is {batch_size}; it must be at least 1.")
    if pictures < batch_size:
        raise CourseError(
            f"{where}: {pictures} training pictures do not fill one batch of {batch_size}; "
            "lower batch_size."
        )


class TrainingRun(ABC, Generic[H]):
    """A training run: all its state, one epoch at a time, and the file to resume it from.

    Args:
        model: what is trained.
        settings: of the run.
        seed: of all draws.
        optimisers: under the names by which the file knows their states.
        history: an empty one, of the kind that the loop fills.

    Attributes:
        best: the weights that the model is to have in the end, as far as the run has come; None
            before the first epoch is complete.
    """

    advice = "lower the learning rate"

    def __init__(
        self, model: Model, settings: Settings, seed: int,
        optimisers: dict[str, torch.optim.Optimizer], history: H,
    ) -> None:  # fmt: skip
        self.model = model
        self.settings = settings
        self.seed = seed
        self.optimisers = optimisers
        self.history: H = history
        self.device = model.device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.start = copy.deepcopy(model.state_dict())
        self.best: dict[str, Tensor] | None = None
        self.steps = settings.pictures // settings.batch_size

    @abstractmethod
    def train_epoch(self, bar: tqdm) -> None:
        """One pass over the training pictures; everything it measured is noted at its end."""

    @abstractmethod
    def kept_from(self) -> int:
        """The epoch whose weights `best` holds."""

    @abstractmethod
    def rates(self) -> str:
        """The learning rates in force, for a message."""

    @abstractmethod
    def curves(self) -> tuple[list[float], list[float]]:
        """The two curves of the live plot."""

    @abstractmethod
    def state_line(self) -> str:
        """What the progress bar says after an epoch."""

    @property
    def epoch(self) -> int:
        """How many epochs are complete."""
        return len(self.history)

    def shuffled(self) -> Iterator[tuple[int, Tensor]]:
        """The steps of an epoch: their numbers, and the pictures of each, in a fresh order.

        The few pictures that do not fill a batch have their chance in the next epoch.
        """
        order = torch.randperm(self.settings.pictures, generator=self.generator, device=self.device)
        used = order[: self.steps * self.settings.batch_size]
        yield from enumerate(used.split(self.settings.batch_size))

    def watch(self, step: int, total: Tensor) -> None:
        """Look once in fifty steps, for a look makes a GPU wait, whether all sums are finite.

        Raises:
            TrainingDiverged: if they are not.
        """
        due = step % 50 == 49 or step == self.steps - 1
        if due and not bool(torch.isfinite(total).all()):
            raise self.diverged()

    def check_weights(self) -> None:
        """Raise TrainingDiverged if the last step has ruined what no loss has seen yet."""
        if self._not_finite():
            raise self.diverged()

    def _not_finite(self) -> list[str]:
        return [n for n, p in self.model.named_parameters() if not torch.isfinite(p).all()]

    def diverged(self) -> TrainingDiverged:
        """The error that says so; weights that are finite are there to be restored."""
        bad = self._not_finite()
        where = f"the weights {bad[0]!r} are not finite" if bad else "all weights are finite"
        kept = f"of epoch {self.kept_from()}" if self.best else "it began with"
        self.best, self.history.stopped = self.best or self.start, "diverged"
        return TrainingDiverged(
            f"Training diverged in epoch {self.epoch + 1}: the loss is no longer a finite number "
            f"({where}; {self.rates()}); the weights {kept} are restored; {self.advice}.",
            self.history,
        )

    def restore_best(self) -> None:
        """Give the model the weights that it is to have in the end."""
        if self.best is not None:
            self.model.load_state_dict(self.best)

    @contextmanager
    def shown(self) -> Iterator[nn.Module]:
        """The model as it is shown between two epochs, in evaluation mode."""
        yield self.model.eval()

    def more_state(self) -> dict[str, Any]:
        """What a loop keeps beyond the common state."""
        return {}

    def load_more(self, state: dict[str, Any]) -> None:
        """Take back what `more_state` gave."""

    def _state(self) -> dict[str, Any]:
        gpu = self.device.type == "cuda"
        history = {name: value for name, value in vars(self.history).items() if name != "snapshots"}
        return {
            "settings": str(self.settings),
            "model": self.model.state_dict(),
            **{name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "generator": self.generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state(self.device) if gpu else None,
            "history": json.dumps(history),
            "best": self.best,
            **self.more_state(),
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
            history = type(self.history)(**json.loads(state["history"]))
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
            for name, optimiser in self.optimisers.items():
                optimiser.load_state_dict(state[name])
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
        self.load_more(state)

    def begin(self) -> None:
        """What a loop does before the first epoch of a run that was not resumed."""

    def go(
        self, path: Path | None, live: LiveCurves, progress: bool, on_epoch: OnEpoch | None,
        enough: Callable[[H], bool] = lambda _history: False,
    ) -> H:  # fmt: skip
        """Run the epochs that are left; Ctrl-C ends it early.

        Args:
            path: file that holds the run after each epoch; where it exists the run goes on from
                it.
            live: the plot that grows.
            progress: show a progress bar, and one line at the end.
            on_epoch: called with the epoch (from 1) and the model, in evaluation mode, after each
                epoch; what it draws has no effect on the training.
            enough: whether to stop before the last epoch.

        Returns:
            The history; the model has its final weights and is in evaluation mode.
        """
        epochs = self.settings.epochs
        gpus = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=gpus):
            torch.manual_seed(self.seed)  # for dropout, which takes no generator
            if path is not None and path.exists():
                self.load(path)
            else:
                self.begin()
            bar = tqdm(
                total=epochs * self.steps, initial=self.epoch * self.steps, disable=not progress,
                file=sys.stdout, leave=False, mininterval=0.5, ncols=100, unit=" batches",
            )  # fmt: skip
            try:
                while self.epoch < epochs and not enough(self.history):
                    self.train_epoch(bar)
                    if path is not None:
                        self.save(path)
                    live.update(*self.curves())
                    text = f"epoch {self.epoch}/{epochs}, {self.state_line()}"
                    bar.set_description(text, refresh=False)
                    if on_epoch is not None:
                        with self.shown() as model, torch.random.fork_rng(devices=gpus):
                            on_epoch(self.epoch, model)
                self.history.stopped = "finished" if self.epoch == epochs else "patience"
            except KeyboardInterrupt:
                self.history.stopped = "interrupted"
            finally:
                self.restore_best()
                self.model.eval()
                bar.close()
                live.close()
        if progress:
            print(self.history.summary())
        return self.history
