"""Flows ready to be trained: NICE, RealNVP, a multi-scale one, and one of points in the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.models.conditions import Labels
from coursekit.models.flows.bijections import (
    ActNorm,
    Bijection,
    Chain,
    Flatten,
    InvertibleConv,
    MultiScale,
    Scaling,
    Squeeze,
)
from coursekit.models.flows.couplings import (
    AffineCoupling,
    MapNetwork,
    RowNetwork,
    coupling_size,
    first_half_mask,
    half_mask,
    stack_masks,
)
from coursekit.models.flows.model import Density, Flow
from coursekit.models.flows.preprocessing import (
    Logit,
    MarginalGaussian,
    Scale,
    VariationalDequantiser,
)
from coursekit.networks import MNIST_SHAPE, Shape

PREPROCESSING = ("gaussian", "logit", "scale")


def preprocessing(kind: str, shape: Shape = MNIST_SHAPE) -> Bijection:
    """A bijection from [0, 1] to where a normal base feels at home, by name.

    Args:
        kind: "gaussian" (`MarginalGaussian`, to be counted), "logit" or "scale".
        shape: (C, H, W).
    """
    if kind == "gaussian":
        return MarginalGaussian(math.prod(shape))
    if kind == "logit":
        return Logit()
    if kind == "scale":
        return Scale(0.5, 0.5)
    raise CourseError(f"preprocessing is {kind!r}; the choices are {', '.join(PREPROCESSING)}.")


def mlp_flow(
    couplings: int = 10,
    hidden: Sequence[int] = (256, 256),
    classes: int = 0,
    additive: bool = False,
    preprocessing: str = "gaussian",
    dropout: float = 0.0,
    shape: Shape = MNIST_SHAPE,
) -> Flow:
    """Build RealNVP with perceptrons in its couplings, or NICE.

    Args:
        couplings: how many.
        hidden: widths of each coupling's hidden layers.
        classes: labels that every coupling is told, one-hot; an unconditional flow if 0.
        additive: additive couplings: with the scaling layer behind them, NICE.
        preprocessing: "gaussian", "logit" or "scale".
        dropout: in the couplings' networks.
        shape: (C, H, W).

    Example:
        >>> mlp_flow(couplings=2, hidden=(8,)).sample(3).shape
        torch.Size([3, 1, 28, 28])
    """
    if couplings < 1:
        raise CourseError(f"mlp_flow: couplings is {couplings}; there must be at least 1.")
    layers: list[Bijection] = [_preprocessing(preprocessing, shape), Flatten(shape)]
    for mask in stack_masks(shape, couplings):
        size_in, size_out = coupling_size(mask, additive)
        network = RowNetwork(size_in, size_out, hidden, classes, dropout)
        layers.append(AffineCoupling(mask, network, additive))
    layers.append(Scaling(math.prod(shape)))
    return Flow(Chain(*layers), shape, Labels(classes) if classes else None)


_preprocessing = preprocessing


def conv_flow(
    steps: Sequence[int] = (8, 8),
    width: int = 64,
    blocks: int = 2,
    classes: int = 0,
    preprocessing: str = "gaussian",
    variational: bool = True,
    shape: Shape = MNIST_SHAPE,
) -> Flow:
    """Build a convolutional multi-scale flow.

    Args:
        steps: for each level (each halves height and width), how many steps of activation
            normalisation, 1 x 1 convolution and affine coupling.
        width: channels inside the couplings' networks.
        blocks: residual blocks of each.
        classes: as for `mlp_flow`.
        preprocessing: as for `mlp_flow`.
        variational: learn the dequantisation noise.
        shape: (C, H, W), divisible by 2 once for each level.

    Source: the steps of Kingma and Dhariwal, Glow (2018), the scales of Dinh et al. (2017).

    Example:
        >>> conv_flow(steps=(1, 1), width=4, blocks=1).sample(2).shape
        torch.Size([2, 1, 28, 28])
    """
    channels = shape[0]
    levels: list[Bijection] = []
    for number, count in enumerate(steps):
        channels *= 4
        layers: list[Bijection] = [Squeeze()]
        for _ in range(count):
            mask = first_half_mask(channels)
            size_in, size_out = coupling_size(mask, False)
            network = MapNetwork(size_in, size_out, width, blocks, classes)
            layers += [ActNorm(channels), InvertibleConv(channels), AffineCoupling(mask, network)]
        levels.append(Chain(*layers))
        if number < len(steps) - 1:
            channels //= 2
    chain = Chain(_preprocessing(preprocessing, shape), MultiScale(levels, shape, classes))
    dequantiser = VariationalDequantiser(shape[0]) if variational else None
    return Flow(chain, shape, Labels(classes) if classes else None, dequantiser)


def toy_flow(couplings: int = 6, width: int = 128, std: float = 0.3) -> Density:
    """Build a flow of points in the plane, by turns one coordinate moving the other.

    Args:
        couplings: how many.
        width: of the two hidden layers of each.
        std: of the base N(0, std^2 I).
    """
    layers = []
    for number in range(couplings):
        # with corners the flow tears the two halves of the base further apart than smoothly
        network = RowNetwork(1, 2, (width, width), activation=nn.ReLU)
        layers.append(AffineCoupling(half_mask(2, odd=number % 2 == 1), network))
    return Density(Chain(*layers), 2, std)


class TwoGaussians:
    """The toy target: 1/2 N((1, 1), std^2 I) + 1/2 N((-1, -1), std^2 I), a mixture and not a sum.

    Args:
        std: of each part.
    """

    def __init__(self, std: float = 0.3) -> None:
        self.std = std
        centres = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
        self._mixture = torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(torch.ones(2)),
            torch.distributions.Independent(torch.distributions.Normal(centres, std), 1),
        )

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of points (B, 2), (B,) nats."""
        return self._mixture.log_prob(x)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n points, (n, 2)."""
        side = torch.randint(2, (n, 1), generator=generator) * 2.0 - 1
        return side + self.std * torch.randn(n, 2, generator=generator)

    def entropy_bits(self) -> float:
        """Entropy in bits for each of the two dimensions: what no model can go below.

        Integrated on a fine grid, which is exact here to more digits than are shown.
        """
        axis = torch.arange(-4, 4, 0.01, dtype=torch.float64)
        grid = torch.cartesian_prod(axis, axis)
        log_p = self.log_prob(grid.float()).double()
        return float(-(log_p.exp() * log_p).sum() * 0.01**2 / (2 * math.log(2)))
