"""Recipes: from a name to a checkpoint and its ledger rows, resumable, in a place of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from coursekit import checkpoints, ledger
from coursekit.checkpoints import load_weights, pretrained
from coursekit.data.preparations import PREPARATIONS
from coursekit.errors import CourseError
from coursekit.evaluation import evaluate
from coursekit.ledger import records, references
from coursekit.likelihoods import bits_per_dim
from coursekit.networks import count_parameters
from coursekit.priors import VampPrior
from coursekit.recipes import (
    MEASURES,
    RECIPES,
    Figure,
    Recipe,
    build,
    loops,
    measures,
    recipe,
    train,
)
from coursekit.recipes import running as recipes

DATA = replace(tiny.data(), name="digits")
PLAN = Recipe(
    "mlp_vae",
    {"latent_size": 2, "hidden": [40], "shape": list(tiny.SHAPE)},
    "dynamic",
    {"epochs": 3, "batch_size": 16, "progress": False},
    (
        Figure("train_loss", "train", epoch=2),
        Figure("train_bpd", "train", "bits/dim"),
        Figure("test_nelbo", "nelbo"),
        Figure("test_iwae", "iwae", samples=5, limit=10),
    ),
    dataset="digits",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Everything that a training writes goes here, and it knows one recipe: `tiny`."""
    (tmp_path / "manifest.json").write_text("{}")
    monkeypatch.setattr(checkpoints, "_MANIFEST", tmp_path / "manifest.json")
    monkeypatch.setattr(checkpoints, "package_repository", lambda: None)
    monkeypatch.setattr(ledger, "ledger_path", lambda: tmp_path / "results.json")
    monkeypatch.setattr(recipes, "RECIPES", {"tiny": PLAN})
    monkeypatch.setattr(recipes, "load", lambda _name: DATA)
    monkeypatch.setattr(recipes, "seed_everything", torch.manual_seed)
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path))
    with tiny.seeded(0):
        yield tmp_path


def change(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    monkeypatch.setattr(recipes, "RECIPES", {"tiny": replace(PLAN, **settings)})


def test_train_from_the_first_epoch_to_the_ledger(place: Path) -> None:
    path = train("tiny", device="cpu")
    assert path == place / "checkpoints" / "tiny.safetensors"
    rows = records()
    assert list(rows) == sorted(f"tiny/{figure.name}" for figure in PLAN.figures)
    model = pretrained("tiny")
    card = model.card
    assert card["parameters"] == count_parameters(model)
    assert (card["dataset"], card["prepare"], card["seed"]) == ("digits", "dynamic", 0)
    assert card["figures"] == {key: row["value"] for key, row in rows.items()}
    assert len(card["history"]["train_loss"]) == 3
    for row in rows.values():
        assert row["command"] == card["command"] == "python -m coursekit train tiny"
        assert (row["seeds"], row["spread"], row["dataset"]) == ([0], None, "synthetic digits")
        assert (row["preprocessing"], row["device"]) == ("dynamic", "cpu")


def test_figures_are_those_of_the_shipped_file(place: Path) -> None:
    train("tiny", device="cpu")
    model, rows = pretrained("tiny"), records()
    nelbo = evaluate(model, DATA.test, "dynamic")
    iwae = evaluate(model, DATA.test, "dynamic", "iwae", 5, 10)
    assert rows["tiny/test_nelbo"]["value"] == pytest.approx(nelbo.value, rel=1e-6)
    assert rows["tiny/test_iwae"]["value"] == pytest.approx(iwae.value, rel=1e-6)
    assert f"{nelbo.standard_error:.2g}" in rows["tiny/test_nelbo"]["estimator"]
    assert "IWAE-5, first 10 test pictures" in rows["tiny/test_iwae"]["estimator"]
    losses = model.card["history"]["train_loss"]
    assert rows["tiny/train_loss"]["value"] == losses[1]
    assert rows["tiny/train_bpd"]["value"] == pytest.approx(bits_per_dim(losses[2], 16))
    assert "epoch 2" in rows["tiny/train_loss"]["estimator"]
    assert "epoch 3" in rows["tiny/train_bpd"]["estimator"]
    assert {key: row["split"] for key, row in rows.items()} == {
        "tiny/train_loss": "train", "tiny/train_bpd": "train",
        "tiny/test_nelbo": "test", "tiny/test_iwae": "test"}  # fmt: skip


def test_a_large_network_sends_its_samples(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("tiny", device="cpu")
    rows = records()
    change(monkeypatch, ships=False)
    monkeypatch.setattr(loops, "fit", lambda *_a, **_k: pytest.fail("it trained again"))
    path = train("tiny", device="cpu")
    assert [entry.name for entry in path.parent.iterdir()] == ["tiny-samples.safetensors"]
    assert records() == rows
    card = checkpoints.manifest()["tiny"]
    assert len(card["history"]["train_loss"]) == 3 and card["figures"]
    pictures = checkpoints.samples_of("tiny")
    assert pictures.shape == (recipes.SAMPLES, *tiny.SHAPE)
    model = build(replace(PLAN), DATA, 0)
    load_weights(model, place / "runs" / "tiny-0.safetensors")
    again = model.eval().sample(recipes.SAMPLES, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pictures, again), "the samples are those of the weights in runs"


def test_several_seeds_give_mean_and_spread(place: Path) -> None:
    train("tiny", seeds=3, device="cpu")
    row = records()["tiny/test_nelbo"]
    each = [
        json.loads((place / "runs" / f"tiny-{seed}.json").read_text())["values"]["test_nelbo"]
        for seed in range(3)
    ]
    assert len(set(each)) == 3
    assert row["seeds"] == [0, 1, 2]
    assert row["value"] == pytest.approx(sum(each) / 3)
    assert row["spread"] == pytest.approx(torch.tensor(each).double().std().item(), rel=1e-4)
    model = pretrained("tiny")
    assert model.card["figures"]["tiny/test_nelbo"] == each[0], "the shipped one is the first seed"
    shipped = evaluate(model, DATA.test, "dynamic").value
    assert shipped == pytest.approx(each[0], rel=1e-6)


def test_a_second_call_repeats_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("tiny", device="cpu")
    first = (place / "results.json").read_text(), (place / "manifest.json").read_text()
    monkeypatch.setattr(loops, "fit", lambda *_a, **_k: pytest.fail("it trained again"))
    monkeypatch.setattr(measures, "evaluate", lambda *_a, **_k: pytest.fail("it measured again"))
    train("tiny", device="cpu")
    assert ((place / "results.json").read_text(), (place / "manifest.json").read_text()) == first


def test_an_interrupted_training_goes_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("tiny", device="cpu")
    whole = records(), tiny.weights(pretrained("tiny"))
    for path in [*(place / "runs").iterdir(), place / "results.json"]:
        path.unlink()

    epochs: list[int] = []

    def stop(epoch: int, _model: Any) -> None:
        epochs.append(epoch)
        if epoch == 2:
            raise KeyboardInterrupt

    change(monkeypatch, fit=PLAN.fit | {"on_epoch": stop})
    with pytest.raises(KeyboardInterrupt):
        train("tiny", device="cpu")
    assert not (place / "results.json").exists(), "half a run was recorded"
    change(monkeypatch, fit=PLAN.fit | {"on_epoch": lambda epoch, _model: epochs.append(epoch)})
    train("tiny", device="cpu")
    assert epochs == [1, 2, 3]
    assert records() == whole[0]
    assert tiny.same(tiny.weights(pretrained("tiny")), whole[1])


def test_an_interrupted_second_seed_keeps_the_first(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("tiny", device="cpu")

    def stop(*_args: Any, **_settings: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loops, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        train("tiny", seeds=2, device="cpu")
    assert (place / "runs" / "tiny-0.json").is_file()
    assert not (place / "runs" / "tiny-1.json").exists()


def test_figures_of_a_changed_recipe_are_not_taken_for_its_own(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("tiny", device="cpu")
    change(monkeypatch, note="only a note")
    train("tiny", device="cpu")
    for settings in (
        {"fit": PLAN.fit | {"epochs": 4}},
        {"prepare": "threshold"},
        {"arguments": PLAN.arguments | {"hidden": [41]}},
    ):
        change(monkeypatch, **settings)
        with pytest.raises(CourseError, match=r"tiny-0\.json"):
            train("tiny", device="cpu")


def test_a_new_figure_is_measured_on_the_weights_there_are(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("tiny", device="cpu")
    before = records()
    monkeypatch.setattr(loops, "fit", lambda *_a, **_k: pytest.fail("it trained again"))
    new = Figure("test_elsewhere", "nelbo", "bits/dim", key="elsewhere/test_bpd")
    changed = replace(PLAN.figures[3], samples=7)
    change(monkeypatch, figures=(*PLAN.figures[:3], changed, new))
    train("tiny", device="cpu")
    after = records()
    assert after["elsewhere/test_bpd"]["value"] == pytest.approx(
        bits_per_dim(before["tiny/test_nelbo"]["value"], 16)
    )
    assert "IWAE-7" in after["tiny/test_iwae"]["estimator"]
    assert after["tiny/test_iwae"]["value"] != before["tiny/test_iwae"]["value"]
    assert after["tiny/test_nelbo"] == before["tiny/test_nelbo"]


def test_bad_arguments(place: Path) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"name": "tinny"}, "the recipes are tiny"),
        ({"name": "tiny", "seeds": 0}, "seeds is 0"),
        ({"name": "tiny", "device": "tpu"}, "cpu and cuda"),
    ]
    for arguments, word in cases:
        with pytest.raises(CourseError, match=word):
            train(**arguments)
    if not torch.cuda.is_available():
        with pytest.raises(CourseError, match="no CUDA device"):
            train("tiny", device="cuda")
    assert not (place / "runs").exists()


def test_a_vamp_prior_starts_from_pictures() -> None:
    arguments = PLAN.arguments | {"prior": "vamp", "components": 4}
    state = torch.get_rng_state()
    with tiny.seeded(0), pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "seed_everything", torch.manual_seed)
        models = [build(replace(PLAN, arguments=arguments), DATA, seed) for seed in (0, 0, 1)]
    assert torch.equal(state, torch.get_rng_state())
    prior = models[0].prior
    assert isinstance(prior, VampPrior)
    assert (prior.pseudo - DATA.train.pictures[:4].float() / 255).abs().max() < 0.05
    assert tiny.same(tiny.weights(models[0]), tiny.weights(models[1]))
    assert not tiny.same(tiny.weights(models[0]), tiny.weights(models[2]))


# --- the course's own recipes ------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_own_recipe_makes_sense(name: str) -> None:
    plan = recipe(name)
    assert plan.builder in checkpoints.BUILDERS
    assert plan.prepare in PREPARATIONS
    assert plan.dataset in ("mnist", "digits", "scenes", "folder:photos")
    assert name.endswith("-digits") == (plan.dataset == "digits")
    assert plan.fit["epochs"] >= 1 and plan.seeds >= 1
    assert json.loads(json.dumps(plan.arguments)) == plan.arguments, "the manifest holds it"
    for figure in plan.figures:
        assert figure.kind in MEASURES
        assert figure.epoch is None or 1 <= figure.epoch <= plan.fit["epochs"]
        known = references().get(figure.id(name))
        assert known is None or known["unit"] == figure.unit


def test_every_reference_of_a_model_has_a_recipe() -> None:
    measured = {figure.id(name) for name, plan in RECIPES.items() for figure in plan.figures}
    for key in references():
        benchmark = key.startswith("speed/") or key in (
            "inference/seconds_1000x500", "flow-toy/test_bpd_median5",
        )  # fmt: skip
        assert benchmark or key in measured, key


def test_unknown_recipe_lists_them() -> None:
    with pytest.raises(CourseError, match="vae-mlp-thresholded"):
        recipe("vae")
