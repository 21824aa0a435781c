"""Checks of notebook 04, a module for each exercise."""

from __future__ import annotations

from coursekit.checks.inference.ascent import optimise_posterior
from coursekit.checks.inference.best import keep_best
from coursekit.checks.inference.frozen import frozen_decoder_bug
from coursekit.checks.inference.gaps import two_gaps
from coursekit.checks.inference.masked import masked_log_likelihood
from coursekit.checks.inference.picture import picture_elbo

__all__ = [
    "frozen_decoder_bug",
    "keep_best",
    "masked_log_likelihood",
    "optimise_posterior",
    "picture_elbo",
    "two_gaps",
]
