"""Probes: how much of a known quantity can be read off latents with straight lines.

A probe is fitted on latents of training pictures and scored on those of test pictures. It is
linear, so that what it finds lies open in the latents and is not worked out by the probe.
"""

from __future__ import annotations

import torch
from torch import Tensor

from coursekit.errors import CourseError


def _checked(train_z: Tensor, train_y: Tensor, test_z: Tensor, test_y: Tensor, name: str) -> None:
    for z, y, split in ((train_z, train_y, "train"), (test_z, test_y, "test")):
        if z.ndim != 2 or len(z) < 2 or y.shape != z.shape[:1]:
            raise CourseError(
                f"{name}: the {split} latents have shape {tuple(z.shape)} and what is to be read "
                f"off them {tuple(y.shape)}; give (N, K) and (N,), N at least 2."
            )
        if not torch.isfinite(z).all():
            raise CourseError(
                f"{name}: the {split} latents hold values that are not finite; did the training "
                "diverge?"
            )
    if train_z.shape[1] != test_z.shape[1]:
        raise CourseError(
            f"{name}: {train_z.shape[1]} latents in training and {test_z.shape[1]} in the test; "
            "give both the same."
        )


def linear_probe(
    train_z: Tensor, train_labels: Tensor, test_z: Tensor, test_labels: Tensor
) -> float:
    """Accuracy of a logistic regression from latents to classes, on pictures it has not seen.

    The latents are standardised with the training latents' means and deviations, so that the
    weak penalty of scikit-learn's LogisticRegression treats all of them alike.

    Args:
        train_z: (N, K) latents of training pictures, such as posterior means.
        train_labels: (N,) their classes, at least two different ones.
        test_z: (M, K) latents of test pictures.
        test_labels: (M,) their classes.

    Returns:
        The share of test pictures whose class is found, between 0 and 1; the same at every call.

    Raises:
        CourseError: wrong shapes, values that are not finite, or only one class.

    Source: Alain and Bengio, Understanding intermediate layers using linear classifier probes
        (2016).

    Example:
        >>> z = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]])
        >>> y = torch.tensor([0, 0, 1, 1])
        >>> linear_probe(z, y, z, y)
        1.0
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _checked(train_z, train_labels, test_z, test_labels, "linear_probe")
    if len(train_labels.unique()) < 2:
        raise CourseError("linear_probe: the training labels hold one class only; give two.")
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    probe.fit(train_z.detach().cpu().double().numpy(), train_labels.cpu().numpy())
    found = probe.predict(test_z.detach().cpu().double().numpy())
    return float((found == test_labels.cpu().numpy()).mean())


def regression_probe(
    train_z: Tensor, train_factor: Tensor, test_z: Tensor, test_factor: Tensor
) -> float:
    """R^2 of a linear regression from latents to a number, on pictures it has not seen.

    R^2 = 1 - sum (f - prediction)^2 / sum (f - mean f)^2, over the test pictures: 1 for a perfect
    prediction, 0 for one no better than their mean, below 0 for a worse one.

    Args:
        train_z: (N, K) latents of training pictures.
        train_factor: (N,) the number that belongs to each, such as a slant.
        test_z: (M, K) latents of test pictures.
        test_factor: (M,) their numbers, not all the same.

    Returns:
        R^2.

    Raises:
        CourseError: wrong shapes, values that are not finite, or a factor that never varies.

    Example:
        >>> z = torch.tensor([[0.0], [1.0], [2.0]])
        >>> round(regression_probe(z, 3 * z[:, 0] + 1, z, 3 * z[:, 0] + 1), 6)
        1.0
    """
    from sklearn.linear_model import LinearRegression

    _checked(train_z, train_factor, test_z, test_factor, "regression_probe")
    wanted = test_factor.detach().cpu().double()
    if (wanted == wanted[0]).all():
        raise CourseError(
            "regression_probe: the factor is the same for all test pictures, so there is nothing "
            "to predict."
        )
    line = LinearRegression().fit(
        train_z.detach().cpu().double().numpy(), train_factor.detach().cpu().double().numpy()
    )
    return float(line.score(test_z.detach().cpu().double().numpy(), wanted.numpy()))
