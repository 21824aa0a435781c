"""Inference in latent variable models: bounds on log p(x), and posteriors without an encoder.

`bounds` estimates log p(x) from the prior and with importance weights, `conditional` log p(x|c);
`optimised` finds q(z|x) by gradient ascent on a picture's own ELBO; `gap` measures what the
encoder loses against it; `completion` infers from the part of a picture that is seen, and draws
the rest.
"""

from coursekit.inference.bounds import (
    LatentVariableModel,
    importance_bound,
    log_mean_exp,
    naive_log_prob,
    running_log_mean,
)
from coursekit.inference.completion import Completion, complete
from coursekit.inference.conditional import conditional_log_prob
from coursekit.inference.gap import Gap, inference_gap, mean_and_interval
from coursekit.inference.optimised import DiagonalGaussian, Inferred, elbo, infer

__all__ = [
    "Completion",
    "DiagonalGaussian",
    "Gap",
    "Inferred",
    "LatentVariableModel",
    "complete",
    "conditional_log_prob",
    "elbo",
    "importance_bound",
    "infer",
    "inference_gap",
    "log_mean_exp",
    "mean_and_interval",
    "naive_log_prob",
    "running_log_mean",
]
