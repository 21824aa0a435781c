"""Normalising flows: bijections, couplings, preprocessing and the models built of them."""

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
from coursekit.models.flows.build import (
    TwoGaussians,
    conv_flow,
    mlp_flow,
    preprocessing,
    toy_flow,
)
from coursekit.models.flows.couplings import (
    AffineCoupling,
    MapNetwork,
    RowNetwork,
    checkerboard_mask,
    first_half_mask,
    half_mask,
)
from coursekit.models.flows.model import Density, Flow
from coursekit.models.flows.preprocessing import (
    Logit,
    MarginalGaussian,
    Scale,
    UniformDequantiser,
    VariationalDequantiser,
)

__all__ = [
    "ActNorm", "AffineCoupling", "Bijection", "Chain", "Density", "Flatten", "Flow",
    "InvertibleConv", "Logit", "MapNetwork", "MarginalGaussian", "MultiScale", "RowNetwork",
    "Scale", "Scaling", "Squeeze", "TwoGaussians", "UniformDequantiser",
    "VariationalDequantiser", "checkerboard_mask", "conv_flow", "first_half_mask", "half_mask",
    "mlp_flow", "preprocessing", "toy_flow",
]  # fmt: skip
