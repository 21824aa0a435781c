"""GAN models: the generator's range, one logit a picture, shapes, starts and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tiny
import torch
from torch import nn

from coursekit.errors import CourseError
from coursekit.models.gan import GAN, PointGAN, centred, dcgan, mlp_gan, point_gan
from coursekit.networks import count_parameters

MAKERS: dict[str, Callable[..., GAN]] = {"mlp": mlp_gan, "dcgan": dcgan}
SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"latent_size": 3, "hidden": (8, 8), "judge_hidden": (8, 6), "shape": tiny.SHAPE},
    "dcgan": {"latent_size": 3, "width": 4, "shape": tiny.SHAPE},
}


def small(kind: str, seed: int = 0, **changes: Any) -> GAN:
    with tiny.seeded(seed):
        return MAKERS[kind](**(SMALL[kind] | changes))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", MAKERS)
def test_generated_pictures_lie_between_minus_one_and_one(kind: str, training: bool) -> None:
    model = small(kind).train(training)
    with torch.no_grad():
        for weights in model.generator.parameters():
            weights.mul_(30)  # whatever the weights are
    for size in (0.1, 1.0, 100.0):
        made = model.generate(size * model.draw_latents(64))
        assert made.shape == (64, *tiny.SHAPE)
        assert made.min() >= -1 and made.max() <= 1
        assert made.min() < -0.5 and made.max() > 0.5, "both ends can be reached"
    shown = model.decode(model.draw_latents(64))
    assert 0 <= shown.min() < 0.25 and 0.75 < shown.max() <= 1


@pytest.mark.parametrize("kind", MAKERS)
def test_decode_undoes_the_scale_of_real_pictures(kind: str) -> None:
    model, z = small(kind).eval(), torch.randn(5, 3)
    assert torch.allclose(centred(model.decode(z)), model.generate(z), atol=1e-6)
    assert centred(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("n", [1, 7])
def test_one_logit_for_each_picture(kind: str, n: int) -> None:
    logits = small(kind).judge(torch.rand(n, *tiny.SHAPE) * 2 - 1)
    assert logits.shape == (n,)
    assert logits.requires_grad


@pytest.mark.parametrize("kind", MAKERS)
def test_a_logit_does_not_depend_on_the_other_pictures(kind: str) -> None:
    model = small(kind, **({"dropout": 0.0} if kind == "mlp" else {})).train()
    x = torch.rand(6, *tiny.SHAPE) * 2 - 1
    alone = torch.cat([model.judge(part) for part in x.split(1)])
    assert torch.allclose(model.judge(x), alone, atol=1e-6)


@pytest.mark.parametrize("kind", MAKERS)
def test_logits_are_not_squashed(kind: str) -> None:
    model = small(kind).eval()
    with torch.no_grad():
        for weights in model.discriminator.parameters():
            weights.mul_(50)
    assert model.judge(torch.rand(64, *tiny.SHAPE) * 2 - 1).abs().max() > 1


@pytest.mark.parametrize("kind", MAKERS)
def test_samples_are_pictures_and_repeat(kind: str) -> None:
    model = small(kind).eval()
    draws = [model.sample(9, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert draws[0].shape == (9, *tiny.SHAPE) and not draws[0].requires_grad
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    calm = model.sample(9, temperature=0.0)
    assert torch.allclose(calm, calm[:1].expand_as(calm))
    assert torch.allclose(calm[:1], model.decode(torch.zeros(1, 3)))


def test_latents_are_standard_normal() -> None:
    z = small("mlp").draw_latents(20_000, torch.Generator().manual_seed(0))
    assert z.shape == (20_000, 3)
    assert z.mean().abs() < 0.02 and abs(z.std().item() - 1) < 0.02


@pytest.mark.parametrize("kind", MAKERS)
def test_the_judges_opinion_reaches_the_generator(kind: str) -> None:
    model = small(kind)
    model.judge(model.generate(model.draw_latents(8))).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.generator.parameters())


@pytest.mark.parametrize("kind", MAKERS)
def test_what_does_not_fit_is_refused_in_one_sentence(kind: str) -> None:
    model = small(kind)
    bad: list[tuple[Callable[[], Any], str]] = [
        (lambda: model.generate(torch.zeros(2, 4)), "latents"),
        (lambda: model.generate(torch.zeros(3)), "latents"),
        (lambda: model.judge(torch.zeros(2, 16)), "discriminator"),
        (lambda: model.judge(torch.zeros(2, 1, 4, 5)), "discriminator"),
        (lambda: model.judge(torch.zeros(2, *tiny.SHAPE, dtype=torch.uint8)), "uint8"),
        (lambda: model.loss(torch.zeros(2, *tiny.SHAPE)), "fit_gan"),
    ]
    for act, word in bad:
        with pytest.raises(CourseError, match=word) as caught:
            act()
        assert "\n" not in str(caught.value)


def test_the_fully_connected_gan_is_the_one_described() -> None:
    model = mlp_gan()
    layers = [layer for layer in model.generator.modules() if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in layers] == [128, 256, 512, 784]
    assert layers[0].in_features == model.latent_size == 32
    judge = [layer for layer in model.discriminator.modules() if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in judge] == [512, 256, 1]
    drops = [layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)]
    assert drops == [0.3, 0.3]
    leaky = [layer.negative_slope for layer in model.modules() if isinstance(layer, nn.LeakyReLU)]
    assert leaky == [0.2] * 5


def test_the_convolutional_gan_is_small_and_starts_small() -> None:
    model = dcgan()
    assert count_parameters(model) < 750_000
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.15)
            assert layer.bias is None or layer.bias.abs().max() == 0


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (1, 4, 8), (2, 12, 20)])
@pytest.mark.parametrize("spectral", [False, True])
def test_convolutional_gans_of_any_size(shape: tuple[int, int, int], spectral: bool) -> None:
    model = dcgan(latent_size=2, width=2, shape=shape, spectral=spectral)
    made = model.generate(model.draw_latents(3))
    assert made.shape == (3, *shape) and model.judge(made).shape == (3,)


def test_a_size_that_cannot_be_halved_twice() -> None:
    with pytest.raises(CourseError, match="divisible by 4"):
        dcgan(shape=(1, 28, 30))


def test_spectral_norm_bounds_every_layer_of_the_judge() -> None:
    model = dcgan(latent_size=2, width=4, shape=tiny.SHAPE, spectral=True)
    with torch.no_grad():
        for name, weights in model.discriminator.named_parameters():
            if "original" in name:
                weights.mul_(100)
        for _ in range(30):  # one power iteration a pass
            model.train().judge(torch.zeros(1, *tiny.SHAPE))
        for layer in model.discriminator:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2) < 1.05
    assert not any("original" in name for name, _ in model.generator.named_parameters())


def test_points_are_not_scaled() -> None:
    model = point_gan(latent_size=3, width=8)
    assert isinstance(model, PointGAN) and model.shape == (2,)
    z = model.draw_latents(50)
    assert torch.equal(model.decode(z), model.generate(z))
    assert model.sample(50).shape == (50, 2) and model.judge(model.sample(50)).shape == (50,)
    with torch.no_grad():
        for weights in model.generator.parameters():
            weights.mul_(10)
    assert model.sample(50).abs().max() > 1.5, "no tanh holds them in"
