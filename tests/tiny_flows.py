"""What the tests of the flows share: livelier weights, determinants from autograd."""

from __future__ import annotations

from typing import Any, TypeVar

import tiny
import torch
from torch import Tensor, nn

from coursekit.models.flows import Bijection, Flow, MarginalGaussian, conv_flow, mlp_flow

M = TypeVar("M", bound=nn.Module)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lively(model: M, seed: int = 0, size: float = 0.3) -> M:
    """The same model with noise on all its weights and histograms: fresh couplings do nothing."""
    with tiny.seeded(seed), torch.no_grad():
        for parameter in model.parameters():
            parameter += size * torch.randn(parameter.shape)  # in one order whatever the layout
        for module in model.modules():
            if isinstance(module, MarginalGaussian):
                module.logits += torch.randn_like(module.logits)
    return model.eval()


def grey(n: int, seed: int = 0, shape: tuple[int, ...] = tiny.SHAPE) -> Tensor:
    """Pictures v / 255 of all levels."""
    return torch.randint(0, 256, (n, *shape), generator=rng(seed)) / 255


def flow(seed: int = 0, noise: float = 0.3, **changes: Any) -> Flow:
    """An MLP flow of 4 x 4 pictures."""
    with tiny.seeded(seed):
        settings: dict[str, Any] = {"couplings": 4, "hidden": (8,), "shape": tiny.SHAPE}
        return lively(mlp_flow(**(settings | changes)), seed, noise)


def conv(seed: int = 0, noise: float = 0.2, **changes: Any) -> Flow:
    settings: dict[str, Any] = {"steps": (1, 1), "width": 4, "blocks": 1, "shape": tiny.SHAPE}
    with tiny.seeded(seed):
        return lively(conv_flow(**(settings | changes)), seed, noise)


def undoes_itself(model: Flow, x: Tensor, y: Tensor | None) -> None:
    z, _ = model.encode(x, y)
    torch.testing.assert_close(model.decode(z, y), x, rtol=0, atol=1e-4)


def log_determinants(bijection: Bijection, x: Tensor, context: Tensor | None = None) -> Tensor:
    """log|det dz/dx| of each row, (B,), from autograd's Jacobian of one row at a time."""
    found = []
    for i in range(len(x)):
        told = None if context is None else context[i : i + 1]

        def one(row: Tensor, told: Tensor | None = told) -> Tensor:
            return bijection(row.view(1, *x.shape[1:]), told)[0].flatten()

        jacobian = torch.autograd.functional.jacobian(one, x[i].flatten())
        assert isinstance(jacobian, Tensor)
        found.append(torch.linalg.slogdet(jacobian).logabsdet)
    return torch.stack(found)


def chi_square(counts: Tensor, expected: Tensor) -> float:
    """How many deviations Pearson's statistic is above its mean; cells with few points as one."""
    many = expected >= 5
    counts = torch.cat([counts[many], counts[~many].sum()[None]]).double()
    expected = torch.cat([expected[many], expected[~many].sum()[None]]).double()
    kept = expected > 0
    statistic = ((counts - expected).square() / expected)[kept].sum().item()
    degrees = int(kept.sum()) - 1
    return (statistic - degrees) / (2 * degrees) ** 0.5
