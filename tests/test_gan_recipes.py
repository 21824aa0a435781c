"""GAN recipes: the two-player loop from a name to checkpoint, snapshots and ledger rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from test_recipes import place  # noqa: F401 - a fixture
from torch import nn

from coursekit import checkpoints
from coursekit.checkpoints import manifest, pretrained, samples_of, snapshots_of
from coursekit.data import DataSet
from coursekit.errors import CourseError
from coursekit.files import sha256
from coursekit.ledger import records
from coursekit.models.classifier import DigitClassifier
from coursekit.models.gan import dcgan, mlp_gan
from coursekit.recipes import MEASURES, RECIPES, Figure, Recipe, gan_measures, loops, train
from coursekit.recipes import running as recipes
from coursekit.recipes.measures import Run
from coursekit.sample_quality import (
    class_shares,
    classes_covered,
    features_of,
    frechet_distance,
    precision_recall,
)
from coursekit.two_players import fit_gan

FIGURES = RECIPES["gan-dcgan"].figures
PLAN = Recipe(
    "mlp_gan",
    {"latent_size": 3, "hidden": [6], "judge_hidden": [8], "shape": list(tiny.SHAPE)},
    "grey",
    {"epochs": 3, "batch_size": 16, "lr": 1e-2, "average": 0.9, "snapshots": [0, 2, 3],
     "progress": False},
    tuple(figure for figure in FIGURES if figure.kind != "frechet-to-vae"),
    dataset="digits",
    loop="gan",
)  # fmt: skip


def data() -> DataSet:
    """Random pictures of three classes; the third one has no picture."""
    found = tiny.data(test=40)
    labels = (torch.arange(40) % 3 == 0).long()
    return replace(
        found, name="digits", class_names=("a", "b", "c"), test=replace(found.test, labels=labels)
    )


def judge() -> DigitClassifier:
    """Its features are linear, and it is sure of some pictures and not of others."""
    with tiny.seeded(5):
        net = DigitClassifier((2, 2, 2), features=4, classes=3, shape=tiny.SHAPE)
        net.trunk = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
        net.last[1].weight.data.mul_(4)
        return net.eval()


@pytest.fixture
def known(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """A place in which `tiny` is a GAN and a small classifier judges 40 of its pictures."""
    monkeypatch.setattr(recipes, "RECIPES", {"tiny": PLAN})
    monkeypatch.setattr(recipes, "load", lambda _name: data())
    monkeypatch.setattr(gan_measures, "PICTURES", 2000)
    monkeypatch.setattr(gan_measures, "_judge", lambda _run: judge())
    return place


def test_train_from_the_first_epoch_to_the_ledger(known: Path) -> None:
    path = train("tiny", device="cpu")
    folder = known / "checkpoints"
    assert path == folder / "tiny.safetensors"
    names = sorted(entry.name for entry in folder.iterdir())
    assert names == ["tiny-snapshots.safetensors", "tiny.safetensors"]
    card = pretrained("tiny").card
    history = card["history"]
    assert [len(history[name]) for name in
            ("generator_loss", "judge_loss", "real_logit", "fake_logit")] == [3] * 4  # fmt: skip
    assert history["loss"] == "non-saturating" and history["seconds"] >= 0
    assert sorted(card["figures"]) == sorted(records()) == sorted(
        f"tiny/{figure.name}" for figure in PLAN.figures
    )  # fmt: skip
    assert all(row["estimator"] and row["split"] == "test" for row in records().values())


def test_the_shipped_model_is_what_the_loop_gave(known: Path) -> None:
    train("tiny", device="cpu")
    with tiny.seeded(0):
        torch.manual_seed(0)
        model = mlp_gan(**PLAN.arguments)
    history = fit_gan(model, data(), seed=0, **PLAN.fit)
    z = torch.randn(50, 3, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.allclose(pretrained("tiny").decode(z), model.decode(z), atol=2e-3)
    kept = snapshots_of("tiny")
    assert list(kept) == [0, 2, 3]
    for epoch, pictures in kept.items():
        assert pictures.shape == (loops.KEPT_SNAPSHOTS, *tiny.SHAPE)
        assert torch.equal(pictures, history.snapshots[epoch][:36].float() / 255)


def test_a_gan_that_does_not_ship_sends_samples_and_snapshots(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "RECIPES", {"tiny": replace(PLAN, ships=False)})
    train("tiny", device="cpu")
    names = sorted(entry.name for entry in (known / "checkpoints").iterdir())
    assert names == ["tiny-samples.safetensors", "tiny-snapshots.safetensors"]
    assert samples_of("tiny").shape == (recipes.SAMPLES, *tiny.SHAPE)
    assert list(snapshots_of("tiny")) == [0, 2, 3]
    with pytest.raises(CourseError, match="too large"):
        pretrained("tiny")


def test_a_second_call_repeats_nothing(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("tiny", device="cpu")
    before = (known / "results.json").read_text(), manifest()
    monkeypatch.setattr(loops, "fit_gan", lambda *_a, **_k: pytest.fail("it trained again"))
    train("tiny", device="cpu")
    assert ((known / "results.json").read_text(), manifest()) == before


def test_an_interrupted_training_goes_on(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("tiny", device="cpu")
    whole = tiny.weights(pretrained("tiny")), snapshots_of("tiny")
    for path in (known / "runs").iterdir():
        path.unlink()

    def stop(epoch: int, _model: Any) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    stopping = replace(PLAN, fit=PLAN.fit | {"on_epoch": stop})
    monkeypatch.setattr(recipes, "RECIPES", {"tiny": stopping})
    with pytest.raises(KeyboardInterrupt):
        train("tiny", device="cpu")
    assert [entry.name for entry in (known / "runs").iterdir()] == ["tiny-0.pt"]
    monkeypatch.setattr(recipes, "RECIPES", {"tiny": PLAN})
    train("tiny", device="cpu")
    assert tiny.same(tiny.weights(pretrained("tiny")), whole[0])
    assert all(torch.equal(part, whole[1][epoch]) for epoch, part in snapshots_of("tiny").items())


def test_snapshots_are_checked_and_may_be_absent(known: Path) -> None:
    train("tiny", device="cpu")
    card = manifest()["tiny"]["snapshots"]
    path = known / "checkpoints" / card["file"]
    assert (card["bytes"], card["sha256"]) == (path.stat().st_size, sha256(path))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CourseError, match=r"checksum.*coursekit train tiny"):
        snapshots_of("tiny")
    path.unlink()
    with pytest.raises(CourseError, match="coursekit train tiny"):
        snapshots_of("tiny")
    with pytest.raises(CourseError, match="no snapshots"):
        snapshots_of("nobody")


# --- what is measured --------------------------------------------------------------------------


def measured(model: Any, *kinds: str) -> list[float]:
    run = Run(model.eval(), data(), "grey", {})
    return [MEASURES[kind].value(Figure(kind, kind), run)[0] for kind in kinds]


def test_figures_are_measured_on_the_model_s_pictures(known: Path) -> None:
    with tiny.seeded(0):
        model = dcgan(latent_size=3, width=2, shape=tiny.SHAPE).eval()
    net, generator = judge(), torch.Generator().manual_seed(0)
    made = torch.cat([model.sample(1000, generator=generator) for _ in range(2)])
    real, train_pictures = (
        part.pictures.float() / 255 for part in (data().test, data().train)
    )  # fmt: skip
    seen = [features_of(net, x) for x in (made, real, train_pictures)]
    distance, floor = frechet_distance(seen[0], seen[1]), frechet_distance(seen[2], seen[1])
    labels, confidences = net.classify(made)
    expected = {
        "frechet": distance,
        "frechet-floor": floor,
        "frechet-in-floors": distance / floor,
        "precision": precision_recall(seen[1], seen[0])[0],
        "recall": precision_recall(seen[1], seen[0])[1],
        "confident": (confidences > 0.5).float().mean().item(),
        "confident-real": (net.classify(real)[1] > 0.5).float().mean().item(),
        "classes-covered": classes_covered(
            class_shares(labels, 3), class_shares(data().test.labels, 3)
        ),
    }
    assert measured(model, *expected) == pytest.approx(list(expected.values()), rel=1e-5)
    (noise,) = measured(model, "confident-noise")
    assert 0 <= noise <= 1


def test_the_ratio_is_taken_to_the_shipped_vae_s_mean_pictures(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = tiny.vae().eval()
    monkeypatch.setattr(
        checkpoints, "pretrained", lambda name: {"vae-conv-dynamic-digits": vae}[name]
    )
    with tiny.seeded(0):
        model = dcgan(latent_size=3, width=2, shape=tiny.SHAPE).eval()
    ratio, distance = measured(model, "frechet-to-vae", "frechet")
    (of_vae,) = measured(vae, "frechet")
    assert ratio == pytest.approx(distance / of_vae)
    generator = torch.Generator().manual_seed(0)
    means = torch.cat([vae.sample(1000, mean=True, generator=generator) for _ in range(2)])
    real = features_of(judge(), data().test.pictures.float() / 255)
    assert of_vae == pytest.approx(frechet_distance(features_of(judge(), means), real), rel=1e-5)
    assert measured(vae, "frechet-to-vae") == pytest.approx([1.0])


def test_the_judge_is_the_shipped_classifier_or_the_model_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {"classifier": judge(), "classifier-digits": judge()}
    monkeypatch.setattr(checkpoints, "pretrained", found.__getitem__)
    for name, wanted in (("mnist", "classifier"), ("digits", "classifier-digits")):
        run = Run(tiny.vae(), replace(data(), name=name), "grey", {})
        assert gan_measures._judge(run) is found[wanted]
    own = judge()
    assert gan_measures._judge(Run(own, data(), "grey", {})) is own


@pytest.mark.parametrize("name", ["gan-mlp", "gan-dcgan", "gan-mlp-digits", "gan-dcgan-digits"])
def test_own_recipes_keep_the_first_snapshot_and_the_last(name: str) -> None:
    plan = RECIPES[name]
    kept = plan.fit["snapshots"]
    assert plan.loop == "gan" and 7 <= len(kept) <= 12
    assert kept[0] == 0 and kept[-1] == plan.fit["epochs"]
    assert plan.ships == ("dcgan" in name)
    assert json.loads(json.dumps(plan.fit)) == plan.fit
