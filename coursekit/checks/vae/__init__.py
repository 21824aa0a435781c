"""Checks of notebook 01, a module for each exercise.

The right values come from torch.distributions. A "step" in a hint is a step of the derivation
that stands above the exercise in the notebook.
"""

from __future__ import annotations

from coursekit.checks.vae.bernoulli import bernoulli_from_logits
from coursekit.checks.vae.divergence import kl_standard_normal
from coursekit.checks.vae.elbo import one_sample_elbo
from coursekit.checks.vae.gaussian import gaussian_log_density
from coursekit.checks.vae.importance import importance_bound
from coursekit.checks.vae.mixture import mixture_prior
from coursekit.checks.vae.negative_elbo import negative_elbo_bugs

__all__ = [
    "bernoulli_from_logits",
    "gaussian_log_density",
    "importance_bound",
    "kl_standard_normal",
    "mixture_prior",
    "negative_elbo_bugs",
    "one_sample_elbo",
]
