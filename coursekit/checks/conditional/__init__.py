"""Checks of notebook 05, a module for each exercise.

A "step" in a hint is one of the numbered steps that stand above the exercise in the notebook.
"""

from __future__ import annotations

from coursekit.checks.conditional.bound import conditional_elbo
from coursekit.checks.conditional.digits import number_labels
from coursekit.checks.conditional.labels import one_hot
from coursekit.checks.conditional.masks import quadrant_masks
from coursekit.checks.conditional.samples import conditioning_bug
from coursekit.checks.conditional.weights import conditional_log_likelihood

__all__ = [
    "conditional_elbo",
    "conditional_log_likelihood",
    "conditioning_bug",
    "number_labels",
    "one_hot",
    "quadrant_masks",
]
