"""The networks that models are built from: perceptrons, convolutional encoders and decoders.

An encoder maps pictures (B, C, H, W) to `(mu, log_var)`, each (B, K); a decoder maps latents
(B, K) to the parameters of a likelihood, (B, P * C, H, W).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError

Shape = tuple[int, int, int]
MNIST_SHAPE: Shape = (1, 28, 28)


def mlp(
    sizes: Sequence[int],
    activation: Callable[[], nn.Module] = nn.LeakyReLU,
    final: Callable[[], nn.Module] | None = None,
) -> nn.Sequential:
    """Build a multi-layer perceptron: linear layers with an activation between them.

    Args:
        sizes: widths from input to output, at least two.
        activation: makes the module between two layers.
        final: makes the module after the last layer; none if None.

    Returns:
        A module (B, sizes[0]) -> (B, sizes[-1]).

    Example:
        >>> [type(layer).__name__ for layer in mlp([784, 512, 20])]
        ['Linear', 'LeakyReLU', 'Linear']
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise CourseError(f"mlp: sizes is {list(sizes)}; give two or more positive widths.")
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(sizes[:-1]):
        layers += [nn.Linear(width_in, width_out), activation()]
    layers.append(nn.Linear(sizes[-2], sizes[-1]))
    if final is not None:
        layers.append(final())
    return nn.Sequential(*layers)


def check_pictures(x: Tensor, shape: Shape, where: str) -> None:
    """Raise unless x is a float batch of pictures of the given shape.

    Args:
        x: what was given.
        shape: (C, H, W) that is expected.
        where: who asks, for the message.

    Raises:
        CourseError: naming the shape or dtype that came and the one wanted.
    """
    if x.ndim != 4 or tuple(x.shape[1:]) != tuple(shape):
        raise CourseError(
            f"{where}: the batch has shape {tuple(x.shape)}; expected (B, "
            f"{', '.join(map(str, shape))})."
        )
    if not x.is_floating_point():
        raise CourseError(
            f"{where}: the batch is {x.dtype}; expected floats in [0, 1]: convert it with "
            "coursekit.data.prepare(pictures, 'grey')."
        )


class Gated(nn.Module):
    """A layer that scales its own answer: (W x + b) * sigmoid(V x + c).

    Source: Dauphin et al., Language Modeling with Gated Convolutional Networks (2017), eq. 1.
    """

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width_in, 2 * width_out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width_in) -> (B, width_out)."""
        return nn.functional.glu(self.linear(x), dim=1)


class Encoder(nn.Module):
    """Pictures to a diagonal Gaussian: a network whose last layer gives 2 K numbers.

    Args:
        network: maps (B, C, H, W) to (B, 2 K).
        shape: (C, H, W).
    """

    def __init__(self, network: nn.Module, shape: Shape) -> None:
        super().__init__()
        self.network = network
        self.shape = shape

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> mean and log-variance, each (B, K)."""
        check_pictures(x, self.shape, "encoder")
        mu, log_var = self.network(x).chunk(2, dim=1)
        return mu, log_var


class Decoder(nn.Module):
    """Latents to a likelihood's parameters.

    Args:
        network: maps (B, K) to (B, P * C * H * W) or to (B, P * C, H, W).
        latent_size: K.
        shape: (C, H, W) of a picture.
    """

    def __init__(self, network: nn.Module, latent_size: int, shape: Shape) -> None:
        super().__init__()
        self.network = network
        self.latent_size = latent_size
        self.shape = shape

    def forward(self, z: Tensor) -> Tensor:
        """(B, K) -> (B, P * C, H, W)."""
        if z.ndim != 2 or z.shape[1] != self.latent_size:
            raise CourseError(
                f"decoder: the latents have shape {tuple(z.shape)}; expected "
                f"(B, {self.latent_size})."
            )
        return self.network(z).reshape(len(z), -1, *self.shape[1:])


def mlp_encoder(
    shape: Shape, hidden: Sequence[int], latent_size: int, gated: bool = False
) -> Encoder:
    """Build a fully connected encoder.

    Args:
        shape: (C, H, W).
        hidden: widths of the hidden layers.
        latent_size: K.
        gated: gated layers in place of LeakyReLU ones (twice the parameters).
    """
    sizes = [math.prod(shape), *hidden, 2 * latent_size]
    return Encoder(nn.Sequential(nn.Flatten(), _perceptron(sizes, gated)), shape)


def mlp_decoder(
    latent_size: int,
    hidden: Sequence[int],
    shape: Shape,
    params_per_channel: int = 1,
    gated: bool = False,
) -> Decoder:
    """Build a fully connected decoder; arguments as for `mlp_encoder`."""
    sizes = [latent_size, *hidden, params_per_channel * math.prod(shape)]
    return Decoder(_perceptron(sizes, gated), latent_size, shape)


def _perceptron(sizes: Sequence[int], gated: bool) -> nn.Sequential:
    if not gated:
        return mlp(sizes)
    inner = [Gated(a, b) for a, b in pairwise(sizes[:-1])]
    return nn.Sequential(*inner, nn.Linear(sizes[-2], sizes[-1]))


class Residual(nn.Module):
    """x + f(x), where f is any module that keeps the shape.

    Source: He et al., Deep Residual Learning for Image Recognition (2016), equation 1.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        return x + self.inner(x)


def _norm_act(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.SiLU())


def _quarter(shape: Shape, channels: Sequence[int]) -> tuple[int, int]:
    _, height, width = shape
    if len(channels) != 2:
        raise CourseError(
            f"convolutional networks here have two convolutions, but channels is {list(channels)}; "
            "give two widths."
        )
    if height % 4 or width % 4:
        raise CourseError(
            f"convolutional networks halve a picture twice; {height} x {width} is not divisible "
            "by 4: pad or crop the pictures."
        )
    return height // 4, width // 4


def conv_encoder(
    shape: Shape,
    latent_size: int,
    channels: Sequence[int] = (32, 64),
    hidden: Sequence[int] = (256,),
) -> Encoder:
    """Build a convolutional encoder: two strided convolutions, then a perceptron.

    Args:
        shape: (C, H, W), height and width divisible by 4.
        latent_size: K.
        channels: after the first and after the second convolution.
        hidden: widths of the layers between the feature maps and (mu, log_var).
    """
    height, width = _quarter(shape, channels)
    first, second = channels
    network = nn.Sequential(
        nn.Conv2d(shape[0], first, 4, stride=2, padding=1),
        _norm_act(first),
        nn.Conv2d(first, second, 4, stride=2, padding=1),
        _norm_act(second),
        nn.Flatten(),
        mlp([second * height * width, *hidden, 2 * latent_size], nn.SiLU),
    )
    # the layout in which a CPU convolves faster; what comes in and goes out is not touched by it
    return Encoder(network.to(memory_format=torch.channels_last), shape)


def conv_decoder(
    latent_size: int,
    shape: Shape,
    params_per_channel: int = 1,
    channels: Sequence[int] = (32, 64),
    hidden: Sequence[int] = (256,),
    head: int = 0,
) -> Decoder:
    """Build a convolutional decoder, the mirror image of `conv_encoder`.

    Args:
        latent_size: K.
        shape: (C, H, W), height and width divisible by 4.
        params_per_channel: P, numbers for each value of the picture.
        channels: as for the encoder.
        hidden: as for the encoder; reversed.
        head: width of two more layers at full resolution (a convolution 3x3, then 1x1 to the
            parameters); none if 0. It costs little where P is large.
    """
    height, width = _quarter(shape, channels)
    first, second = channels
    out = params_per_channel * shape[0]
    layers = [
        mlp([latent_size, *reversed(hidden), second * height * width], nn.SiLU),
        nn.Unflatten(1, (second, height, width)),
        _norm_act(second),
        nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),
        _norm_act(first),
        nn.ConvTranspose2d(first, head or out, 4, stride=2, padding=1),
    ]
    if head:
        layers += [_norm_act(head), nn.Conv2d(head, head, 3, padding=1), _norm_act(head)]
        layers += [nn.Conv2d(head, out, 1)]
    network = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    return Decoder(network, latent_size, shape)


def device_of(module: nn.Module) -> torch.device:
    """Where a module's parameters are, or its buffers if it has none; the CPU without either."""
    tensors = itertools.chain(module.parameters(), module.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def count_parameters(module: nn.Module) -> int:
    """Count the numbers that training can change.

    Example:
        >>> count_parameters(nn.Linear(3, 2))
        8
    """
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@torch.no_grad()
def layer_table(module: nn.Module, example: Tensor) -> str:
    """List the layers of a module with their output shapes and parameter counts, as text.

    Args:
        module: any module.
        example: an input batch for it.

    Returns:
        A table, one line a layer without children, in the order in which they run.

    Example:
        >>> print(layer_table(nn.Sequential(nn.Linear(3, 2)), torch.zeros(1, 3)))
        layer           output shape         parameters
        Linear          (1, 2)                        8
        total                                         8
    """
    rows: list[str] = [f"{'layer':16}{'output shape':18}{'parameters':>13}"]

    def note(layer: nn.Module, _inputs: object, output: object) -> None:
        shape = tuple(output.shape) if isinstance(output, Tensor) else ""
        rows.append(f"{type(layer).__name__:16}{shape!s:18}{count_parameters(layer):13,}")

    leaves = [layer for layer in module.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(note) for layer in leaves]
    was_training = module.training
    try:
        module.eval()(example)
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    rows.append(f"{'total':34}{count_parameters(module):13,}")
    return "\n".join(rows)
