"""Figures of notebooks 04 and 05: the inference gap, conditional likelihoods, the classifier."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.data import prepare
from coursekit.inference import Gap, conditional_log_prob, inference_gap
from coursekit.models.classifier import DigitClassifier
from coursekit.models.conditions import Labels
from coursekit.models.cvae import CVAE, Completer
from coursekit.models.vae import VAE
from coursekit.recipes.measures import (
    Measure,
    Run,
    Value,
    mean_and_error,
    pictures_of,
    share_and_error,
)
from coursekit.recipes.plan import Figure


def _test_pictures(run: Run, limit: int | None) -> Tensor:
    """The one fixed draw (seed 0) that all figures of the test set are measured on."""
    generator = torch.Generator().manual_seed(0)
    return prepare(run.data.test.pictures, run.prepare, generator)[:limit]


def _gap(part: Callable[[Gap], Tensor]) -> Callable[[Figure, Run], Value]:
    def value(figure: Figure, run: Run) -> Value:
        assert isinstance(run.model, VAE)
        key = f"gap-{figure.samples}-{figure.limit}"
        if key not in run.kept:
            run.kept[key] = inference_gap(
                run.model, _test_pictures(run, figure.limit), samples=figure.samples,
                generator=torch.Generator().manual_seed(0), progress=True,
            )  # fmt: skip
        return mean_and_error(part(run.kept[key]))

    return value


def _gap_words(what: str) -> Callable[[Figure, int], str]:
    return lambda figure, _epochs: what.format(samples=figure.samples) + f", {pictures_of(figure)}"


def _conditional(figure: Figure, run: Run) -> Value:
    assert isinstance(run.model, CVAE)
    x = _test_pictures(run, figure.limit)
    values = conditional_log_prob(
        run.model, x, run.data.test.labels[: len(x)], samples=figure.samples,
        proposal=figure.kind.removeprefix("cll-"), generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    return mean_and_error(-values)


@torch.no_grad()
def _exact(figure: Figure, run: Run) -> Value:
    assert isinstance(run.model, Completer)
    x = _test_pictures(run, figure.limit)
    return mean_and_error(torch.cat([run.model.loss(part) for part in x.split(1000)]))


def _accuracy(_figure: Figure, run: Run) -> Value:
    assert isinstance(run.model, DigitClassifier)
    labels, _ = run.model.classify(_test_pictures(run, None))
    return share_and_error(labels == run.data.test.labels)


def _agreement(figure: Figure, run: Run) -> Value:
    from coursekit.checkpoints import pretrained

    assert isinstance(run.model, CVAE) and isinstance(run.model.condition, Labels)
    judge = pretrained("classifier" if run.data.name == "mnist" else "classifier-digits")
    wanted = torch.arange(figure.samples) % run.model.condition.size
    generator = torch.Generator().manual_seed(0)
    pictures = [
        run.model.sample_given(
            run.model.condition.one_hot(part), mean=True, generator=generator
        )
        for part in wanted.split(1000)
    ]  # fmt: skip
    labels, _ = judge.classify(torch.cat(pictures))
    return share_and_error(labels == wanted)


CONDITIONAL_MEASURES: dict[str, Measure] = {
    "gap-amortisation": Measure(
        _gap(lambda gap: gap.amortisation),
        _gap_words("ELBO of the optimised q minus ELBO of the encoder's q, 100 fresh draws each"),
    ),
    "gap-approximation": Measure(
        _gap(lambda gap: gap.approximation),
        _gap_words(
            "IWAE-{samples}, draws from the optimised q, minus ELBO of the optimised q, "
            "100 fresh draws"
        ),
    ),
    "gap-encoder": Measure(
        _gap(lambda gap: -gap.encoder), _gap_words("negative ELBO, 100 samples, encoder's q")
    ),
    "gap-optimised": Measure(
        _gap(lambda gap: -gap.optimised), _gap_words("negative ELBO, 100 samples, optimised q")
    ),
    "gap-iwae": Measure(
        _gap(lambda gap: -gap.log_prob), _gap_words("IWAE-{samples}, draws from the optimised q")
    ),
    "cll-encoder": Measure(
        _conditional,
        lambda figure, _epochs: (
            f"negative conditional log-likelihood, importance-sampled, S = {figure.samples}, "
            f"{pictures_of(figure)}"
        ),
    ),
    "cll-prior": Measure(
        _conditional,
        lambda figure, _epochs: (
            f"negative conditional log-likelihood, S = {figure.samples} draws from p(z|c), "
            f"{pictures_of(figure)}"
        ),
    ),
    "cll-exact": Measure(
        _exact,
        lambda figure, _epochs: (
            f"negative conditional log-likelihood, exact, {pictures_of(figure)}"
        ),
    ),
    "cll-expected": Measure(
        _exact,
        lambda figure, _epochs: (
            "negative conditional log-likelihood of the binarised hidden part, expected over its "
            f"binarisations; the seen quadrants are told as grey values, {pictures_of(figure)}"
        ),
    ),
    "accuracy": Measure(_accuracy, lambda _figure, _epochs: "share right, whole test set"),
    "agreement": Measure(
        _agreement,
        lambda figure, _epochs: (
            f"{figure.samples:,} mean pictures, labels 0 to 9 by turns, z drawn from the prior "
            "that is told the label; share that the course's classifier reads as the label"
        ),
    ),
}
