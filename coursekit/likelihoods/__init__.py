"""Log-densities, and the family of likelihoods p(x|z) that a decoder can end in.

`densities` holds the formulas for Gaussian and binary values and their divergences; `base` the
contract of a likelihood; `unit`, `gaussian`, `beta`, `categorical` and `logistic` its members;
`family` their names. A log-density is summed over all dimensions but the first and comes in
nats, shape (B,).
"""

from coursekit.likelihoods.base import Likelihood
from coursekit.likelihoods.beta import Beta
from coursekit.likelihoods.categorical import Categorical
from coursekit.likelihoods.densities import (
    LOG_2PI,
    bernoulli_log_prob,
    bits_per_dim,
    gaussian_log_prob,
    kl_gaussians,
    kl_standard_normal,
    sum_per_example,
)
from coursekit.likelihoods.family import LIKELIHOODS, likelihood
from coursekit.likelihoods.gaussian import Gaussian
from coursekit.likelihoods.logistic import (
    DiscretisedLogistic,
    LogisticMixture,
    logistic_log_mass,
)
from coursekit.likelihoods.unit import Bernoulli, ContinuousBernoulli

__all__ = [
    "LIKELIHOODS",
    "LOG_2PI",
    "Bernoulli",
    "Beta",
    "Categorical",
    "ContinuousBernoulli",
    "DiscretisedLogistic",
    "Gaussian",
    "Likelihood",
    "LogisticMixture",
    "bernoulli_log_prob",
    "bits_per_dim",
    "gaussian_log_prob",
    "kl_gaussians",
    "kl_standard_normal",
    "likelihood",
    "logistic_log_mass",
    "sum_per_example",
]
