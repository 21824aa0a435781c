"""Checks of notebook 02, a module for each exercise.

The right values come from torch.distributions, or from closed forms; both in float64. A "step" in
a hint is a step of the derivation that stands above the exercise in the notebook.
"""

from __future__ import annotations

from coursekit.checks.likelihoods.bernoulli import continuous_bernoulli
from coursekit.checks.likelihoods.beta import beta_bug
from coursekit.checks.likelihoods.bins import categorical_bins
from coursekit.checks.likelihoods.bits import one_scale
from coursekit.checks.likelihoods.draws import gaussian_sample_bug
from coursekit.checks.likelihoods.logistic import discretised_logistic
from coursekit.checks.likelihoods.variance import optimal_variance

__all__ = [
    "beta_bug",
    "categorical_bins",
    "continuous_bernoulli",
    "discretised_logistic",
    "gaussian_sample_bug",
    "one_scale",
    "optimal_variance",
]
