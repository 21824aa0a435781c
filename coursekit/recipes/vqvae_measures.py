"""Figures of notebook 08: reconstruction, codes in use, the cost of a code map, prior samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from coursekit.data import Split, prepare
from coursekit.models.code_prior import CodePrior
from coursekit.models.conditions import Labels
from coursekit.models.quantisers import perplexity
from coursekit.models.vqvae import VQVAE
from coursekit.recipes.measures import (
    Measure,
    Run,
    Value,
    mean_and_error,
    pictures_of,
    share_and_error,
)
from coursekit.recipes.plan import Figure


@torch.no_grad()
def _reconstructed(run: Run) -> tuple[Tensor, Tensor]:
    """Squared error of each test picture, (N,), and the code maps, (N, h, w)."""
    assert isinstance(run.model, VQVAE)
    if "vqvae" not in run.kept:
        errors, maps = [], []
        for part in run.data.test.pictures.split(500):
            x = prepare(part.to(run.model.device), "grey")
            codes = run.model.codes_of(x)
            shown = run.model.decode_codes(codes)
            errors.append((shown - x).square().flatten(1).mean(dim=1).cpu())
            maps.append(codes.cpu())
        run.kept["vqvae"] = torch.cat(errors), torch.cat(maps)
    return run.kept["vqvae"]


def _mse(_figure: Figure, run: Run) -> Value:
    return mean_and_error(_reconstructed(run)[0])


def _psnr(_figure: Figure, run: Run) -> Value:
    return -10 * math.log10(_mse(_figure, run)[0]), None


def _perplexity(_figure: Figure, run: Run) -> Value:
    assert isinstance(run.model, VQVAE)
    return perplexity(_reconstructed(run)[1], run.model.codes).item(), None


def _codes_used(_figure: Figure, run: Run) -> Value:
    return float(len(_reconstructed(run)[1].unique())), None


@torch.no_grad()
def _map_nats(run: Run) -> Tensor:
    """-log p of each test picture's code map, (N,) nats."""
    assert isinstance(run.model, CodePrior)
    if "prior" not in run.kept:
        test: Split = run.data.test.to(run.model.device)
        parts = zip(test.pictures.split(500), test.labels.split(500), strict=True)
        run.kept["prior"] = torch.cat(
            [run.model.loss(prepare(x, "grey"), y).cpu() for x, y in parts]
        )
    return run.kept["prior"]


def _bits(_figure: Figure, run: Run) -> Value:
    return mean_and_error(_map_nats(run) / math.log(2))


def _bits_per_code(_figure: Figure, run: Run) -> Value:
    assert isinstance(run.model, CodePrior)
    return mean_and_error(run.model.bits_per_code(_map_nats(run)))


def _judged(figure: Figure, run: Run) -> tuple[Tensor, Tensor, Tensor]:
    """Labels asked for, labels read by the classifier and its confidence, each (samples,)."""
    from coursekit.checkpoints import pretrained

    model = run.model
    assert isinstance(model, CodePrior) and isinstance(model.condition, Labels)
    key = f"judged-{figure.samples}"
    if key not in run.kept:
        judge = pretrained("classifier" if run.data.name == "mnist" else "classifier-digits")
        wanted = torch.arange(figure.samples) % model.condition.size
        generator = torch.Generator(model.device).manual_seed(0)
        drawn = [
            model.sample_given(part, generator=generator).cpu() for part in wanted.split(1000)
        ]  # fmt: skip
        run.kept[key] = wanted, *judge.classify(torch.cat(drawn))
    return run.kept[key]


def _confident(figure: Figure, run: Run) -> Value:
    return share_and_error(_judged(figure, run)[2] > 0.5)


def _agreement(figure: Figure, run: Run) -> Value:
    wanted, read, _ = _judged(figure, run)
    return share_and_error(read == wanted)


def _drawn(figure: Figure) -> str:
    return f"{figure.samples:,} samples of the code prior, labels 0 to 9 by turns"


VQVAE_MEASURES: dict[str, Measure] = {
    "vq-mse": Measure(
        _mse,
        lambda figure, _epochs: (
            "mean squared error of the reconstruction over values, clipped to [0, 1], "
            f"{pictures_of(figure)}"
        ),
    ),
    "vq-psnr": Measure(
        _psnr,
        lambda figure, _epochs: (
            f"-10 log10 of the mean squared error over all values, {pictures_of(figure)}"
        ),
    ),
    "vq-perplexity": Measure(
        _perplexity,
        lambda figure, _epochs: (
            f"exp of the entropy of the codes' shares in all code maps, {pictures_of(figure)}"
        ),
    ),
    "vq-codes-used": Measure(
        _codes_used,
        lambda figure, _epochs: f"codes that occur in some code map, {pictures_of(figure)}",
    ),
    "prior-bits": Measure(
        _bits,
        lambda figure, _epochs: (
            f"-log2 p(code map | label), exact; not bits of the picture, {pictures_of(figure)}"
        ),
    ),
    "prior-bits-per-code": Measure(
        _bits_per_code,
        lambda figure, _epochs: (
            f"-log2 p(code map | label) for each code of the map, {pictures_of(figure)}"
        ),
    ),
    "prior-confident": Measure(
        _confident,
        lambda figure, _epochs: (
            f"{_drawn(figure)}; share to which the course's classifier gives a class with a "
            "probability above 0.5"
        ),
    ),
    "prior-agreement": Measure(
        _agreement,
        lambda figure, _epochs: (
            f"{_drawn(figure)}; share that the course's classifier reads as the label"
        ),
    ),
}
