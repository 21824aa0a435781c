"""The checks that a student sees: they say at once what is wrong, and hint at why.

`checks.kl_standard_normal(f)` prints "kl-standard-normal: right on 5 of 5." or raises
`CheckFailed` with the likely mistake; a second failure adds a stronger hint. Checks are worth no
points: `engine` says how they work, `vae` holds those of notebook 01.
"""

from __future__ import annotations

from coursekit.checks.engine import forget_failures
from coursekit.checks.findings import CheckFailed
from coursekit.checks.vae import (
    bernoulli_from_logits,
    gaussian_log_density,
    importance_bound,
    kl_standard_normal,
    mixture_prior,
    negative_elbo_bugs,
    one_sample_elbo,
)

__all__ = [
    "CheckFailed",
    "bernoulli_from_logits",
    "forget_failures",
    "gaussian_log_density",
    "importance_bound",
    "kl_standard_normal",
    "mixture_prior",
    "negative_elbo_bugs",
    "one_sample_elbo",
]
