"""Checks of notebook 03, a module for each exercise.

The right values are worked out in float64, another way than the notebook's own solutions.
"""

from __future__ import annotations

from coursekit.checks.latents.aggregate import aggregate_density
from coursekit.checks.latents.attribute import attribute_vector
from coursekit.checks.latents.confusion import confusion
from coursekit.checks.latents.factors import factor_prediction
from coursekit.checks.latents.manifold import manifold_grid
from coursekit.checks.latents.neighbours import neighbours_bug
from coursekit.checks.latents.spherical import spherical_interpolation

__all__ = [
    "aggregate_density",
    "attribute_vector",
    "confusion",
    "factor_prediction",
    "manifold_grid",
    "neighbours_bug",
    "spherical_interpolation",
]
