"""What a training run leaves behind: its curves, and how it ended."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coursekit.errors import CourseError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor


@dataclass
class History:
    """What a training run measured; one entry an epoch.

    Attributes:
        train_loss: mean loss over the epoch's batches while the weights were moving.
        validation_loss: mean loss on the validation pictures, always the same noise draws.
        seconds: wall-clock time of the epoch, validation included.
        lr: learning rate at the epoch's end.
        first_loss: mean loss of the very first batch, before any step.
        best_epoch: counted from 1; the weights of this epoch are the ones kept.
        stopped: why it ended: "finished", "patience", "interrupted" or "diverged".
        unit: of the losses.
    """

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    first_loss: float = math.nan
    best_epoch: int = 0
    stopped: str = ""
    unit: str = "nats per picture"

    def __len__(self) -> int:
        """Return the number of complete epochs."""
        return len(self.train_loss)

    def summary(self) -> str:
        """Say in one line how it went."""
        if not self.train_loss:
            return f"{self.stopped} before the first epoch was complete"
        epochs = f"{len(self)} epoch{'s' if len(self) > 1 else ''}"
        line = f"{epochs} ({self.stopped}): training loss {shown(self.train_loss[-1])}"
        if self.validation_loss and self.best_epoch:
            best = self.validation_loss[self.best_epoch - 1]
            line += f", best validation loss {shown(best)} in epoch {self.best_epoch}"
        return line + f", {sum(self.seconds):.0f} s"

    def plot(self) -> Figure:
        """Draw training and validation loss over the epochs."""
        from coursekit.plots import curves

        series = {"training": self.train_loss}
        if self.validation_loss:
            series["validation"] = self.validation_loss
        return curves(series, ylabel=f"loss ({self.unit})")


@dataclass
class GANHistory:
    """What a run of the two-player loop measured; one entry an epoch, each a mean over its steps.

    Attributes:
        generator_loss: what the generator wanted to make small.
        judge_loss: what the discriminator wanted to make small, its penalty included.
        real_logit: the discriminator's logits of real pictures.
        fake_logit: its logits of generated pictures.
        seconds: wall-clock time of the epoch.
        loss: the name of the loss.
        stopped: why it ended: "finished", "interrupted" or "diverged".
        snapshots: after which epoch (0: before the first) -> what the generator then made of
            always the same latents, uint8 (n, C, H, W); floats for points.
    """

    generator_loss: list[float] = field(default_factory=list)
    judge_loss: list[float] = field(default_factory=list)
    real_logit: list[float] = field(default_factory=list)
    fake_logit: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    loss: str = "non-saturating"
    stopped: str = ""
    snapshots: dict[int, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of complete epochs."""
        return len(self.seconds)

    def summary(self) -> str:
        """Say in one line how it went."""
        if not self.seconds:
            return f"{self.stopped} before the first epoch was complete"
        return (
            f"{len(self)} epoch{'s' if len(self) > 1 else ''} ({self.stopped}): "
            f"generator's loss {shown(self.generator_loss[-1])}, discriminator's "
            f"{shown(self.judge_loss[-1])}, mean logit {shown(self.real_logit[-1])} for real and "
            f"{shown(self.fake_logit[-1])} for generated, {sum(self.seconds):.0f} s"
        )

    def plot(self) -> Figure:
        """Draw the losses of both players over the epochs."""
        from coursekit.plots import curves

        series = {"generator": self.generator_loss, "discriminator": self.judge_loss}
        return curves(series, ylabel=f"loss ({self.loss})")


def shown(loss: float) -> str:
    """A loss as progress lines print it: 2 decimals, and 4 below 1."""
    return f"{loss:.2f}" if abs(loss) >= 1 else f"{loss:.4f}"


class TrainingDiverged(CourseError):
    """The loss became infinite or not a number; `history` holds what was measured before."""

    def __init__(self, message: str, history: Any) -> None:
        super().__init__(message)
        self.history = history
