"""Follow a recipe: train every seed, ship the first, measure the shipped file, write the ledger.

Each run can be cut off and gone on with; a figure added to a recipe later is measured on the
weights that were kept.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from coursekit import seed_everything
from coursekit.checkpoints import (
    BUILDERS,
    load_weights,
    save,
    save_samples,
    save_snapshots,
    save_weights,
    update_card,
    write_snapshots,
)
from coursekit.data import DataSet, load, prepare
from coursekit.errors import CourseError
from coursekit.files import atomic_path, data_folder
from coursekit.ledger import record
from coursekit.likelihoods import Categorical
from coursekit.models.base import Model
from coursekit.models.cvae import Completer
from coursekit.models.flows import Flow
from coursekit.networks import count_parameters
from coursekit.priors import VampPrior
from coursekit.recipes.autoencoders import AUTOENCODERS
from coursekit.recipes.conditional_measures import CONDITIONAL_MEASURES
from coursekit.recipes.first_stage import load_first_stage
from coursekit.recipes.flow_measures import FLOW_MEASURES
from coursekit.recipes.flows import FLOWS
from coursekit.recipes.gan_measures import GAN_MEASURES
from coursekit.recipes.gans import GANS
from coursekit.recipes.inference import CONDITIONAL
from coursekit.recipes.likelihoods import LIKELIHOOD_TABLE
from coursekit.recipes.loops import LOOPS
from coursekit.recipes.measures import MEASURES as BASE_MEASURES
from coursekit.recipes.measures import Measure, Run
from coursekit.recipes.plan import Recipe
from coursekit.recipes.vaes import VAES
from coursekit.recipes.vqvae_measures import VQVAE_MEASURES
from coursekit.recipes.vqvaes import VQVAES

SAMPLES = 100
RECIPES: dict[str, Recipe] = (
    VAES | AUTOENCODERS | LIKELIHOOD_TABLE | CONDITIONAL | FLOWS | GANS | VQVAES
)
MEASURES: dict[str, Measure] = (
    BASE_MEASURES | CONDITIONAL_MEASURES | FLOW_MEASURES | GAN_MEASURES | VQVAE_MEASURES
)


def recipe(name: str) -> Recipe:
    """Look a recipe up.

    Raises:
        CourseError: naming the recipes there are.
    """
    if name not in RECIPES:
        raise CourseError(f"There is no recipe {name!r}; the recipes are {', '.join(RECIPES)}.")
    return RECIPES[name]


def build(plan: Recipe, data: DataSet, seed: int) -> Model:
    """Make the model of a recipe with fresh weights that the seed fixes."""
    seed_everything(seed)
    model = BUILDERS[plan.builder](**plan.arguments)
    prior, likelihood = getattr(model, "prior", None), getattr(model, "likelihood", None)
    if isinstance(prior, VampPrior):
        prior.start_from(prepare(data.train.pictures[: len(prior.pseudo)], "grey"))
    if isinstance(likelihood, Categorical):
        likelihood.count_inside(data.train.pictures)
    if isinstance(model, Flow):
        model.count(data.train.pictures)
    return model


@dataclass
class _Measured:
    """What one seed gave; kept in a file, so that a run that was cut off does not repeat it."""

    training: str = ""
    figures: dict[str, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)


def _training(plan: Recipe) -> str:
    """What the weights of a run depend on."""
    what = (plan.builder, plan.arguments, plan.prepare, plan.fit, plan.dataset)
    return repr(what if plan.first is None else (*what, plan.first))


def _train_seed(name: str, plan: Recipe, data: DataSet, seed: int, device: str) -> _Measured:
    """Train one seed, or read what an earlier call has trained."""
    folder = data_folder() / "runs"
    done, weights = (folder / f"{name}-{seed}{end}" for end in (".json", ".safetensors"))
    if done.is_file() and weights.is_file():
        kept = _Measured(**json.loads(done.read_text("utf-8")))
        if kept.training != _training(plan):
            raise CourseError(
                f"{done} was trained by another recipe {name}; delete {folder}/{name}-{seed}.*."
            )
        print(f"{name}, seed {seed}: already trained ({weights})")
        return kept
    model = build(plan, data, seed).to(device)
    load_first_stage(plan, model)
    print(f"{name}, seed {seed}: {count_parameters(model):,} parameters, {data.title}")
    trained = LOOPS[plan.loop](model, data, plan, seed, folder / f"{name}-{seed}.pt")
    if trained.stopped == "interrupted":
        raise KeyboardInterrupt
    save_weights(model, weights, half=True)
    if trained.snapshots:
        write_snapshots(trained.snapshots, folder / f"{name}-{seed}-snapshots.safetensors")
    measured = _Measured(training=_training(plan), history=trained.history)
    _keep(measured, done)
    return measured


def _keep(measured: _Measured, path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(vars(measured)), "utf-8")


def _run_seed(name: str, plan: Recipe, data: DataSet, seed: int, device: str) -> _Measured:
    """Train one seed and measure each figure that was not measured before."""
    measured = _train_seed(name, plan, data, seed, device)
    path = data_folder() / "runs" / f"{name}-{seed}.json"
    model = build(plan, data, seed).to(device)
    # what is measured is the file that is shipped: 16-bit weights, read back
    load_weights(model, path.with_suffix(".safetensors"))
    run = Run(model.eval(), data, plan.prepare, measured.history)
    for figure in plan.figures:
        if measured.figures.get(figure.name) == repr(figure):
            continue
        value, error = MEASURES[figure.kind].value(figure, run)
        measured.values[figure.name] = value
        measured.errors.pop(figure.name, None)
        if error is not None:
            measured.errors[figure.name] = error
        measured.figures[figure.name] = repr(figure)
        print(f"  {figure.id(name)}: {value:.4f} {figure.unit}")
        _keep(measured, path)
    return measured


def _device(name: str | None) -> str:
    has_gpu = torch.cuda.is_available()
    if name not in (None, "cpu", "cuda"):
        raise CourseError(f"device is {name!r}; the choices are cpu and cuda.")
    if name == "cuda" and not has_gpu:
        raise CourseError("There is no CUDA device here; leave --device out, or give cpu.")
    return name or ("cuda" if has_gpu else "cpu")


def _shown(model: Model, data: DataSet) -> torch.Tensor:
    """The pictures that stand for a model that is not shipped."""
    if isinstance(model, Completer):
        return model.complete(prepare(data.test.pictures[:SAMPLES], "grey"))
    return model.sample(SAMPLES, generator=torch.Generator().manual_seed(0))


def train(name: str, seeds: int | None = None, device: str | None = None) -> Path:
    """Follow a recipe from the first epoch to the ledger.

    Args:
        name: a key of `RECIPES`.
        seeds: how many seeds in place of the recipe's number.
        device: "cpu" or "cuda"; the GPU where there is one if None.

    Returns:
        The checkpoint's file, or that of the samples where the weights are too large to ship.
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
    load_weights(model.eval(), data_folder() / "runs" / f"{name}-0.safetensors")
    card = {
        "builder": plan.builder, "arguments": plan.arguments, "dataset": plan.dataset,
        "prepare": plan.prepare, "command": command, "seed": 0,
        "parameters": count_parameters(model), "history": runs[0].history,
    }  # fmt: skip
    path = save(name, model, card) if plan.ships else save_samples(name, _shown(model, data), card)
    figures = {}
    for figure in plan.figures:
        values = [run.values[figure.name] for run in runs]
        errors = [run.errors[figure.name] for run in runs if figure.name in run.errors]
        how = MEASURES[figure.kind]
        estimator = how.words(figure, plan.fit["epochs"])
        if errors:
            estimator += f"; standard error over pictures {errors[0]:.2g} {figure.unit}"
        figures[figure.id(name)] = values[0]
        record({
            "id": figure.id(name),
            "value": statistics.mean(values),
            "unit": figure.unit,
            "spread": statistics.stdev(values) if len(values) > 1 else None,
            "seeds": list(range(count)),
            "dataset": data.title,
            "split": how.split,
            "preprocessing": plan.prepare,
            "estimator": estimator,
            "command": command,
            "profile": "full",
            "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
            "note": plan.note,
        })  # fmt: skip
    update_card(name, {"figures": figures})
    snapshots = data_folder() / "runs" / f"{name}-0-snapshots.safetensors"
    if snapshots.is_file():
        save_snapshots(name, snapshots)
    return path
