"""Checks of notebook 06, a module for each exercise.

A "step" in a hint is one of the numbered steps that stand above the exercise in the notebook.
"""

from __future__ import annotations

from coursekit.checks.flows.bits import bits_of_the_picture
from coursekit.checks.flows.coupling import affine_coupling
from coursekit.checks.flows.density import change_of_variables
from coursekit.checks.flows.labels import label_free_density
from coursekit.checks.flows.logit import logit_preprocessing
from coursekit.checks.flows.loss import flow_loss_bug
from coursekit.checks.flows.paths import three_paths

__all__ = [
    "affine_coupling",
    "bits_of_the_picture",
    "change_of_variables",
    "flow_loss_bug",
    "label_free_density",
    "logit_preprocessing",
    "three_paths",
]
