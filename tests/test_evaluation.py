"""Figures: the same pictures whatever the limit, right errors, right units."""

from __future__ import annotations

import math
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor, nn

from coursekit.data import Split, prepare
from coursekit.errors import CourseError
from coursekit.evaluation import (
    active_units,
    evaluate,
    histogram_bits_per_dim,
    posterior_mean_variance,
)
from coursekit.models.linear_gaussian import LinearGaussianVAE
from coursekit.models.vae import VAE
from coursekit.networks import Encoder, mlp_decoder


class Noted(VAE):
    """Notes the pictures it sees; its ELBO is known: minus the number of white pixels."""

    def __init__(self) -> None:
        plain = tiny.vae()
        super().__init__(plain.encoder, plain.decoder)
        self.seen: list[Tensor] = []

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        self.seen.append(x.clone())
        return torch.zeros(len(x)), x.flatten(1).sum(dim=1)


@pytest.mark.parametrize("how", ["dynamic", "dequantised"])
def test_the_same_pictures_whatever_limit_chunk_and_samples(how: str) -> None:
    split = tiny.split(30)
    seen = []
    cases: list[dict[str, Any]] = [{}, {"limit": 7}, {"chunk": 4}, {"limit": 7, "chunk": 2}]
    for settings in (*cases, {"limit": 99}):
        model = Noted()
        evaluate(model, split, how, **settings)
        seen.append(torch.cat(model.seen))
    assert [len(x) for x in seen] == [30, 7, 30, 7, 30]
    assert all(torch.equal(x, seen[0][: len(x)]) for x in seen)
    other = Noted()
    evaluate(other, split, how, seed=1)
    assert not torch.equal(torch.cat(other.seen), seen[0])


def test_value_and_standard_error() -> None:
    split = tiny.split(30)
    white = prepare(split.pictures, "threshold").flatten(1).sum(dim=1).double()
    found = evaluate(Noted(), split, "threshold")
    assert found.value == pytest.approx(white.mean().item())
    assert found.standard_error == pytest.approx(white.std().item() / math.sqrt(30))
    assert (found.n, found.estimator, found.preparation) == (
        30, "negative ELBO, 1 sample", "threshold")  # fmt: skip
    assert str(found) == f"{found.value:.2f} +- {found.standard_error:.2f} nats ({found.estimator})"
    assert math.isnan(evaluate(Noted(), split, "grey", limit=1).standard_error)


def test_the_standard_error_is_that_of_the_mean() -> None:
    values = [evaluate(tiny.vae(), tiny.split(40, seed=s), "dynamic").value for s in range(60)]
    said = evaluate(tiny.vae(), tiny.split(40), "dynamic").standard_error
    assert torch.tensor(values).std().item() == pytest.approx(said, rel=0.4)


def test_samples_average_the_elbo() -> None:
    split = tiny.split(10)
    many = evaluate(tiny.vae(), split, "grey", samples=400)
    ones = [evaluate(tiny.vae(), split, "grey", seed=seed).value for seed in range(40)]
    assert many.value == pytest.approx(sum(ones) / 40, abs=0.05)
    assert many.estimator == "negative ELBO, 400 samples"


def test_beta_is_left_out() -> None:
    split = tiny.split(10)
    plain = evaluate(tiny.vae(), split, "dynamic").value
    assert evaluate(tiny.vae(beta=10.0), split, "dynamic").value == plain


def test_iwae_lies_below_the_negative_elbo_and_above_the_truth() -> None:
    with tiny.seeded(0):
        weight = torch.randn(16, 3)
    model = LinearGaussianVAE(weight, noise_var=0.3, shape=tiny.SHAPE)
    split = tiny.split(40)
    truth = -model.log_marginal(prepare(split.pictures, "grey")).mean().item()
    nelbo = evaluate(model, split, "grey", samples=50).value
    iwae = evaluate(model, split, "grey", "iwae", samples=200)
    assert truth < iwae.value + 0.02 and iwae.value < nelbo - 0.1
    assert iwae.value == pytest.approx(truth, abs=0.1)
    assert iwae.estimator == "IWAE-200"


def test_it_is_repeatable_in_evaluation_mode_and_gives_the_mode_back() -> None:
    model, split = tiny.dropout_vae(), tiny.split(20)
    for training in (True, False):
        model.train(training)
        one = evaluate(model, split, "dynamic", "iwae", samples=3)
        torch.rand(3)
        assert evaluate(model, split, "dynamic", "iwae", samples=3) == one
        assert model.training is training
    model.train()
    with pytest.raises(CourseError):
        evaluate(model, tiny.split(5, shape=(1, 8, 8)), "grey")
    assert model.training


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"estimator": "elbo"}, "estimator"),
        ({"samples": 0}, "samples"),
        ({"limit": 0}, "limit"),
        ({"limit": -3}, "limit"),
        ({"preparation": "binary"}, "preparation"),
        ({"split": Split(tiny.split(4).pictures[:0], tiny.split(4).labels[:0])}, "no picture"),
        ({"chunk": 0}, "chunk"),
    ],
)
def test_bad_input(change: dict[str, Any], word: str) -> None:
    arguments: dict[str, Any] = {"split": tiny.split(4), "preparation": "grey"} | change
    with pytest.raises(CourseError, match=word):
        evaluate(tiny.vae(), **arguments)


def test_progress_is_shown_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(tiny.vae(), tiny.split(4), "grey")
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


# --- active units ------------------------------------------------------------------------------


def hand_made(scales: list[float], log_var: float = 0.0) -> VAE:
    """An encoder whose k-th mean is scale_k times one pixel."""
    layer = nn.Linear(16, 2 * len(scales))
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.fill_(log_var)
        layer.weight[range(len(scales)), range(len(scales))] = torch.tensor(scales)
    encoder = Encoder(nn.Sequential(nn.Flatten(), layer), tiny.SHAPE)
    return VAE(encoder, mlp_decoder(len(scales), (8,), tiny.SHAPE))


def test_active_units_of_a_hand_made_encoder() -> None:
    model = hand_made([0.0, 0.05, 1.0, -3.0], log_var=5.0)
    x = tiny.binary(400)
    found = posterior_mean_variance(model, x)
    pixel = x.flatten(1)[:, :4].var(dim=0)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.05, 1.0, 3.0]) ** 2 * pixel)
    assert active_units(model, x) == 2
    assert active_units(model, x, threshold=1e-4) == 3
    assert active_units(model, x, threshold=1.0) == 1


def test_active_units_need_two_pictures() -> None:
    with pytest.raises(CourseError, match="at least 2"):
        active_units(tiny.vae(), tiny.binary(1))


# --- the histogram baseline --------------------------------------------------------------------


def test_histogram_against_a_naive_loop() -> None:
    train, test = tiny.split(20, 1).pictures // 32, tiny.split(6, 2).pictures // 32
    bits = []
    for picture in test.flatten(1):
        for d, value in enumerate(picture.tolist()):
            count = sum(int(other) == value for other in train.flatten(1)[:, d])
            bits.append(-math.log2((count + 1) / (len(train) + 256)))
    assert histogram_bits_per_dim(train, test) == pytest.approx(sum(bits) / len(bits), rel=1e-5)


def test_histogram_of_noise_and_of_a_constant() -> None:
    constant = torch.full((2000, 1, 2, 2), 7, dtype=torch.uint8)
    assert histogram_bits_per_dim(constant, constant[:5]) == pytest.approx(
        -math.log2(2001 / 2256), rel=1e-4
    )
    noise = tiny.split(4000, 1, shape=(1, 2, 2)).pictures
    assert histogram_bits_per_dim(noise, tiny.split(500, 2, shape=(1, 2, 2)).pictures) == (
        pytest.approx(8, abs=0.1)
    )


def test_histogram_refuses_what_does_not_fit() -> None:
    pictures = tiny.split(4).pictures
    with pytest.raises(CourseError, match="uint8"):
        histogram_bits_per_dim(pictures.float(), pictures)
    with pytest.raises(CourseError, match="shapes"):
        histogram_bits_per_dim(tiny.split(4, shape=(1, 8, 8)).pictures, pictures)
