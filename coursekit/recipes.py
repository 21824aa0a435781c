"""How each shipped checkpoint and each reported figure is made: one recipe a model.

`python -m coursekit train NAME` follows a recipe: trains every seed (each run can be cut off and
gone on with), saves the weights of the first, measures on the reloaded file, writes the ledger.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from coursekit import seed_everything
from coursekit.checkpoints import BUILDERS, load_weights, save, save_weights, update_card
from coursekit.data import DataSet, load, prepare
from coursekit.errors import CourseError
from coursekit.evaluation import evaluate
from coursekit.files import atomic_path, data_folder
from coursekit.ledger import record
from coursekit.likelihoods import bits_per_dim
from coursekit.models.vae import VAE
from coursekit.networks import count_parameters
from coursekit.priors import VampPrior
from coursekit.training import fit


@dataclass(frozen=True)
class Figure:
    """One figure that a recipe measures.

    Attributes:
        name: the part of the ledger id behind the slash.
        kind: "train" (mean training loss of an epoch, weights moving), "nelbo" or "iwae".
        unit: "nats" or "bits/dim".
        samples: S of the estimator.
        limit: how many test pictures; all if None.
        epoch: for "train": which epoch, from 1; the last if None.
    """

    name: str
    kind: str
    unit: str = "nats"
    samples: int = 1
    limit: int | None = None
    epoch: int | None = None


@dataclass(frozen=True)
class Recipe:
    """A training run that a command repeats.

    Attributes:
        builder: a name in `checkpoints.BUILDERS`.
        arguments: for the builder.
        prepare: how pictures are prepared.
        fit: further arguments for `training.fit`.
        figures: what is measured.
        dataset: "mnist" or "digits".
        seeds: how many seeds; the first one is shipped.
        note: what a reader of the figures should know about the run.
    """

    builder: str
    arguments: dict[str, Any]
    prepare: str
    fit: dict[str, Any]
    figures: tuple[Figure, ...]
    dataset: str = "mnist"
    seeds: int = 1
    note: str | None = None


NELBO = Figure("test_nelbo", "nelbo")
IWAE = Figure("test_iwae5000", "iwae", samples=5000, limit=2000)

_MLP: dict[str, Any] = {"latent_size": 20, "hidden": [512, 512]}
_CONV: dict[str, Any] = {"latent_size": 16, "channels": [32, 64], "hidden": [512, 512]}
_SMALL_CONV: dict[str, Any] = {"latent_size": 16, "channels": [16, 32], "hidden": [256]}
_COSINE: dict[str, Any] = {"batch_size": 128, "schedule": "cosine"}

RECIPES: dict[str, Recipe] = {
    "vae-mlp-thresholded": Recipe(
        "mlp_vae", _MLP, "threshold", _COSINE | {"epochs": 80, "lr": 1e-3},
        (Figure("train_bpd", "train", "bits/dim"), Figure("test_bpd", "nelbo", "bits/dim")),
    ),
    "vae-fc-grey": Recipe(
        "mlp_vae", {"latent_size": 16, "hidden": [512, 512]}, "grey",
        {"epochs": 10, "batch_size": 64, "lr": 1e-3, "schedule": "cosine"},
        (Figure("train_loss_10_epochs", "train", epoch=10), NELBO), seeds=3,
    ),
    "vae-mog-dynamic": Recipe(
        "mlp_vae",
        {"latent_size": 40, "hidden": [512, 512], "prior": "mixture", "components": 100},
        "dynamic", _COSINE | {"epochs": 130, "lr": 1e-3}, (NELBO, IWAE),
    ),
    "vae-conv-dynamic": Recipe(
        "conv_vae", _CONV, "dynamic", _COSINE | {"epochs": 50, "lr": 2e-3}, (NELBO, IWAE),
    ),
    "vae-mlp-thresholded-digits": Recipe(
        "mlp_vae", {"latent_size": 20, "hidden": [256, 256]}, "threshold",
        _COSINE | {"epochs": 20, "lr": 1e-3},
        (Figure("train_bpd", "train", "bits/dim"), Figure("test_bpd", "nelbo", "bits/dim")),
        dataset="digits",
    ),
    "vae-fc-grey-digits": Recipe(
        "mlp_vae", {"latent_size": 16, "hidden": [256, 256]}, "grey",
        _COSINE | {"epochs": 10, "lr": 1e-3},
        (Figure("train_loss_10_epochs", "train", epoch=10), NELBO), dataset="digits",
    ),
    "vae-mog-dynamic-digits": Recipe(
        "mlp_vae",
        {"latent_size": 20, "hidden": [256, 256], "prior": "mixture", "components": 16},
        "dynamic", _COSINE | {"epochs": 20, "lr": 1e-3}, (NELBO,), dataset="digits",
    ),
    "vae-conv-dynamic-digits": Recipe(
        "conv_vae", _SMALL_CONV, "dynamic", _COSINE | {"epochs": 15, "lr": 2e-3}, (NELBO,),
        dataset="digits",
    ),
}  # fmt: skip


def _estimator(figure: Figure, epochs: int) -> str:
    """Say in the ledger's words how a figure was measured."""
    if figure.kind == "train":
        epoch = figure.epoch or epochs
        return f"negative ELBO, 1 sample, mean over the batches of epoch {epoch} while training"
    pictures = "whole test set" if figure.limit is None else f"first {figure.limit:,} test pictures"
    if figure.kind == "iwae":
        return f"IWAE-{figure.samples}, {pictures}"
    return f"negative ELBO, 1 sample, {pictures}"


def recipe(name: str) -> Recipe:
    """Look a recipe up.

    Raises:
        CourseError: naming the recipes there are.
    """
    if name not in RECIPES:
        raise CourseError(f"There is no recipe {name!r}; the recipes are {', '.join(RECIPES)}.")
    return RECIPES[name]


def build(plan: Recipe, data: DataSet, seed: int) -> VAE:
    """Make the model of a recipe with fresh weights that the seed fixes."""
    seed_everything(seed)
    model = BUILDERS[plan.builder](**plan.arguments)
    if isinstance(model.prior, VampPrior):
        first = data.train.pictures[: len(model.prior.pseudo)]
        model.prior.start_from(prepare(first, "grey"))
    return model


@dataclass
class _Measured:
    """What one seed gave; kept in a file, so that a run that was cut off does not repeat it."""

    recipe: str = ""
    values: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)


def _measure(
    figure: Figure, model: VAE, data: DataSet, how: str, history: dict[str, Any]
) -> tuple[float, float | None]:
    if figure.kind == "train":
        value, error = history["train_loss"][(figure.epoch or 0) - 1], None
    else:
        estimate = evaluate(
            model, data.test, how, figure.kind, figure.samples, figure.limit, progress=True
        )
        value, error = estimate.value, estimate.standard_error
    if figure.unit == "bits/dim":
        value = float(bits_per_dim(value, data.dims))
        error = None if error is None else float(bits_per_dim(error, data.dims))
    return value, error


def _settings(plan: Recipe) -> str:
    """What a measured run depends on: all of its recipe but the note."""
    return repr(replace(plan, note=None))


def _run_seed(name: str, plan: Recipe, data: DataSet, seed: int, device: str) -> _Measured:
    folder = data_folder() / "runs"
    done = folder / f"{name}-{seed}.json"
    if done.is_file():
        kept = _Measured(**json.loads(done.read_text("utf-8")))
        if kept.recipe != _settings(plan):
            raise CourseError(
                f"{done} was measured with another recipe {name}; delete {folder}/{name}-{seed}.*."
            )
        print(f"{name}, seed {seed}: already measured ({done})")
        return kept
    model = build(plan, data, seed).to(device)
    print(f"{name}, seed {seed}: {count_parameters(model):,} parameters, {data.title}")
    history = fit(
        model, data, prepare=plan.prepare, seed=seed, resume=folder / f"{name}-{seed}.pt",
        **plan.fit,
    )  # fmt: skip
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    measured = _Measured(
        recipe=_settings(plan),
        history={
            "train_loss": [round(v, 4) for v in history.train_loss],
            "validation_loss": [round(v, 4) for v in history.validation_loss],
            "first_loss": round(history.first_loss, 3),
            "best_epoch": history.best_epoch,
            "seconds": round(sum(history.seconds), 1),
        },
    )
    # what is measured is the file that is shipped: 16-bit weights, read back
    weights = folder / f"{name}-{seed}.safetensors"
    save_weights(model, weights, half=True)
    load_weights(model, weights)
    for figure in plan.figures:
        value, error = _measure(figure, model, data, plan.prepare, measured.history)
        measured.values[figure.name] = value
        if error is not None:
            measured.errors[figure.name] = error
        print(f"  {name}/{figure.name}: {value:.4f} {figure.unit}")
    with atomic_path(done) as temporary:
        temporary.write_text(json.dumps(vars(measured)), "utf-8")
    return measured


def _device(name: str | None) -> str:
    has_gpu = torch.cuda.is_available()
    if name not in (None, "cpu", "cuda"):
        raise CourseError(f"device is {name!r}; the choices are cpu and cuda.")
    if name == "cuda" and not has_gpu:
        raise CourseError("There is no CUDA device here; leave --device out, or give cpu.")
    return name or ("cuda" if has_gpu else "cpu")


def train(name: str, seeds: int | None = None, device: str | None = None) -> Path:
    """Follow a recipe from the first epoch to the ledger.

    Args:
        name: a key of `RECIPES`.
        seeds: how many seeds in place of the recipe's number.
        device: "cpu" or "cuda"; the GPU where there is one if None.

    Returns:
        The checkpoint's file.
    """
    plan = recipe(name)
    device = _device(device)
    count = plan.seeds if seeds is None else seeds
    if count < 1:
        raise CourseError(f"seeds is {count}; at least one run is needed.")
    data = load(plan.dataset)
    runs = [_run_seed(name, plan, data, seed, device) for seed in range(count)]
    command = f"python -m coursekit train {name}"
    model = build(plan, data, 0)
    load_weights(model, data_folder() / "runs" / f"{name}-0.safetensors")
    card = {
        "builder": plan.builder, "arguments": plan.arguments, "dataset": plan.dataset,
        "prepare": plan.prepare, "command": command, "seed": 0,
        "parameters": count_parameters(model), "history": runs[0].history,
    }  # fmt: skip
    path = save(name, model, card)
    figures = {}
    for figure in plan.figures:
        values = [run.values[figure.name] for run in runs]
        errors = [run.errors[figure.name] for run in runs if figure.name in run.errors]
        estimator = _estimator(figure, plan.fit["epochs"])
        if errors:
            estimator += f"; standard error over pictures {errors[0]:.2g} {figure.unit}"
        figures[f"{name}/{figure.name}"] = values[0]
        record({
            "id": f"{name}/{figure.name}",
            "value": statistics.mean(values),
            "unit": figure.unit,
            "spread": statistics.stdev(values) if len(values) > 1 else None,
            "seeds": list(range(count)),
            "dataset": data.title,
            "split": "train" if figure.kind == "train" else "test",
            "preprocessing": plan.prepare,
            "estimator": estimator,
            "command": command,
            "profile": "full",
            "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
            "note": plan.note,
        })  # fmt: skip
    update_card(name, {"figures": figures})
    return path
