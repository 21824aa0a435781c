"""The training loop of the adversarial networks: two players, in turns."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from coursekit.adversarial import AdversarialLoss, adversarial_loss, gradient_penalty
from coursekit.data import DataSet
from coursekit.data import prepare as prepare_pictures
from coursekit.errors import CourseError
from coursekit.history import GANHistory, TrainingDiverged, shown
from coursekit.models.gan import GAN, centred
from coursekit.runs import Settings, TrainingRun, check_sizes
from coursekit.toys import ring, ring_centres

__all__ = ["GANHistory", "TrainingDiverged", "fit_gan", "ring", "ring_centres"]

SNAPSHOT, POINTS_SNAPSHOT = 64, 1000  # latents in each
_SETTLING = (20, 128)  # batches of latents from which BatchNorm's statistics are counted afresh


@dataclass(frozen=True)
class _Settings(Settings):
    loss: str
    lr: float
    judge_lr: float
    betas: tuple[float, float]
    judge_steps: int
    penalty: float
    average: float
    smooth: float
    seed: int
    device: str


@dataclass(frozen=True)
class _Examples:
    """The real things: a batch of them on the generator's scale, and how a snapshot is kept."""

    title: str
    batch: Callable[[Tensor], Tensor]
    kept: Callable[[Tensor], Tensor]
    snapshot: int


def settle(generator: nn.Module, latents: Tensor) -> None:
    """Count the statistics that BatchNorm uses in evaluation afresh, for the weights as they are.

    Averaged weights need it: the running statistics belong to weights that are not theirs.

    Args:
        generator: changed in place, and in evaluation mode afterwards.
        latents: batches of latents, (batches, B, K).
    """
    generator.eval()
    norms = [m for m in generator.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # all batches weigh the same
        norm.train()
    with torch.no_grad():
        for z in latents:
            generator(z)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


class _Game(TrainingRun[GANHistory]):
    """Two networks, two optimisers, and the moving average of the generator's weights."""

    model: GAN
    settings: _Settings
    advice = "lower the learning rates, or for the loss 'wasserstein' give a penalty (penalty=10)"

    def __init__(
        self, model: GAN, examples: _Examples, loss: AdversarialLoss, settings: _Settings,
        snapshots: Collection[int],
    ) -> None:  # fmt: skip
        self.players = {
            "optimiser": list(model.generator.parameters()),
            "judge_optimiser": list(model.discriminator.parameters()),
        }
        rates = {"optimiser": settings.lr, "judge_optimiser": settings.judge_lr}
        optimisers = {
            name: torch.optim.Adam(weights, lr=rates[name], betas=settings.betas, fused=True)
            for name, weights in self.players.items()
        }
        super().__init__(model, settings, settings.seed, dict(optimisers), GANHistory())
        self.history.loss = loss.name
        self.examples = examples
        self.loss = loss
        self.wanted = snapshots
        self.average = copy.deepcopy(model.generator) if settings.average else None
        own = torch.Generator(self.device).manual_seed(settings.seed + 1)  # never those of training
        self.latents = model.draw_latents(examples.snapshot, own)
        batches, n = _SETTLING
        self.settling = model.draw_latents(batches * n, own).reshape(batches, n, -1)

    def begin(self) -> None:
        """Show what the generator makes before it has learned anything."""
        if 0 in self.wanted:
            self._snapshot(0)

    def train_epoch(self, bar: tqdm) -> None:
        """One pass over the real examples, the discriminator first in every step."""
        began = time.perf_counter()
        judged = torch.zeros(3, device=self.device)  # loss, logit of real, logit of generated
        played = torch.zeros((), device=self.device)
        turns = 0
        self.model.train()
        for step, index in self.shuffled():
            number = self.epoch * self.steps + step + 1
            turn = number % self.settings.judge_steps == 0
            z = self.model.draw_latents(len(index), self.generator)
            with torch.set_grad_enabled(turn):
                fake = self.model.generate(z)
            judged += self._judge_step(self.examples.batch(index), fake.detach())
            if turn:
                turns += 1
                played += self._generator_step(fake)
                self._follow(number // self.settings.judge_steps)
            self.watch(step, judged.sum() + played)
            bar.update()
        self.check_weights()
        if self.average is not None:
            settle(self.average, self.settling)
        history = self.history
        if self.epoch + 1 in self.wanted:
            self._snapshot(self.epoch + 1)
        loss, real_logit, fake_logit = (judged / self.steps).tolist()
        # all of an epoch is noted at once, so that Ctrl-C cannot leave half of it
        history.generator_loss.append(played.item() / turns if turns else math.nan)
        history.judge_loss.append(loss)
        history.real_logit.append(real_logit)
        history.fake_logit.append(fake_logit)
        history.seconds.append(time.perf_counter() - began)
        self.best = self._final_weights()

    def _judge_step(self, real: Tensor, fake: Tensor) -> Tensor:
        """One step of the discriminator; its loss and mean logits before it, (3,)."""
        settings, model = self.settings, self.model
        real_logits, fake_logits = model.judge(real), model.judge(fake)
        loss = self.loss.discriminator(real_logits, fake_logits, settings.smooth)
        if settings.penalty:
            mix = torch.rand(len(real), generator=self.generator, device=self.device)
            loss = loss + settings.penalty * gradient_penalty(model.judge, real, fake, mix).mean()
        optimiser = self.optimisers["judge_optimiser"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return torch.stack([loss, real_logits.mean(), fake_logits.mean()]).detach()

    def _generator_step(self, fake: Tensor) -> Tensor:
        """One step of the generator, judged by the new discriminator; its loss before it."""
        loss = self.loss.generator(self.model.judge(fake))
        optimiser = self.optimisers["optimiser"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=self.players["optimiser"])  # the judge's weights get no gradient
        optimiser.step()
        return loss.detach()

    @torch.no_grad()
    def _follow(self, turn: int) -> None:
        """Move the average towards the generator; faster in the first turns."""
        if self.average is None:
            return
        decay = min(self.settings.average, (1 + turn) / (10 + turn))
        for mean, weight in zip(
            self.average.parameters(), self.model.generator.parameters(), strict=True
        ):
            mean.lerp_(weight, 1 - decay)

    def _final_weights(self) -> dict[str, Tensor]:
        weights = copy.deepcopy(self.model.state_dict())
        if self.average is not None:
            for name, value in self.average.state_dict().items():
                weights[f"generator.{name}"] = value.clone()
        return weights

    @torch.no_grad()
    def _snapshot(self, epoch: int) -> None:
        network = self.average or self.model.generator
        was_training = network.training
        network.eval()
        self.history.snapshots[epoch] = self.examples.kept(network(self.latents)).cpu()
        network.train(was_training)

    @contextmanager
    def shown(self) -> Iterator[nn.Module]:
        """The model with the averaged generator, as it would be if this was the last epoch."""
        training = copy.deepcopy(self.model.state_dict())
        self.restore_best()
        try:
            yield self.model.eval()
        finally:
            self.model.load_state_dict(training)

    def kept_from(self) -> int:
        """The last complete epoch: no number says which epoch of a GAN was best."""
        return self.epoch

    def rates(self) -> str:
        """The learning rates of both players."""
        return f"learning rates {self.settings.lr:g} and {self.settings.judge_lr:g}"

    def curves(self) -> tuple[list[float], list[float]]:
        """The losses of both players."""
        return self.history.generator_loss, self.history.judge_loss

    def state_line(self) -> str:
        """The losses of the last epoch."""
        history = self.history
        return (
            f"generator {shown(history.generator_loss[-1])}, "
            f"discriminator {shown(history.judge_loss[-1])}"
        )

    def more_state(self) -> dict[str, Any]:
        """The averaged generator and the snapshots."""
        average = self.average.state_dict() if self.average is not None else None
        return {"average": average, "snapshots": self.history.snapshots}

    def load_more(self, state: dict[str, Any]) -> None:
        """Take back what `more_state` gave."""
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.history.snapshots = state["snapshots"]


def _as_bytes(pictures: Tensor) -> Tensor:
    """Pictures in [-1, 1] as uint8."""
    return (255 * (pictures + 1) / 2).round().clamp(0, 255).to(torch.uint8)


def _check(loss: AdversarialLoss, settings: _Settings) -> None:
    check_sizes("fit_gan", settings.pictures, settings.epochs, settings.batch_size)
    steps = settings.pictures // settings.batch_size
    if not 1 <= settings.judge_steps <= steps:
        raise CourseError(
            f"fit_gan: judge_steps is {settings.judge_steps}; it must be at least 1, and at most "
            f"{steps}, the steps of an epoch."
        )
    for name in ("lr", "judge_lr"):
        if not getattr(settings, name) > 0:
            raise CourseError(f"fit_gan: {name} is {getattr(settings, name)}; it must be above 0.")
    for name in ("average", "smooth"):
        if not 0 <= getattr(settings, name) < 1:
            raise CourseError(
                f"fit_gan: {name} is {getattr(settings, name)}; it must be at least 0 and below 1."
            )
    if not settings.penalty >= 0:
        raise CourseError(f"fit_gan: penalty is {settings.penalty}; it must not be negative.")
    if settings.smooth and loss.smoothed is None:
        raise CourseError(
            f"fit_gan: the loss {loss.name!r} has no target that could be smoothed; leave smooth "
            "at 0."
        )


def _examples(data: DataSet | Tensor, device: torch.device) -> tuple[_Examples, str, int]:
    """What is real, what a resume file calls it, and how many there are."""
    if isinstance(data, DataSet):
        pictures = data.train.pictures.to(device)  # bytes, for the whole run
        examples = _Examples(
            data.title, lambda index: centred(prepare_pictures(pictures[index], "grey")),
            _as_bytes, SNAPSHOT,
        )  # fmt: skip
        return examples, data.name, len(pictures)
    points = data.to(device)
    examples = _Examples("points", lambda index: points[index], torch.clone, POINTS_SNAPSHOT)
    return examples, "points", len(points)


def fit_gan(
    model: GAN,
    data: DataSet | Tensor,
    *,
    epochs: int,
    batch_size: int = 128,
    loss: str = "non-saturating",
    lr: float = 2e-4,
    judge_lr: float | None = None,
    betas: tuple[float, float] = (0.5, 0.999),
    judge_steps: int = 1,
    penalty: float = 0.0,
    average: float = 0.0,
    smooth: float = 0.0,
    seed: int = 0,
    resume: str | os.PathLike[str] | None = None,
    progress: bool = True,
    plot: bool = False,
    snapshots: Collection[int] = (),
    on_epoch: Callable[[int, Any], Any] | None = None,
) -> GANHistory:
    """Train a GAN in turns; it ends with the weights of the last epoch, in evaluation mode.

    In each step the discriminator sees a batch of real and one of generated pictures and takes a
    step; in every `judge_steps`-th one the generator then takes its own, judged by the new
    discriminator. An epoch is a fresh shuffle of the training pictures cut into full batches.
    There is no best epoch: no loss says how good the pictures are.

    Args:
        model: a GAN; its parameters tell the device.
        data: pictures, which are put on the scale [-1, 1]; or a tensor (N, ...) of what the
            generator should make, taken as it is (points of the plane).
        epochs: passes over the training pictures.
        batch_size: pictures in a step, and as many generated ones.
        loss: a name in `adversarial.LOSSES`.
        lr: Adam's learning rate for the generator.
        judge_lr: for the discriminator; as `lr` if None.
        betas: Adam's, for both.
        judge_steps: steps of the discriminator for each of the generator's.
        penalty: weight of `adversarial.gradient_penalty` in the discriminator's loss.
        average: decay of a moving average of the generator's weights, which are what the model
            has in the end (BatchNorm's statistics are counted afresh for them); 0 for none.
        smooth: how far below 1 the target of real pictures lies.
        seed: of shuffles, latents and penalties.
        resume: file that holds the run after each epoch; where it exists the run goes on from it.
        progress: show a progress bar, and one line at the end.
        plot: draw the losses while training.
        snapshots: epochs (0: before the first) after which the same 64 latents (of points: 1,000)
            are drawn; they stand in the history.
        on_epoch: called with the epoch (from 1) and the model, as it would be if this was the
            last epoch, after each; what it draws has no effect on the training.

    Returns:
        The history. Ctrl-C ends the run early, with the weights of the last complete epoch.

    Raises:
        TrainingDiverged: if a loss is no longer finite; the weights of the last complete epoch
            are restored first, or those it began with.
        CourseError: for settings that make no sense, or a `resume` file of another run.

    Source: Goodfellow et al., Generative Adversarial Nets (2014), algorithm 1.
    """
    from coursekit.plots import LiveCurves

    costs = adversarial_loss(loss)
    examples, name, count = _examples(data, model.device)
    settings = _Settings(
        name, count, epochs, batch_size, loss, lr, lr if judge_lr is None else judge_lr,
        (betas[0], betas[1]), judge_steps, penalty, average, smooth, seed, model.device.type,
    )  # fmt: skip
    _check(costs, settings)
    run = _Game(model, examples, costs, settings, snapshots)
    live = LiveCurves(
        f"{type(model).__name__} on {examples.title}", plot, ylabel=f"loss ({loss})",
        names=("generator", "discriminator"),
    )  # fmt: skip
    return run.go(Path(resume) if resume is not None else None, live, progress, on_epoch)
