"""Image completion: infer the latent from the part that is seen, draw the part that is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.inference.optimised import Decode, Inferred, infer
from coursekit.likelihoods import Likelihood
from coursekit.priors import Prior


@dataclass(frozen=True)
class Completion:
    """Several ways to go on from the part of a picture that was seen.

    Attributes:
        pictures: (n, B, C, H, W) in [0, 1]; the seen part is that of the original.
        inferred: the posterior given the seen part alone.
    """

    pictures: Tensor
    inferred: Inferred


def complete(
    decode: Decode,
    likelihood: Likelihood,
    prior: Prior,
    x: Tensor,
    mask: Tensor,
    n: int = 1,
    *,
    mean: bool = False,
    generator: torch.Generator | None = None,
    **settings: Any,
) -> Completion:
    """Complete pictures of which only a part is seen.

    q maximises the ELBO of the seen part; then z ~ q and x_hidden ~ p(x|z), n times.

    Args:
        decode: latents (B, K) to a likelihood's parameters.
        likelihood: p(x|z).
        prior: p(z).
        x: pictures, (B, C, H, W); what is hidden is not looked at.
        mask: bool, broadcastable to x, true where a value is seen.
        n: completions of each picture.
        mean: show the mean of p(x_hidden|z) in place of a draw from it; z is drawn either way.
        generator: source of all draws.
        settings: further arguments of `infer`.

    Returns:
        The completions and the posterior they come from.

    Raises:
        CourseError: as `infer`, or if n is below 1.
    """
    if n < 1:
        raise CourseError(f"complete: n is {n}; it must be at least 1.")
    inferred = infer(decode, likelihood, prior, x, mask, generator=generator, **settings)
    pictures = []
    with torch.no_grad():
        for z in inferred.q.sample(n, generator):
            params = decode(z)
            drawn = likelihood.mean(params) if mean else likelihood.sample(params, generator)
            pictures.append(torch.where(mask, x, drawn))
    return Completion(torch.stack(pictures), inferred)
