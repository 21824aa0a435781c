"""Checks of notebook 00, a module for each exercise."""

from __future__ import annotations

from coursekit.checks.autoencoders.denoising import denoising_bug
from coursekit.checks.autoencoders.parameters import autoencoder_parameters
from coursekit.checks.autoencoders.principal import pca_reconstruction
from coursekit.checks.autoencoders.reconstruction import reconstruction_error
from coursekit.checks.autoencoders.sizes import convolution_sizes

__all__ = [
    "autoencoder_parameters",
    "convolution_sizes",
    "denoising_bug",
    "pca_reconstruction",
    "reconstruction_error",
]
