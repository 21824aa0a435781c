"""Networks: shapes, sizes, and messages for what does not fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import tiny
import torch
from torch import nn

from coursekit.errors import CourseError
from coursekit.networks import (
    Decoder,
    Encoder,
    Gated,
    Residual,
    conv_decoder,
    conv_encoder,
    count_parameters,
    layer_table,
    mlp,
    mlp_decoder,
    mlp_encoder,
)


def test_mlp_layers_and_parameters() -> None:
    network = mlp([5, 7, 3], nn.Tanh, nn.Sigmoid)
    assert [type(layer) for layer in network] == [nn.Linear, nn.Tanh, nn.Linear, nn.Sigmoid]
    assert count_parameters(network) == 5 * 7 + 7 + 7 * 3 + 3
    assert network(torch.zeros(2, 5)).shape == (2, 3)
    assert [type(layer) for layer in mlp([5, 3])] == [nn.Linear], "no activation at the end"


@pytest.mark.parametrize("sizes", [[], [3], [3, 0], [3, -1, 2]])
def test_mlp_refuses_bad_sizes(sizes: list[int]) -> None:
    with pytest.raises(CourseError, match="sizes"):
        mlp(sizes)


ENCODERS: dict[str, Callable[[tuple[int, int, int]], Encoder]] = {
    "mlp": lambda shape: mlp_encoder(shape, (8, 6), 3),
    "gated": lambda shape: mlp_encoder(shape, (8, 6), 3, gated=True),
    "linear": lambda shape: mlp_encoder(shape, (), 3),
    "conv": lambda shape: conv_encoder(shape, 3, (2, 4), (8,)),
    "deep conv": lambda shape: conv_encoder(shape, 3, (2, 4), (8, 6)),
}
DECODERS: dict[str, Callable[[tuple[int, int, int], int], Decoder]] = {
    "mlp": lambda shape, per: mlp_decoder(3, (8, 6), shape, per),
    "gated": lambda shape, per: mlp_decoder(3, (8, 6), shape, per, gated=True),
    "linear": lambda shape, per: mlp_decoder(3, (), shape, per),
    "conv": lambda shape, per: conv_decoder(3, shape, per, (2, 4), (8,)),
    "deep conv": lambda shape, per: conv_decoder(3, shape, per, (2, 4), (8, 6)),
}
SHAPES = [(1, 4, 4), (3, 8, 4), (1, 28, 28)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS.keys())
def test_encoders(make: Callable[..., Encoder], shape: tuple[int, int, int]) -> None:
    mu, log_var = make(shape)(torch.rand(5, *shape))
    assert mu.shape == log_var.shape == (5, 3)
    assert not torch.equal(mu, log_var)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("per_channel", [1, 2])
@pytest.mark.parametrize("make", DECODERS.values(), ids=DECODERS.keys())
def test_decoders(
    make: Callable[..., Decoder], per_channel: int, shape: tuple[int, int, int]
) -> None:
    params = make(shape, per_channel)(torch.randn(5, 3))
    assert params.shape == (5, per_channel * shape[0], *shape[1:])


def test_parameters_lie_as_likelihoods_expect() -> None:
    """First all first parameters, then all second ones: row-major, (B, P * C, H, W)."""
    decoder = mlp_decoder(1, (), (2, 1, 3), 2)
    (layer,) = (part for part in decoder.modules() if isinstance(part, nn.Linear))
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.arange(12.0))
    assert torch.equal(decoder(torch.zeros(1, 1)), torch.arange(12.0).view(1, 4, 1, 3))


@pytest.mark.parametrize("shape", [(1, 6, 8), (1, 8, 6), (1, 30, 30)])
def test_convolutions_want_a_multiple_of_four(shape: tuple[int, int, int]) -> None:
    for build in (lambda: conv_encoder(shape, 2), lambda: conv_decoder(2, shape)):
        with pytest.raises(CourseError, match="divisible by 4"):
            build()


@pytest.mark.parametrize("channels", [(2,), (2, 4, 8)])
def test_convolutions_want_two_widths(channels: Any) -> None:
    for build in (
        lambda: conv_encoder(tiny.SHAPE, 2, channels),
        lambda: conv_decoder(2, tiny.SHAPE, channels=channels),
    ):
        with pytest.raises(CourseError, match="channels"):
            build()


def test_gated_layer() -> None:
    layer, x = Gated(3, 4), torch.randn(5, 3)
    weight, bias = layer.linear.weight, layer.linear.bias
    expected = (x @ weight[:4].T + bias[:4]) * torch.sigmoid(x @ weight[4:].T + bias[4:])
    torch.testing.assert_close(layer(x), expected)


def test_residual() -> None:
    x = torch.randn(2, 3)
    assert torch.equal(Residual(nn.Identity())(x), 2 * x)


def test_messages_name_both_shapes() -> None:
    with pytest.raises(CourseError, match=r"\(2, 16\); expected \(B, 1, 4, 4\)"):
        tiny.vae().encoder(torch.zeros(2, 16))
    with pytest.raises(CourseError, match=r"\(2, 3\); expected \(B, 2\)"):
        tiny.vae().decoder(torch.zeros(2, 3))
    with pytest.raises(CourseError, match=r"uint8.*prepare"):
        tiny.vae().encoder(torch.zeros(2, 1, 4, 4, dtype=torch.uint8))


def test_count_leaves_frozen_ones_out() -> None:
    network = mlp([2, 3, 4])
    network[0].requires_grad_(False)
    assert count_parameters(network) == 3 * 4 + 4
    assert count_parameters(nn.ReLU()) == 0


def test_layer_table() -> None:
    model = tiny.conv()
    before = tiny.weights(model)
    text = layer_table(model.encoder, torch.rand(2, *tiny.SHAPE))
    rows = text.splitlines()
    assert rows[1].split()[0] == "Conv2d" and "(2, 2, 2, 2)" in rows[1]
    assert rows[-1].split() == ["total", str(count_parameters(model.encoder))]
    counts = [int(row.split()[-1].replace(",", "")) for row in rows[1:]]
    assert sum(counts[:-1]) == counts[-1]
    assert tiny.same(before, tiny.weights(model)), "looking must not move the running means"
    assert model.encoder.training
    assert all(not layer._forward_hooks for layer in model.modules())


def test_layer_table_takes_its_hooks_back_after_an_error() -> None:
    network = mlp([3, 2])
    with pytest.raises(RuntimeError):
        layer_table(network, torch.zeros(1, 5))
    assert all(not layer._forward_hooks for layer in network.modules())
    assert network.training


def test_batch_normalisation_stands_before_the_activation_only() -> None:
    last = list(tiny.conv().decoder.modules())[-1]
    assert isinstance(last, nn.ConvTranspose2d), "a logit may take any value"
    assert math.prod(tiny.SHAPE) == 16
