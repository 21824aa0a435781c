"""Figures of notebook 07: how good generated pictures are, as our own digit classifier sees it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.data import prepare
from coursekit.models.base import Model
from coursekit.models.classifier import DigitClassifier
from coursekit.recipes.measures import Measure, Run, Value
from coursekit.recipes.plan import Figure
from coursekit.sample_quality import (
    class_shares,
    classes_covered,
    classifier_score,
    confident_share,
    features_of,
    frechet_distance,
    precision_recall,
)

PICTURES = 10_000  # in every set that is compared


def _judge(run: Run) -> DigitClassifier:
    """The course's classifier of these data, or the one that is being measured."""
    from coursekit.checkpoints import pretrained

    if isinstance(run.model, DigitClassifier):
        return run.model
    return pretrained("classifier" if run.data.name == "mnist" else "classifier-digits")


def _kept(run: Run, name: str, make: Callable[[], Tensor]) -> Tensor:
    if name not in run.kept:
        run.kept[name] = make()
    return run.kept[name]


def draw(model: Model) -> Tensor:
    """The pictures that every figure of a model is measured on: mean pictures, seed 0."""
    generator = torch.Generator(model.device).manual_seed(0)
    parts = [model.sample(1000, mean=True, generator=generator) for _ in range(PICTURES // 1000)]
    return torch.cat(parts).cpu()


def _samples(run: Run) -> Tensor:
    return _kept(run, "samples", lambda: draw(run.model))


def _pictures(run: Run, split: str) -> Tensor:
    return prepare(getattr(run.data, split).pictures[:PICTURES].cpu(), "grey")


def _features(run: Run, of: str) -> Tensor:
    """Features of the samples, or of the pictures of a split."""
    judge = _judge(run).cpu()
    return _kept(
        run, f"features of {of}",
        lambda: features_of(judge, _samples(run) if of == "samples" else _pictures(run, of)),
    )  # fmt: skip


def _frechet(_figure: Figure, run: Run) -> Value:
    return frechet_distance(_features(run, "samples"), _features(run, "test")), None


def _floor(_figure: Figure, run: Run) -> Value:
    return frechet_distance(_features(run, "train"), _features(run, "test")), None


def _in_floors(figure: Figure, run: Run) -> Value:
    return _frechet(figure, run)[0] / _floor(figure, run)[0], None


def _ratio_to_vae(figure: Figure, run: Run) -> Value:
    from coursekit.checkpoints import pretrained

    vae = pretrained("vae-conv-dynamic" if run.data.name == "mnist" else "vae-conv-dynamic-digits")
    other = frechet_distance(features_of(_judge(run), draw(vae)), _features(run, "test"))
    return _frechet(figure, run)[0] / other, None


def _precision(_figure: Figure, run: Run) -> Value:
    both = _kept(run, "precision and recall", lambda: _precision_recall(run))
    return both[0].item(), None


def _recall(_figure: Figure, run: Run) -> Value:
    both = _kept(run, "precision and recall", lambda: _precision_recall(run))
    return both[1].item(), None


def _precision_recall(run: Run) -> Tensor:
    return torch.tensor(precision_recall(_features(run, "test"), _features(run, "samples")))


def _confident(of: Callable[[Run], Tensor]) -> Callable[[Figure, Run], Value]:
    def value(_figure: Figure, run: Run) -> Value:
        _, confidences = _judge(run).cpu().classify(of(run))
        share = confident_share(confidences)
        return share, math.sqrt(share * (1 - share) / len(confidences))

    return value


def _noise(run: Run) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(PICTURES, *run.data.shape, generator=generator)


def _covered(_figure: Figure, run: Run) -> Value:
    labels, _ = _judge(run).cpu().classify(_samples(run))
    classes = len(run.data.class_names)
    wanted = class_shares(run.data.test.labels.cpu(), classes)
    return float(classes_covered(class_shares(labels, classes), wanted)), None


def _score(_figure: Figure, run: Run) -> Value:
    judge = _judge(run).cpu()
    with torch.no_grad():
        parts = [judge.probabilities(part) for part in _samples(run).split(1000)]
    return classifier_score(torch.cat(parts)), None


def _says(words: str) -> Callable[[Figure, int], str]:
    return lambda _figure, _epochs: words


_MADE = f"{PICTURES:,} generated pictures (a VAE's mean pictures)"
_REAL = f"{PICTURES:,} grey test pictures"
_IN = "features of the course's classifier"
_CONFIDENT = "share with the classifier's confidence above 0.5"
_FLOOR = f"{PICTURES:,} grey training pictures against {_REAL}"

GAN_MEASURES: dict[str, Measure] = {
    "frechet": Measure(_frechet, _says(f"{_MADE} against {_REAL}, {_IN}")),
    "frechet-floor": Measure(_floor, _says(f"{_FLOOR}, {_IN}")),
    "frechet-in-floors": Measure(
        _in_floors, _says(f"{_MADE} against {_REAL}, divided by {_FLOOR}, {_IN}")
    ),
    "frechet-to-vae": Measure(
        _ratio_to_vae, _says(f"{_MADE} against {_REAL}, divided by that of vae-conv-dynamic, {_IN}")
    ),
    "precision": Measure(_precision, _says(f"k = 3, {_MADE} and {_REAL}, {_IN}")),
    "recall": Measure(_recall, _says(f"k = 3, {_MADE} and {_REAL}, {_IN}")),
    "confident": Measure(_confident(_samples), _says(f"{_MADE}, {_CONFIDENT}")),
    "confident-real": Measure(
        _confident(lambda run: _pictures(run, "test")), _says(f"{_REAL}, {_CONFIDENT}")
    ),
    "confident-noise": Measure(
        _confident(_noise),
        _says(f"{PICTURES:,} pictures of uniform noise in every pixel, {_CONFIDENT}"),
    ),
    "classes-covered": Measure(
        _covered, _says(f"{_MADE}; classes within a factor 1.5 of their share of the test set")
    ),
    "classifier-score": Measure(_score, _says(f"{_MADE}; exp E KL(p(y|x) || p(y))")),
}
