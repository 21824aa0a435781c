"""Checks of notebook 08, a module for each exercise.

A "step" in a hint is one of the numbered steps that stand above the exercise in the notebook.
"""

from __future__ import annotations

from coursekit.checks.vqvae.codebook import ema_codebook
from coursekit.checks.vqvae.loss import vq_loss
from coursekit.checks.vqvae.masks import causal_mask
from coursekit.checks.vqvae.nearest import nearest_code
from coursekit.checks.vqvae.sampling import sample_codes
from coursekit.checks.vqvae.straight import straight_through
from coursekit.checks.vqvae.usage import perplexity

__all__ = [
    "causal_mask",
    "ema_codebook",
    "nearest_code",
    "perplexity",
    "sample_codes",
    "straight_through",
    "vq_loss",
]
