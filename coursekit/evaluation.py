"""Figures on test pictures, each with its estimator and its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from coursekit.data import Split, prepare
from coursekit.errors import CourseError
from coursekit.inference import importance_bound
from coursekit.likelihoods import bits_per_dim
from coursekit.models.vae import VAE


@dataclass(frozen=True)
class Estimate:
    """A measured mean, and how it was measured.

    Attributes:
        value: mean over the pictures, nats per picture.
        standard_error: of that mean, over pictures.
        n: how many pictures.
        estimator: "negative ELBO, 1 sample" or "IWAE-S".
        preparation: how the pictures were prepared.
    """

    value: float
    standard_error: float
    n: int
    estimator: str
    preparation: str

    def __str__(self) -> str:
        return f"{self.value:.2f} +- {self.standard_error:.2f} nats ({self.estimator})"


def _mean(values: Tensor, estimator: str, preparation: str) -> Estimate:
    values = values.double()
    error = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(values.mean().item(), error, len(values), estimator, preparation)


@torch.no_grad()
def evaluate(
    model: VAE,
    split: Split,
    preparation: str,
    estimator: str = "nelbo",
    samples: int = 1,
    limit: int | None = None,
    seed: int = 0,
    chunk: int = 1000,
    progress: bool = False,
) -> Estimate:
    """Measure a bound on -log p(x) on a split, in evaluation mode.

    Args:
        model: a VAE.
        split: pictures; one fixed draw of their preparation (seed) is used.
        preparation: a name for `coursekit.data.prepare`.
        estimator: "nelbo" (negative ELBO, beta = 1, averaged over `samples` draws) or "iwae".
        samples: S.
        limit: how many pictures from the start of the split; all if None.
        seed: of the preparation and of the latent draws.
        chunk: latents decoded at a time.
        progress: show a bar.

    Returns:
        The mean in nats per picture, with its standard error over pictures.

    Raises:
        CourseError: for an unknown estimator or a count below 1.
    """
    if estimator not in ("nelbo", "iwae"):
        raise CourseError(f"evaluate: estimator is {estimator!r}; give 'nelbo' or 'iwae'.")
    for name, count in (("samples", samples), ("limit", limit), ("chunk", chunk)):
        if count is not None and count < 1:
            raise CourseError(f"evaluate: {name} is {count}; it must be at least 1.")
    if len(split) == 0:
        raise CourseError("evaluate: the split holds no picture to measure on.")
    device = next(model.parameters()).device
    # The whole split is prepared, then cut: picture i is the same whatever the limit is.
    generator = torch.Generator(device).manual_seed(seed)
    pictures = prepare(split.pictures.to(device), preparation, generator)[:limit]
    was_training = model.training
    model.eval()
    values = []
    try:
        # few pictures at a time, so that the bar moves: IWAE decodes S latents for each
        step = min(chunk, 100) if estimator == "iwae" else chunk
        for part in tqdm(pictures.split(step), disable=not progress, leave=False):
            if estimator == "iwae":
                values.append(-importance_bound(model, part, samples, generator, chunk))
                continue
            total = torch.zeros(len(part), device=device)
            for _ in range(samples):
                log_likelihood, kl = model.elbo_terms(part, generator)
                total += kl - log_likelihood
            values.append(total / samples)
    finally:
        model.train(was_training)
    draws = "1 sample" if samples == 1 else f"{samples} samples"
    name = f"IWAE-{samples}" if estimator == "iwae" else f"negative ELBO, {draws}"
    return _mean(torch.cat(values), name, preparation)


@torch.no_grad()
def posterior_mean_variance(model: VAE, x: Tensor) -> Tensor:
    """Variance over pictures of the posterior's mean, for each latent dimension.

    A_k = Var_x( E_q(z|x)[z_k] ). A dimension with A_k > 0.01 is called active: below that the
    encoder says nearly the same whatever the picture is, and the dimension carries nothing.

    Args:
        model: has `encode`.
        x: pictures, (B, C, H, W), B at least 2.

    Returns:
        (K,).

    Source: Burda et al., Importance Weighted Autoencoders (2016), section 5.2.
    """
    if len(x) < 2:
        raise CourseError("Active units need at least 2 pictures: a variance over them is taken.")
    return model.encode(x)[0].var(dim=0)


def active_units(model: VAE, x: Tensor, threshold: float = 0.01) -> int:
    """Count the latent dimensions whose posterior mean varies over pictures by more than this."""
    return int((posterior_mean_variance(model, x) > threshold).sum())


def histogram_bits_per_dim(train: Tensor, test: Tensor) -> float:
    """Bits/dim of the simplest model of all: a histogram for each pixel, independent.

    p(v) = prod_d (count_d(v_d) + 1) / (N + 256), counted on the training pictures.

    Args:
        train: uint8 pictures, (N, C, H, W).
        test: uint8 pictures of the same shape.

    Returns:
        Mean negative log2-probability for each value of the test pictures.
    """
    if train.shape[1:] != test.shape[1:]:
        raise CourseError(
            f"histogram_bits_per_dim: the pictures have shapes {tuple(train.shape[1:])} and "
            f"{tuple(test.shape[1:])}; give both the same."
        )
    flat, other = train.flatten(1).long(), test.flatten(1).long()
    if train.dtype != torch.uint8 or test.dtype != torch.uint8:
        raise CourseError("histogram_bits_per_dim counts 8-bit pictures; give uint8 tensors.")
    dims = flat.shape[1]
    counts = torch.ones(dims, 256, device=train.device)
    ones = torch.ones(1, device=train.device).expand(flat.shape[0], dims)
    counts.T.scatter_add_(0, flat, ones)
    log_p = torch.log(counts) - math.log(len(flat) + 256)
    nats = -log_p.T.gather(0, other).sum(dim=1).mean()
    return float(bits_per_dim(nats.item(), dims))
