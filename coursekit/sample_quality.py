"""How good generated pictures are, in numbers: distances between features, coverage, confidence.

No single number says it all: the Frechet distance mixes quality and variety, precision and recall
take them apart, a classifier's confidence does not see pictures that are all alike.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from coursekit.errors import CourseError


class FeatureNetwork(Protocol):
    """What features are taken from: the course's digit classifier, for one."""

    training: bool

    def features(self, x: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1] -> (B, F)."""
        ...


@torch.no_grad()
def features_of(judge_net: FeatureNetwork, pictures: Tensor, chunk: int = 1000) -> Tensor:
    """What the last layer of a trained classifier sees in each picture.

    Args:
        judge_net: a classifier in evaluation mode.
        pictures: (N, C, H, W) floats in [0, 1].
        chunk: pictures at a time.

    Returns:
        (N, F).

    Raises:
        CourseError: in training mode, in which dropout and batches would change the answer.
    """
    if judge_net.training:
        raise CourseError("The classifier is in training mode; call model.eval() first.")
    return torch.cat([judge_net.features(part) for part in pictures.split(chunk)])


def _check_pair(where: str, a: Tensor, b: Tensor, least: int) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise CourseError(
            f"{where}: the features have shapes {tuple(a.shape)} and {tuple(b.shape)}; give "
            "(N, F) and (M, F)."
        )
    if min(len(a), len(b)) < least:
        raise CourseError(
            f"{where}: {len(a)} and {len(b)} pictures were given; at least {least} of each are "
            "needed."
        )


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared Frechet distance between the Gaussians that fit two sets of features.

    |mu_a - mu_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)), with means mu and covariances S (divided
    by N - 1), in double precision. With few pictures it comes out too
    large: compare only distances measured with as many pictures.

    Args:
        a: features of one set, (N, F).
        b: features of the other, (M, F).

    Returns:
        The distance, in units of the features squared; 0 for equal means and covariances.

    Raises:
        CourseError: if the shapes do not fit, there are fewer than 2 pictures, or a feature is
            not finite.

    Source: Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium (2017), equation 6.

    Example:
        >>> points = torch.tensor([[0.0], [2.0]])
        >>> frechet_distance(points, points + 3)
        9.0
    """
    _check_pair("frechet_distance", a, b, 2)
    a, b = a.double(), b.double()
    if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        raise CourseError("frechet_distance: a feature is not a finite number; look at the model.")
    cov_a, cov_b = torch.cov(a.T).reshape(2 * a.shape[1:]), torch.cov(b.T).reshape(2 * b.shape[1:])
    # S_a S_b has the eigenvalues of R S_b R with R = S_a^(1/2), which is symmetric: no complex
    # numbers can arise, and features that never vary do no harm
    values, vectors = torch.linalg.eigh(cov_a)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return max(distance.item(), 0.0)


def _kth_neighbour(features: Tensor, k: int, chunk: int) -> Tensor:
    """Distance of each row to its k-th nearest other row, (N,)."""
    radii = []
    for start in range(0, len(features), chunk):
        distance = torch.cdist(features[start : start + chunk], features)
        rows = torch.arange(len(distance), device=features.device)
        distance[rows, rows + start] = math.inf  # nobody is a neighbour of himself
        radii.append(distance.kthvalue(k, dim=1).values)
    return torch.cat(radii)


def _share_inside(points: Tensor, centres: Tensor, radii: Tensor, chunk: int) -> float:
    inside = [(torch.cdist(part, centres) <= radii).any(dim=1) for part in points.split(chunk)]
    return torch.cat(inside).double().mean().item()


def precision_recall(
    real: Tensor, fake: Tensor, k: int = 3, chunk: int = 1000
) -> tuple[float, float]:
    """Share of generated pictures that look real, and of real ones that could be generated.

    A set of pictures stands for the region that its balls cover: around each picture one that
    reaches to its k-th nearest neighbour of the same set. Precision: the share of generated
    pictures in the real ones' region; recall: of real pictures in the generated ones' region.

    Args:
        real: features of real pictures, (N, F).
        fake: features of generated ones, (M, F).
        k: which neighbour.
        chunk: rows at a time; it bounds the memory.

    Returns:
        Precision and recall, both in [0, 1].

    Raises:
        CourseError: if the shapes do not fit, or there are not k + 1 pictures in both sets.

    Source: Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative
    Models (2019), section 2.

    Example:
        >>> real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
        >>> precision_recall(real, torch.tensor([[0.5], [0.6], [9.0], [9.5]]), k=1)
        (0.5, 0.0)
    """
    if k < 1:
        raise CourseError(f"precision_recall: k is {k}; it must be at least 1.")
    _check_pair("precision_recall", real, fake, k + 1)
    fake = fake.to(real.dtype)
    precision = _share_inside(fake, real, _kth_neighbour(real, k, chunk), chunk)
    recall = _share_inside(real, fake, _kth_neighbour(fake, k, chunk), chunk)
    return precision, recall


def classifier_score(probabilities: Tensor) -> float:
    """How sure a classifier is of each picture, and how varied its answers are, in one number.

    exp( E_x KL(p(y|x) || p(y)) ), p(y) the mean over the pictures: 1 if all answers are alike,
    the number of classes if each answer is certain and all classes are equally frequent. It does
    not look at real pictures at all.

    Args:
        probabilities: p(y|x), (N, classes), rows that sum to 1.

    Returns:
        A number from 1 to the number of classes.

    Raises:
        CourseError: if the rows are not probabilities.

    Source: Salimans et al., Improved Techniques for Training GANs (2016), section 4.

    Example:
        >>> classifier_score(torch.eye(4))
        4.0
    """
    p = probabilities.double()
    if p.ndim != 2 or len(p) == 0 or (p < 0).any() or ((p.sum(dim=1) - 1).abs() > 1e-3).any():
        raise CourseError(
            "classifier_score takes p(y|x), (N, classes), rows that sum to 1; for logits call "
            "torch.softmax(logits, dim=1) first."
        )
    mean = p.mean(dim=0)
    kl = torch.special.xlogy(p, p) - torch.special.xlogy(p, mean)
    return math.exp(kl.sum(dim=1).mean().item())


def class_shares(labels: Tensor, classes: int) -> Tensor:
    """Share of each class among labels, (classes,), which sum to 1.

    Example:
        >>> class_shares(torch.tensor([0, 2, 2, 2]), 3).tolist()
        [0.25, 0.0, 0.75]
    """
    if len(labels) == 0 or int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise CourseError(f"class_shares takes one label or more, each from 0 to {classes - 1}.")
    return torch.bincount(labels, minlength=classes).double() / len(labels)


def classes_covered(shares: Tensor, wanted: Tensor, factor: float = 1.5) -> int:
    """Count the classes whose share is within a factor of the one that real pictures have.

    Args:
        shares: of the generated pictures, (classes,).
        wanted: of the real ones, (classes,).
        factor: at least 1.
    """
    factor *= 1 + 1e-9  # a share that is exactly at the limit is not lost to rounding
    return int(((shares <= factor * wanted) & (shares * factor >= wanted)).sum())


def confident_share(confidences: Tensor, above: float = 0.5) -> float:
    """Share of pictures whose most probable class has a probability above this.

    Example:
        >>> confident_share(torch.tensor([0.5, 0.9, 0.4, 0.8]))
        0.5
    """
    if len(confidences) == 0:
        raise CourseError("confident_share needs the confidence of at least one picture.")
    return (confidences > above).double().mean().item()


def modes_covered(points: Tensor, centres: Tensor, radius: float, least: int) -> tuple[int, float]:
    """Count the modes that points cover: what mode collapse leaves of them.

    Args:
        points: (N, 2).
        centres: of the modes, (M, 2).
        radius: a point counts for its nearest centre if it lies no further away than this.
        least: a mode is covered if so many points count for it.

    Returns:
        How many modes are covered, and the share of points that count.

    Example:
        >>> centres = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
        >>> modes_covered(torch.tensor([[0.1, 0.0], [2.0, 0.0]]), centres, radius=1.0, least=1)
        (1, 0.5)
    """
    distance, nearest = torch.cdist(points, centres).min(dim=1)
    inside = distance <= radius
    counts = torch.bincount(nearest[inside], minlength=len(centres))
    return int((counts >= least).sum()), inside.double().mean().item()
