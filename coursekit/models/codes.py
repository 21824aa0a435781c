"""What every quantiser is made of: nearest codes, gradients past them, moving averages, counts."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError


class Quantised(NamedTuple):
    """What `quantise` gives.

    Attributes:
        z_q: the codes' vectors, (B, D, H, W); its gradient goes to z.
        indices: which code stands where, int64 (B, H, W).
        loss: what the quantiser adds to a picture's loss, (B,).
        perplexity: of the codes in this batch, a scalar from 1 to the number of codes.
    """

    z_q: Tensor
    indices: Tensor
    loss: Tensor
    perplexity: Tensor


def nearest_codes(z: Tensor, codebook: Tensor) -> Tensor:
    """The code nearest to each vector, in Euclidean distance; the first of equally near ones.

    argmin_k |z - e_k|^2 = argmin_k |e_k|^2 - 2 z . e_k, since |z|^2 is the same for every k.

    Args:
        z: vectors, (N, D).
        codebook: codes, (K, D).

    Returns:
        Indices, int64 (N,).

    Example:
        >>> nearest_codes(torch.tensor([[0.9, 0.1]]), torch.eye(2)).tolist()
        [0]
    """
    if z.ndim != 2 or codebook.ndim != 2 or z.shape[1] != codebook.shape[1]:
        raise CourseError(
            f"nearest_codes: z has shape {tuple(z.shape)} and the codebook "
            f"{tuple(codebook.shape)}; expected (N, D) and (K, D)."
        )
    # measured from the codebook's middle, the numbers are smaller and lose fewer digits
    middle = codebook.mean(dim=0)
    z, codebook = z - middle, codebook - middle
    return torch.addmm(codebook.square().sum(dim=1), z, codebook.T, alpha=-2).argmin(dim=1)


def perplexity(indices: Tensor, codes: int) -> Tensor:
    """How many codes are in use, as if all in use were equally frequent.

    exp(-sum_k p_k log p_k), p_k the share of code k; 1 for a single code, `codes` for all alike.

    Args:
        indices: int64, any shape.
        codes: K.

    Returns:
        A scalar.

    Example:
        >>> perplexity(torch.tensor([0, 0, 3, 3]), codes=8).item()
        2.0
    """
    if indices.numel() == 0:
        raise CourseError("perplexity: there are no indices to count.")
    shares = torch.bincount(indices.flatten(), minlength=codes) / indices.numel()
    return torch.special.entr(shares).sum().exp()


def straight_through(z: Tensor, z_q: Tensor) -> Tensor:
    """The value of z_q, and the gradient of the identity to z: z + sg[z_q - z].

    Source: Bengio et al., Estimating or Propagating Gradients Through Stochastic Neurons (2013).
    """
    return z + (z_q - z).detach()


def rotated(z: Tensor, z_q: Tensor) -> Tensor:
    """The value of z_q, and the gradient of the rotation and scaling that takes z to z_q.

    z_q = s R z with s = |z_q| / |z| and R the rotation from z's direction to z_q's, both held
    fixed: a gradient keeps its angle to the code, where the identity would keep its direction.

    Args:
        z: vectors, (N, D).
        z_q: their codes, (N, D).

    Source: Fifty et al., Restructuring Vector Quantization with the Rotation Trick (2025), sec. 4.
    """
    with torch.no_grad():
        norm = z.norm(dim=1, keepdim=True).clamp_min(1e-6)
        norm_q = z_q.norm(dim=1, keepdim=True).clamp_min(1e-6)
        a, b = z / norm, z_q / norm_q
        halfway = nn.functional.normalize(a + b, dim=1)
        scale = norm_q / norm

    def along(direction: Tensor) -> Tensor:
        return (z * direction).sum(dim=1, keepdim=True)

    turned = scale * (z - 2 * along(halfway) * halfway + 2 * along(a) * b)
    return straight_through(turned, z_q)  # the same value but for rounding; exact this way


def smoothed_counts(counts: Tensor, epsilon: float) -> Tensor:
    """Counts (K,) moved a little towards all-alike, so that none is 0; their sum stays."""
    total = counts.sum()
    return (counts + epsilon) / (total + len(counts) * epsilon) * total


def ema_step(
    counts: Tensor, sums: Tensor, z: Tensor, indices: Tensor, decay: float, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Move each code towards the mean of the vectors that chose it.

    N_k <- decay N_k + (1 - decay) n_k, m_k <- decay m_k + (1 - decay) sum of the z of code k,
    e_k = m_k / N_k, with N_k smoothed by epsilon so that an unused code divides by no zero. Such
    a code stays where it is while N_k is far above epsilon; then, as m_k goes on to 0, it sinks
    to the origin, by the factor N_k / (N_k + epsilon).

    Args:
        counts: N, (K,).
        sums: m, (K, D).
        z: vectors, (N, D).
        indices: their codes, int64 (N,).
        decay: weight of the past.
        epsilon: of the smoothing.

    Returns:
        counts, sums and codebook (K, D), all new.

    Source: van den Oord et al., Neural Discrete Representation Learning (2017), appendix A.1.
    """
    now = torch.bincount(indices, minlength=len(counts)).to(counts.dtype)
    # in this form the order of the additions is fixed, on a GPU too
    total = torch.zeros_like(sums).index_put_((indices,), z, accumulate=True)
    counts = decay * counts + (1 - decay) * now
    sums = decay * sums + (1 - decay) * total
    return counts, sums, sums / smoothed_counts(counts, epsilon)[:, None]


def as_rows(z: Tensor) -> Tensor:
    """Maps (B, D, H, W) to vectors (B H W, D)."""
    return z.movedim(1, 3).reshape(-1, z.shape[1])


def as_maps(rows: Tensor, like: Tensor) -> Tensor:
    """Vectors (B H W, D) back to maps (B, D, H, W)."""
    batch, _, height, width = like.shape
    return rows.reshape(batch, height, width, -1).movedim(3, 1)


def check_maps(z: Tensor, size: int) -> None:
    """Raise unless z holds a vector of so many numbers for each place of a map."""
    if z.ndim != 4 or z.shape[1] != size:
        raise CourseError(
            f"quantise: z has shape {tuple(z.shape)}; expected (B, {size}, H, W), a vector of "
            f"{size} numbers for each place of the map."
        )


def check_codes(indices: Tensor, codes: int) -> None:
    """Raise unless these are maps of codes, int64 (B, H, W), each from 0 to codes - 1."""
    if indices.dtype != torch.int64 or indices.ndim != 3:
        raise CourseError(
            f"look_up: expected codes, int64 of shape (B, H, W), not {indices.dtype} of "
            f"{tuple(indices.shape)}."
        )
    if indices.device.type == "cpu" and indices.numel():  # elsewhere a look would wait
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= codes:
            raise CourseError(
                f"look_up: the code {low if low < 0 else high} is not between 0 and {codes - 1}."
            )
