"""The likelihoods under the names that builders, tables and checkpoints call them by."""

from __future__ import annotations

from collections.abc import Callable

from coursekit.errors import CourseError
from coursekit.likelihoods.base import Likelihood
from coursekit.likelihoods.beta import Beta
from coursekit.likelihoods.categorical import Categorical
from coursekit.likelihoods.gaussian import Gaussian
from coursekit.likelihoods.logistic import DiscretisedLogistic, LogisticMixture
from coursekit.likelihoods.unit import Bernoulli, ContinuousBernoulli

LIKELIHOODS: dict[str, Callable[[], Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous-bernoulli": ContinuousBernoulli,
    "gaussian-per-pixel": lambda: Gaussian("per-pixel"),
    "gaussian-shared": lambda: Gaussian("shared"),
    "gaussian-optimal": lambda: Gaussian("optimal"),
    "beta": Beta,
    "categorical-4": lambda: Categorical(4),
    "categorical-256": lambda: Categorical(256),
    "discretised-logistic": DiscretisedLogistic,
    "logistic-mixture": LogisticMixture,
}


def likelihood(kind: Likelihood | str | None) -> Likelihood:
    """Make a likelihood from its name.

    Args:
        kind: a key of `LIKELIHOODS`; a likelihood, which is given back as it is; or None for
            the Bernoulli.

    Raises:
        CourseError: naming the likelihoods there are.

    Example:
        >>> likelihood("categorical-4").params_per_channel
        4
    """
    if isinstance(kind, Likelihood):
        return kind
    name = "bernoulli" if kind is None else kind
    if name not in LIKELIHOODS:
        raise CourseError(
            f"There is no likelihood {name!r}; the likelihoods are {', '.join(LIKELIHOODS)}."
        )
    return LIKELIHOODS[name]()
