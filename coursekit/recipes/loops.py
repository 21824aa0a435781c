"""The loops that train recipes, behind one call: what each needs, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from coursekit.data import DataSet
from coursekit.models.base import Model
from coursekit.models.gan import GAN
from coursekit.recipes.plan import Recipe
from coursekit.training import fit
from coursekit.two_players import fit_gan

KEPT_SNAPSHOTS = 36  # pictures of each that are stored


@dataclass
class Trained:
    """What a loop leaves behind, beside the weights.

    Attributes:
        stopped: as the loop's history says it.
        history: what the manifest keeps of the curves.
        snapshots: after which epoch -> uint8 pictures of always the same latents.
    """

    stopped: str
    history: dict[str, Any]
    snapshots: dict[int, Tensor] = field(default_factory=dict)


def _rounded(values: list[float]) -> list[float]:
    """Four decimals, and at least five digits: a squared error is a small number."""
    return [round(v, 4) if abs(v) >= 1 else float(f"{v:.5g}") for v in values]


def _fit(model: Model, data: DataSet, plan: Recipe, seed: int, resume: Path) -> Trained:
    found = fit(model, data, prepare=plan.prepare, seed=seed, resume=resume, **plan.fit)
    return Trained(
        found.stopped,
        {
            "train_loss": _rounded(found.train_loss),
            "validation_loss": _rounded(found.validation_loss),
            "first_loss": _rounded([found.first_loss])[0],
            "best_epoch": found.best_epoch,
            "seconds": round(sum(found.seconds), 1),
        },
    )


def _fit_gan(model: Model, data: DataSet, plan: Recipe, seed: int, resume: Path) -> Trained:
    assert isinstance(model, GAN) and plan.prepare == "grey"
    found = fit_gan(model, data, seed=seed, resume=resume, **plan.fit)
    names = ("generator_loss", "judge_loss", "real_logit", "fake_logit")
    return Trained(
        found.stopped,
        {name: _rounded(getattr(found, name)) for name in names}
        | {"loss": found.loss, "seconds": round(sum(found.seconds), 1)},
        {epoch: part[:KEPT_SNAPSHOTS] for epoch, part in found.snapshots.items()},
    )


Loop = Callable[[Model, DataSet, Recipe, int, Path], Trained]
LOOPS: dict[str, Loop] = {"fit": _fit, "gan": _fit_gan}
