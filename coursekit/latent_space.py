"""Measurements in a latent space: axes, paths, neighbours, the aggregate posterior, factors.

All functions take tensors of latents (or pictures), never a model.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.likelihoods import LOG_2PI


def _check_latents(name: str, **latents: Tensor) -> None:
    for what, z in latents.items():
        if z.ndim != 2 or len(z) == 0:
            raise CourseError(
                f"{name}: {what} has shape {tuple(z.shape)}; give (N, K) with N at least 1."
            )
    widths = {z.shape[1] for z in latents.values()}
    if len(widths) > 1:
        shapes = ", ".join(f"{what} {tuple(z.shape)}" for what, z in latents.items())
        raise CourseError(f"{name}: all latents need the same K, but the shapes are {shapes}.")


def principal_axes(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The principal axes of latents: where they are centred and how they spread.

    The directions are the eigenvectors of the covariance, the widest first, each with its largest
    component positive. A latent z has the coordinates (z - mean) @ directions.T.

    Args:
        points: (N, K) latents, N at least 2.

    Returns:
        The mean (K,); the directions, one a row, (K, K); each one's share of the variance, (K,).

    Raises:
        CourseError: a wrong shape, fewer than 2 points, or values that are not finite.

    Example:
        >>> _, directions, shares = principal_axes(torch.tensor([[0.0, 2.0], [0.0, -2.0]]))
        >>> directions[0].tolist(), shares.tolist()
        ([0.0, 1.0], [1.0, 0.0])
    """
    if points.ndim != 2 or len(points) < 2 or points.shape[1] < 1:
        raise CourseError(
            "points must be latents of shape (N, K) with N at least 2, "
            f"not of shape {tuple(points.shape)}."
        )
    if not torch.isfinite(points).all():
        raise CourseError("points holds values that are not finite; did the training diverge?")
    exact = points.detach().cpu().double()
    mean = exact.mean(dim=0)
    covariance = (exact - mean).T @ (exact - mean) / len(exact)
    variances, vectors = torch.linalg.eigh(covariance)
    variances, directions = variances.flip(0).clamp(min=0), vectors.T.flip(0)
    largest = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True))
    directions = directions * largest.sign()
    shares = variances / variances.sum().clamp(min=1e-12)
    return mean.float(), directions.float() + 0.0, shares.float()


def slerp(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """Spherical interpolation: along the arc from a to b in the plane that both span.

    z(w) = sin((1 - w) t) / sin(t) a + sin(w t) / sin(t) b, t the angle between a and b. Where they
    are nearly parallel, or one of them is 0, there is no arc: (1 - w) a + w b is returned. The
    angle is worked out in float64: in float32 the cosine of opposite vectors rounds by 6e-8, and
    the sine of its angle comes out near 3e-4.

    Args:
        a: (K,) where the path begins.
        b: (K,) where it ends.
        weights: (T,) places on the path, 0 at a and 1 at b.

    Returns:
        (T, K).

    Raises:
        CourseError: a and b of another shape than (K,).

    Source: Shoemake, Animating rotation with quaternion curves (1985).

    Example:
        >>> middle = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([0.5]))
        >>> round(middle.norm().item(), 6)
        1.0
    """
    if a.ndim != 1 or a.shape != b.shape:
        raise CourseError(
            f"slerp: a and b have shapes {tuple(a.shape)} and {tuple(b.shape)}; give (K,) twice."
        )
    w = weights[:, None]
    if not a.any() or not b.any():
        return (1 - w) * a + w * b
    first, second = a.cpu().double(), b.cpu().double()  # not every device knows float64
    cosine = (first @ second) / (first.norm() * second.norm()).clamp(min=1e-30)
    angle = torch.acos(cosine.clamp(-1, 1))
    if torch.sin(angle) < 1e-6:
        return (1 - w) * a + w * b
    return (torch.sin((1 - w) * angle) * a + torch.sin(w * angle) * b) / torch.sin(angle)


def neighbour_confusion(z: Tensor, labels: Tensor, classes: int, chunk: int = 1000) -> Tensor:
    """Leave-one-out nearest neighbours: which class lies next to which.

    Entry [i, j] is the share of the points of class i whose nearest other point has class j.

    Args:
        z: (N, K) points, N at least 2.
        labels: (N,) class indices below `classes`.
        classes: how many classes there are.
        chunk: points compared at a time.

    Returns:
        (classes, classes); rows sum to 1, a class without points has a row of zeros.

    Raises:
        CourseError: wrong shapes, one point, or a label out of range.

    Example:
        >>> z = torch.tensor([[0.0], [1.0], [3.0], [3.5]])
        >>> neighbour_confusion(z, torch.tensor([0, 1, 1, 1]), 2).tolist()
        [[0.0, 1.0], [0.3333333432674408, 0.6666666865348816]]
    """
    _check_latents("neighbour_confusion", z=z)
    if len(z) < 2 or labels.shape != z.shape[:1]:
        raise CourseError(
            f"neighbour_confusion: z has shape {tuple(z.shape)} and labels {tuple(labels.shape)}; "
            "give (N, K) and (N,), N at least 2."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise CourseError(f"neighbour_confusion: labels must lie between 0 and {classes - 1}.")
    nearest = []
    for start in range(0, len(z), chunk):
        part = z[start : start + chunk]
        distances = torch.cdist(part, z, compute_mode="donot_use_mm_for_euclid_dist")
        own = torch.arange(len(part), device=z.device)
        distances[own, start + own] = math.inf
        nearest.append(distances.argmin(dim=1))
    counts = torch.zeros(classes, classes, device=z.device)
    pairs = labels * classes + labels[torch.cat(nearest)]
    counts.view(-1).index_add_(0, pairs, torch.ones(len(z), device=z.device))
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)


def aggregate_log_density(z: Tensor, mu: Tensor, log_var: Tensor, chunk: int = 500) -> Tensor:
    """Log-density of the aggregate posterior: the encoder's answers to N pictures, mixed evenly.

    log q(z) = log 1/N sum_n N(z; mu_n, diag exp(log_var_n))

    Args:
        z: (B, K) places.
        mu: (N, K) posterior means.
        log_var: (N, K) logarithms of the posterior variances.
        chunk: places at a time; it bounds the memory.

    Returns:
        Nats, (B,).

    Raises:
        CourseError: wrong shapes.

    Source: Hoffman and Johnson, ELBO surgery (2016).

    Example:
        >>> zero = torch.zeros(1, 1)
        >>> aggregate_log_density(zero, zero, zero)
        tensor([-0.9189])
    """
    _check_latents("aggregate_log_density", z=z, mu=mu)
    if mu.shape != log_var.shape:
        raise CourseError(
            f"aggregate_log_density: mu has shape {tuple(mu.shape)} and log_var "
            f"{tuple(log_var.shape)}; give both the same."
        )
    # in double precision the square may be multiplied out, which turns the work into two products
    exact, centres, spread = z.double(), mu.double(), log_var.double()
    precision = torch.exp(-spread)
    constant = -0.5 * (spread.sum(dim=1) + mu.shape[1] * LOG_2PI) - math.log(len(mu))
    own = (centres.square() * precision).sum(dim=1)
    values = []
    for part in exact.split(chunk):
        squares = part.square() @ precision.T - 2 * part @ (centres * precision).T + own
        values.append(torch.logsumexp(constant - 0.5 * squares.clamp(min=0), dim=1))
    return torch.cat(values).to(z.dtype)


def attribute_vector(z: Tensor, has: Tensor) -> Tensor:
    """The direction of an attribute: the mean of z with it, minus the mean of z without it.

    Args:
        z: (N, K) latents.
        has: (N,) bool, whether each picture has the attribute; some do and some do not.

    Returns:
        (K,).

    Raises:
        CourseError: wrong shapes, or an attribute that all or none have.

    Source: Larsen et al., Autoencoding beyond pixels using a learned similarity metric (2016).

    Example:
        >>> attribute_vector(torch.tensor([[1.0], [3.0], [0.0]]), torch.tensor([True, True, False]))
        tensor([2.])
    """
    _check_latents("attribute_vector", z=z)
    if has.shape != z.shape[:1] or has.dtype != torch.bool:
        raise CourseError(
            f"attribute_vector: has is {has.dtype} of shape {tuple(has.shape)}; give bool of "
            f"shape ({len(z)},)."
        )
    if has.all() or not has.any():
        raise CourseError("attribute_vector: all or none have the attribute; it has no opposite.")
    return z[has].mean(dim=0) - z[~has].mean(dim=0)


def squared_correlations(z: Tensor, factor: Tensor) -> Tensor:
    """Squared Pearson correlation of each latent with a factor.

    Args:
        z: (N, K) latents.
        factor: (N,) a number for each picture.

    Returns:
        (K,), between 0 and 1; 0 where a latent, or the factor, never varies.

    Raises:
        CourseError: wrong shapes.

    Example:
        >>> z = torch.tensor([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
        >>> squared_correlations(z, torch.tensor([-1.0, -2.0, -3.0]))
        tensor([1., 0.])
    """
    _check_latents("squared_correlations", z=z)
    if factor.shape != z.shape[:1]:
        raise CourseError(
            f"squared_correlations: factor has shape {tuple(factor.shape)}; give ({len(z)},)."
        )
    varies = (z != z[:1]).any(dim=0) & (factor != factor[0]).any()
    exact, other = z.double(), factor.double()
    exact, other = exact - exact.mean(dim=0), other - other.mean()
    variances = exact.square().sum(dim=0) * other.square().sum()
    shared = (exact * other[:, None]).sum(dim=0).square()
    return torch.where(varies, shared / variances.clamp(min=1e-300), 0.0).to(z.dtype)


def nearest_training(samples: Tensor, train: Tensor, chunk: int = 5000) -> tuple[Tensor, Tensor]:
    """The training picture nearest to each sample, by the mean squared difference of pixels.

    Args:
        samples: (B, C, H, W) floats in [0, 1].
        train: (N, C, H, W), uint8 as stored, or floats in [0, 1].
        chunk: training pictures compared at a time.

    Returns:
        Index of the nearest training picture, int64 (B,), and the root of the mean squared
        difference from it, (B,), in units of the grey range.

    Raises:
        CourseError: pictures of different shapes, or samples that are not floats.

    Example:
        >>> train = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
        >>> index, distance = nearest_training(torch.full((1, 1, 1, 1), 0.75), train)
        >>> index.item(), distance.item()
        (1, 0.25)
    """
    if samples.ndim != 4 or samples.shape[1:] != train.shape[1:] or len(train) == 0:
        raise CourseError(
            f"nearest_training: the pictures have shapes {tuple(samples.shape)} and "
            f"{tuple(train.shape)}; give (B, C, H, W) and (N, C, H, W) of the same size."
        )
    if not samples.is_floating_point():
        raise CourseError("nearest_training: give the samples as floats in [0, 1].")
    flat = samples.flatten(1)
    own = flat.square().sum(dim=1)
    best = torch.full((len(flat),), math.inf, device=flat.device)
    index = torch.zeros(len(flat), dtype=torch.long, device=flat.device)
    for start in range(0, len(train), chunk):
        part = train[start : start + chunk].flatten(1).to(flat.dtype)
        part = part / 255 if train.dtype == torch.uint8 else part
        squares = own[:, None] - 2 * flat @ part.T + part.square().sum(dim=1)
        least, where = squares.min(dim=1)
        nearer = least < best
        best = torch.where(nearer, least, best)
        index = torch.where(nearer, start + where, index)
    return index, (best.clamp(min=0) / flat.shape[1]).sqrt()
