"""Recipes of VQ-VAEs and their priors: what they say, how they follow each other, their figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from coursekit import checkpoints, ledger
from coursekit.checkpoints import BUILDERS, pretrained, shipped
from coursekit.data import prepare
from coursekit.errors import CourseError
from coursekit.ledger import records
from coursekit.models.classifier import digit_classifier
from coursekit.models.code_prior import CodePrior
from coursekit.models.vqvae import VQVAE
from coursekit.recipes import MEASURES, Figure, Recipe, train
from coursekit.recipes import running as recipes
from coursekit.recipes.first_stage import load_first_stage
from coursekit.recipes.measures import Run
from coursekit.recipes.vqvaes import VQVAES

SHAPE = (1, 8, 8)
DATA = replace(tiny.data(shape=SHAPE), name="digits")
VQ: dict[str, Any] = {
    "hidden": 8, "residual_hidden": 4, "codes": 6, "size": 3, "restart": 2, "shape": list(SHAPE),
}  # fmt: skip
FIT: dict[str, Any] = {"epochs": 3, "batch_size": 16, "progress": False}
PICTURES = Recipe("vqvae", VQ, "grey", FIT, VQVAES["vqvae-digits"].figures, dataset="digits")
PRIOR = Recipe(
    "code_prior", {"vqvae": VQ, "channels": 4, "layers": 2}, "grey", FIT,
    VQVAES["vqvae-scenes-prior"].figures, dataset="digits", first="first",
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Everything that a training writes goes here, and it knows these two recipes."""
    (tmp_path / "manifest.json").write_text("{}")
    monkeypatch.setattr(checkpoints, "_MANIFEST", tmp_path / "manifest.json")
    monkeypatch.setattr(checkpoints, "package_repository", lambda: None)
    monkeypatch.setattr(ledger, "ledger_path", lambda: tmp_path / "results.json")
    monkeypatch.setattr(recipes, "RECIPES", {"first": PICTURES, "prior": PRIOR})
    monkeypatch.setattr(recipes, "load", lambda _name: DATA)
    monkeypatch.setattr(recipes, "seed_everything", torch.manual_seed)
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path))
    with tiny.seeded(0):
        yield tmp_path


def test_the_prior_holds_the_vqvae_that_was_trained_before(place: Path) -> None:
    train("first", device="cpu")
    train("prior", device="cpu")
    first, prior = pretrained("first"), pretrained("prior")
    assert isinstance(first, VQVAE) and isinstance(prior, CodePrior)
    assert tiny.same(tiny.weights(first), tiny.weights(prior.vqvae))
    rows = records()
    assert rows["prior/bits_per_picture"]["value"] == pytest.approx(
        4 * rows["prior/bits_per_code"]["value"]
    )
    assert rows["first/perplexity"]["value"] <= rows["first/codes_used"]["value"] <= 6
    curve = first.card["history"]["train_loss"]
    assert all(value == float(f"{value:.5g}") != round(value, 3) for value in curve)


def test_the_shipped_vqvae_serves_where_its_run_is_gone(place: Path) -> None:
    train("first", device="cpu")
    (place / "runs" / "first-0.safetensors").unlink()
    model = BUILDERS["code_prior"](**PRIOR.arguments)
    load_first_stage(PRIOR, model)
    assert isinstance(model, CodePrior)
    assert tiny.same(tiny.weights(pretrained("first")), tiny.weights(model.vqvae))
    other = replace(PRIOR, arguments=PRIOR.arguments | {"vqvae": VQ | {"restart": 3}})
    with pytest.raises(CourseError, match="another network"):
        load_first_stage(other, model)


def test_without_a_trained_vqvae_there_is_no_prior(place: Path) -> None:
    with pytest.raises(CourseError, match="python -m coursekit train first"):
        train("prior", device="cpu")
    model = tiny.vae()
    before = tiny.weights(model)
    load_first_stage(replace(PRIOR, first=None), model)
    assert tiny.same(before, tiny.weights(model))


def test_another_first_stage_is_another_training(place: Path) -> None:
    train("first", device="cpu")
    train("prior", device="cpu")
    recipes.RECIPES["prior"] = replace(PRIOR, first="elsewhere")
    with pytest.raises(CourseError, match=r"prior-0\.json"):
        train("prior", device="cpu")


def test_a_run_on_other_data_is_found_by_its_whole_name(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train("first", device="cpu")
    assert shipped("first", DATA) is not None
    assert shipped("first", replace(DATA, name="mnist")) is None, "it is no run on MNIST"
    assert "No long run 'first'" in capsys.readouterr().out


# --- figures -----------------------------------------------------------------------------------


def measured(model: Any, kind: str, **settings: Any) -> tuple[float, float | None]:
    figure = Figure("f", kind, **settings)
    return MEASURES[kind].value(figure, Run(model.eval(), DATA, "grey", {}))


def test_figures_of_a_vqvae_picture_by_picture() -> None:
    with tiny.seeded(0):
        model = BUILDERS["vqvae"](**VQ)
        model.train().loss(prepare(DATA.train.pictures, "grey"))  # codes of its own
    assert isinstance(model, VQVAE)
    errors, counts = [], [0] * 6
    for picture in DATA.test.pictures:
        x = prepare(picture[None], "grey")
        model.eval()
        errors.append((model.reconstruct(x) - x).square().mean().item())
        for code in model.codes_of(x).flatten().tolist():
            counts[code] += 1
    mse, error = measured(model, "vq-mse")
    assert mse == pytest.approx(sum(errors) / len(errors), rel=1e-5)
    assert error == pytest.approx(torch.tensor(errors).std().item() / math.sqrt(len(errors)), 1e-4)
    assert measured(model, "vq-psnr")[0] == pytest.approx(-10 * math.log10(mse))
    shares = [count / sum(counts) for count in counts if count]
    entropy = -sum(share * math.log(share) for share in shares)
    assert measured(model, "vq-perplexity")[0] == pytest.approx(math.exp(entropy), rel=1e-5)
    assert measured(model, "vq-codes-used")[0] == len(shares) > 1


def test_figures_of_a_prior(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tiny.seeded(0):
        model = BUILDERS["code_prior"](**PRIOR.arguments | {"classes": 3})
        judge = digit_classifier((2, 2, 2), 4, SHAPE).eval()
    assert isinstance(model, CodePrior)
    data = replace(DATA, test=replace(DATA.test, labels=DATA.test.labels % 3))
    run = Run(model.eval(), data, "grey", {})
    with torch.no_grad():
        nats = model.loss(prepare(data.test.pictures, "grey"), data.test.labels).double()
    bits = MEASURES["prior-bits"].value(Figure("f", "prior-bits"), run)
    assert bits[0] == pytest.approx(nats.mean().item() / math.log(2), rel=1e-6)
    assert bits[1] == pytest.approx((nats.std() / math.log(2) / math.sqrt(32)).item(), rel=1e-5)
    per_code = MEASURES["prior-bits-per-code"].value(Figure("f", "prior-bits-per-code"), run)
    assert per_code[0] == pytest.approx(bits[0] / 4)

    asked: list[str] = []
    monkeypatch.setattr(checkpoints, "pretrained", lambda name: asked.append(name) or judge)
    figure = Figure("f", "prior-confident", "fraction", samples=30)
    confident = MEASURES["prior-confident"].value(figure, run)
    agreement = MEASURES["prior-agreement"].value(replace(figure, kind="prior-agreement"), run)
    pictures = model.sample(30, generator=torch.Generator().manual_seed(0))
    labels, sure = judge.classify(pictures)
    assert confident[0] == pytest.approx((sure > 0.5).double().mean().item())
    right = (labels == torch.arange(30) % 3).double().mean().item()
    assert agreement[0] == pytest.approx(right)
    assert agreement[1] == pytest.approx(math.sqrt(right * (1 - right) / 30))
    assert asked == ["classifier-digits"], "drawn and judged once for both"


# --- the course's own --------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, plan in VQVAES.items() if plan.first])
def test_a_prior_and_its_first_stage_belong_together(name: str) -> None:
    plan = VQVAES[name]
    assert plan.first is not None
    first = VQVAES[plan.first]
    assert plan.arguments["vqvae"] == first.arguments
    assert (plan.dataset, plan.prepare) == (first.dataset, first.prepare)
    side = first.arguments["shape"][1] // 4
    assert plan.arguments["layers"] >= side - 2, "some place would not see all before it"


def test_the_photographs_get_the_network_of_the_target() -> None:
    plan = VQVAES["vqvae-photos"]
    names = ("hidden", "residual_hidden", "residual_layers", "codes", "size")
    assert [plan.arguments[name] for name in names] == [128, 32, 2, 512, 64]
    assert plan.fit["batch_size"] == 256
    assert plan.fit["epochs"] * (41_667 // 256) <= 15_000, "more updates than the target has"
