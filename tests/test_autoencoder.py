"""Autoencoders: the loss by hand, the noise where it belongs, sizes, gradients, training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
import tiny
import tiny_training
import torch
from torch import Tensor, nn

from coursekit.checkpoints import BUILDERS
from coursekit.errors import CourseError
from coursekit.models.autoencoder import Autoencoder, conv_denoiser, mlp_autoencoder
from coursekit.networks import count_parameters
from coursekit.recipes import RECIPES

SHAPES = [(1, 28, 28), (3, 32, 32)]


def grey(n: int, shape: Sequence[int] = tiny.SHAPE, seed: int = 0) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed))


class Spy(nn.Module):
    """Gives back what it is given, and keeps a copy of all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().clone())
        return x


class Affine(nn.Module):
    """Picture to picture: scale * x + shift."""

    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.shift = shift

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x + self.shift


MODELS: dict[str, Callable[[], Autoencoder]] = {
    "mlp": lambda: mlp_autoencoder(2, (8,), tiny.SHAPE),
    "mlp-colour": lambda: mlp_autoencoder(3, (16, 8), (3, 8, 4)),
    "denoiser": lambda: conv_denoiser((3, 4, 2), shape=(1, 12, 9)),
    "denoiser-colour": lambda: conv_denoiser((3, 4, 2), noise=0.1, shape=(3, 8, 8)),
}


def built(name: str, seed: int = 0) -> Autoencoder:
    with tiny.seeded(seed):
        return MODELS[name]()


every_model = pytest.mark.parametrize("name", MODELS)


# --- the loss ----------------------------------------------------------------------------------


def test_the_loss_by_hand() -> None:
    model = Autoencoder(Affine(0.5, 0.0), Affine(1.0, 0.1), (1, 2, 2))
    x = torch.tensor([[[[0.0, 1.0], [0.2, 0.6]]], [[[1.0, 1.0], [1.0, 1.0]]]])
    # g(f(x)) - x = 0.1 - x / 2: squares 0.01, 0.16, 0, 0.04 and four times 0.16
    assert model.loss(x).tolist() == pytest.approx([0.21 / 4, 0.16])


@every_model
def test_the_loss_is_the_mean_over_the_values_of_a_picture(name: str) -> None:
    model = built(name).eval()
    model.noise = 0.0
    x = grey(5, model.shape)
    wanted = ((model.reconstruct(x) - x).numpy().astype(float) ** 2).reshape(5, -1).mean(axis=1)
    found = model.loss(x)
    assert found.shape == (5,)
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-5)
    assert torch.equal(found, model.loss(x, torch.arange(5))), "labels change nothing"


@pytest.mark.parametrize("sigma", [0.1, 0.5, 2.0])
def test_the_encoder_sees_noise_and_the_target_is_clean(sigma: float) -> None:
    spy = Spy()
    model = Autoencoder(spy, nn.Identity(), (1, 40, 40), noise=sigma)
    x = torch.full((6, 1, 40, 40), 0.4)
    kept = x.clone()
    loss = model.loss(x, generator=torch.Generator().manual_seed(0))
    assert torch.equal(x, kept), "the pictures were changed in place"
    (seen,) = spy.seen
    # g and f change nothing, so that the loss is the distance of the noisy from the clean picture
    torch.testing.assert_close(loss, (seen - x).square().flatten(1).mean(dim=1))
    assert seen.min() >= 0 and seen.max() <= 1
    inner = (seen > 0) & (seen < 1)
    below, above = (torch.special.ndtr(torch.tensor((e - 0.4) / sigma)).item() for e in (0, 1))
    shares = {"black": (seen == 0, below), "white": (seen == 1, 1 - above)}
    for end, (found, chance) in shares.items():
        error = math.sqrt(chance * (1 - chance) / seen.numel())
        assert abs(found.float().mean().item() - chance) < 4 * error + 1e-9, end
    assert inner.any()
    if sigma == 0.1:
        assert (seen - x).std().item() == pytest.approx(0.1, rel=0.03)
    assert not torch.equal(seen[0], seen[1]), "each picture has noise of its own"


def test_noise_is_drawn_afresh_and_fixed_by_the_generator() -> None:
    spy = Spy()
    model = Autoencoder(spy, nn.Identity(), tiny.SHAPE, noise=0.5)
    x = grey(4)
    state = torch.get_rng_state()
    generator = torch.Generator().manual_seed(3)
    losses = [model.loss(x, generator=generator), model.loss(x, generator=generator)]
    again = model.loss(x, generator=torch.Generator().manual_seed(3))
    assert torch.equal(losses[0], again) and not torch.equal(losses[0], losses[1])
    assert torch.equal(state, torch.get_rng_state()), "torch's own generator was used"
    model.eval()
    torch.testing.assert_close(model.loss(x, generator=torch.Generator().manual_seed(3)), again)


def test_reconstructing_adds_no_noise() -> None:
    spy = Spy()
    model = Autoencoder(spy, nn.Identity(), tiny.SHAPE, noise=0.5)
    x = grey(4)
    assert torch.equal(model.reconstruct(x), x)
    assert torch.equal(model(x), x)
    assert all(torch.equal(seen, x) for seen in spy.seen) and len(spy.seen) == 2


def test_without_noise_the_encoder_sees_the_picture_itself() -> None:
    spy = Spy()
    model = Autoencoder(spy, nn.Identity(), tiny.SHAPE)
    x = grey(4)
    assert model.loss(x).tolist() == [0.0] * 4
    assert torch.equal(spy.seen[0], x)


# --- shapes and parameters ---------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_both_builders_take_both_picture_sizes(shape: tuple[int, int, int]) -> None:
    x = grey(3, shape)
    flat = mlp_autoencoder(5, (16, 8), shape)
    assert flat.encode(x).shape == (3, 5)
    assert flat.decode(torch.zeros(2, 5)).shape == (2, *shape)
    denoiser = conv_denoiser((4, 5, 6), shape=shape)
    codes = denoiser.encode(x)
    assert codes.shape == (3, 6, 4, 4), "three times halved, ceiling"
    for model in (flat, denoiser):
        pictures = model.reconstruct(x)
        assert pictures.shape == x.shape and not pictures.requires_grad
        assert pictures.min() >= 0 and pictures.max() <= 1
        assert model.loss(x).shape == (3,)
        assert torch.equal(model.eval()(x), model.decode(model.encode(x)))


@pytest.mark.parametrize("side", [4, 7, 9, 12, 30])
def test_the_denoiser_gives_any_size_back_in_its_place(side: int) -> None:
    shape = (1, side, side + 1)
    model = conv_denoiser((2, 2, 2), shape=shape).eval()
    assert model.reconstruct(grey(2, shape)).shape == (2, *shape)
    # what is cut off is cut off evenly: at most one row more at one side than at the other
    crop = next(layer for layer in model.decoder if type(layer).__name__ == "_Crop")
    padded = 8 * math.ceil(side / 8), 8 * math.ceil((side + 1) / 8)
    rows = torch.arange(padded[0]).view(1, 1, -1, 1).expand(1, 1, *padded)
    kept = crop(rows)[0, 0, :, 0]
    assert abs(kept[0].item() - (padded[0] - 1 - kept[-1].item())) <= 1


def dense(sizes: Sequence[int]) -> int:
    return sum(before * after + after for before, after in pairwise(sizes))


def test_parameters_are_counted_by_hand_and_within_the_limits() -> None:
    sizes = [784, 512, 256, 128, 2]
    wanted = dense(sizes) + dense(sizes[::-1])
    assert count_parameters(mlp_autoencoder()) == wanted <= 1_500_000
    # 3 x 3 convolutions 1-16-16-16, then 4 x 4 transposed ones 16-16-16-1; each but the last one
    # with BatchNorm's two numbers a channel
    down = (9 * 1 + 1) * 16 + 2 * (9 * 16 + 1) * 16 + 3 * 2 * 16
    up = 2 * (16 * 16 + 1) * 16 + 2 * 2 * 16 + 16 * 16 + 1
    assert count_parameters(conv_denoiser()) == down + up <= 15_000


@pytest.mark.parametrize(
    ("builder", "limit"), [("mlp_autoencoder", 1_500_000), ("conv_denoiser", 15_000)]
)
def test_the_recipes_networks_keep_the_limits(builder: str, limit: int) -> None:
    plans = {name: plan for name, plan in RECIPES.items() if plan.builder == builder}
    assert len(plans) >= 2
    for name, plan in plans.items():
        assert count_parameters(BUILDERS[builder](**plan.arguments)) <= limit, name
        assert plan.prepare == "grey", name


def test_the_decoder_mirrors_the_encoder_and_ends_in_a_sigmoid() -> None:
    model = mlp_autoencoder(3, (16, 8), tiny.SHAPE)

    def widths(part: nn.Module) -> list[tuple[int, int]]:
        layers = [layer for layer in part.modules() if isinstance(layer, nn.Linear)]
        return [(layer.in_features, layer.out_features) for layer in layers]

    assert widths(model.encoder) == [(16, 16), (16, 8), (8, 3)]
    assert widths(model.decoder) == [(3, 8), (8, 16), (16, 16)]
    far = model.decode(torch.tensor([[1e4, -1e4, 1e4], [-1e4, 1e4, -1e4]]))
    assert torch.isfinite(far).all() and far.min() >= 0 and far.max() <= 1
    last = [layer for layer in model.encoder.modules() if isinstance(layer, nn.Linear)][-1]
    last.bias.data.copy_(torch.tensor([-50.0, 0.0, 50.0]))
    codes = model.encode(grey(20))
    assert codes[:, 0].max() < -10 and codes[:, 2].min() > 10, "codes are not squashed"


def test_the_denoiser_has_a_narrow_middle_and_batch_norm() -> None:
    model = conv_denoiser((4, 6, 2))
    norms = [layer.num_features for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert norms == [4, 6, 2, 6, 4]
    assert model.encode(grey(2, (1, 28, 28))).shape == (2, 2, 4, 4)
    assert model.noise == 0.5


@every_model
def test_gradients_reach_every_parameter(name: str) -> None:
    model = built(name)
    # four batches: a unit that is off for one of them need not be off for all
    for seed in range(4):
        model.loss(grey(8, model.shape, seed)).mean().backward()
    for place, parameter in model.named_parameters():
        assert parameter.grad is not None, place
        assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().sum() > 0, place


@every_model
def test_there_is_nothing_to_sample(name: str) -> None:
    for arguments in ({}, {"mean": True}, {"temperature": 0.5}):
        with pytest.raises(CourseError, match="no distribution over its codes") as caught:
            built(name).sample(4, **arguments)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: conv_denoiser((16, 16)), "three widths"),
        (lambda: conv_denoiser(noise=-0.1), "noise is -0.1"),
        (lambda: conv_denoiser(noise=math.nan), "noise is nan"),
        (lambda: conv_denoiser(noise=math.inf), "noise is inf"),
        (lambda: mlp_autoencoder().encode(torch.zeros(2, 784)), r"expected \(B, 1, 28, 28\)"),
        (lambda: mlp_autoencoder().loss(torch.zeros(2, 3, 28, 28)), r"\(B, 1, 28, 28\)"),
        (
            lambda: conv_denoiser().encode(torch.zeros(2, 1, 28, 28, dtype=torch.uint8)),
            "expected floats",
        ),
        (lambda: conv_denoiser().loss(torch.full((2, 1, 28, 28), 1.5)), r"\[0, 1\]"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call: Callable[[], object], words: str) -> None:
    with pytest.raises(CourseError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


# --- training ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mlp", "denoiser"])
def test_the_same_seed_gives_the_same_history_and_another_seed_another(kind: str) -> None:
    def model() -> Autoencoder:
        with tiny.seeded(0):
            if kind == "mlp":
                return mlp_autoencoder(2, (8,), tiny.SHAPE)
            return conv_denoiser((2, 2, 2), shape=tiny.SHAPE)

    models = [model() for _ in range(3)]
    histories = [
        tiny_training.run(one, prepare="grey", seed=seed)
        for one, seed in zip(models, (0, 0, 1), strict=True)
    ]
    curves = [tiny_training.curves(history) for history in histories]
    assert curves[0] == curves[1] != curves[2]
    assert tiny.same(tiny.weights(models[0]), tiny.weights(models[1]))
    assert len(histories[0]) == 3 and histories[0].stopped == "finished"


def test_training_beats_the_mean_picture() -> None:
    """Four kinds of picture: two codes can tell them apart, one mean picture cannot."""
    kinds = torch.randint(
        0, 256, (4, *tiny.SHAPE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    data = tiny.data(train=64, validation=32)
    for split in (data.train, data.validation):
        split.pictures.copy_(kinds[split.labels % 4])
    with tiny.seeded(0):
        model = mlp_autoencoder(2, (32,), tiny.SHAPE)
    history = tiny_training.run(model, data=data, prepare="grey", epochs=60, lr=2e-2)
    x = kinds.float() / 255
    mean_picture = (x - x.mean(dim=0)).square().mean().item()
    assert history.train_loss[0] > 0.5 * mean_picture
    assert model.loss(x).mean().item() < 0.1 * mean_picture


def test_a_denoiser_learns_to_take_noise_away() -> None:
    """Stripes in noise: its answer is nearer to the clean picture than what it was given."""
    stripes = (torch.arange(8) // 2 % 2).float().expand(2, 8, 8).clone()
    stripes[1] = 1 - stripes[1]
    data = tiny.data(train=64, validation=16, shape=(1, 8, 8))
    for split in (data.train, data.validation):
        split.pictures.copy_(255 * stripes[split.labels % 2][:, None])
    with tiny.seeded(0):
        model = conv_denoiser((4, 4, 4), noise=0.5, shape=(1, 8, 8))
    tiny_training.run(model, data=data, prepare="grey", epochs=40, lr=2e-2)
    clean = stripes[:, None].repeat(50, 1, 1, 1)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    noisy = (clean + 0.5 * noise).clamp(0, 1)
    before = (noisy - clean).square().mean().item()
    after = (model.reconstruct(noisy) - clean).square().mean().item()
    assert before > 0.05
    assert after < 0.2 * before
