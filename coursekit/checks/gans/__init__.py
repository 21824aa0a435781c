"""Checks of notebook 07, a module for each exercise.

A "step" in a hint is one of the numbered steps that stand above the exercise in the notebook.
"""

from __future__ import annotations

from coursekit.checks.gans.best import optimal_discriminator
from coursekit.checks.gans.game import bilinear_game
from coursekit.checks.gans.generator import generator_losses
from coursekit.checks.gans.judge import discriminator_loss
from coursekit.checks.gans.modes import modes_covered
from coursekit.checks.gans.penalty import gradient_penalty
from coursekit.checks.gans.step import discriminator_step

__all__ = [
    "bilinear_game",
    "discriminator_loss",
    "discriminator_step",
    "generator_losses",
    "gradient_penalty",
    "modes_covered",
    "optimal_discriminator",
]
