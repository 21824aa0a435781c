"""The checks that a student sees: they say at once what is wrong, and hint at why.

`checks.kl_standard_normal(f)` prints "kl-standard-normal: right on 5 of 5." or raises
`CheckFailed` with the likely mistake; a second failure adds a stronger hint. Checks are worth no
points: `engine` says how they work, `autoencoders` holds those of notebook 00, `vae` those
of 01, `likelihoods` those of 02, `latents` those of 03, `inference` those of 04, `conditional`
those of 05, `flows` those of 06, `gans` those of 07, `vqvae` those of 08.
"""

from __future__ import annotations

from coursekit.checks.autoencoders import (
    autoencoder_parameters,
    convolution_sizes,
    denoising_bug,
    pca_reconstruction,
    reconstruction_error,
)
from coursekit.checks.conditional import (
    conditional_elbo,
    conditional_log_likelihood,
    conditioning_bug,
    number_labels,
    one_hot,
    quadrant_masks,
)
from coursekit.checks.engine import forget_failures
from coursekit.checks.findings import CheckFailed
from coursekit.checks.flows import (
    affine_coupling,
    bits_of_the_picture,
    change_of_variables,
    flow_loss_bug,
    label_free_density,
    logit_preprocessing,
    three_paths,
)
from coursekit.checks.gans import (
    bilinear_game,
    discriminator_loss,
    discriminator_step,
    generator_losses,
    gradient_penalty,
    modes_covered,
    optimal_discriminator,
)
from coursekit.checks.inference import (
    frozen_decoder_bug,
    keep_best,
    masked_log_likelihood,
    optimise_posterior,
    picture_elbo,
    two_gaps,
)
from coursekit.checks.latents import (
    aggregate_density,
    attribute_vector,
    confusion,
    factor_prediction,
    manifold_grid,
    neighbours_bug,
    spherical_interpolation,
)
from coursekit.checks.likelihoods import (
    beta_bug,
    categorical_bins,
    continuous_bernoulli,
    discretised_logistic,
    gaussian_sample_bug,
    one_scale,
    optimal_variance,
)
from coursekit.checks.vae import (
    bernoulli_from_logits,
    gaussian_log_density,
    importance_bound,
    kl_standard_normal,
    mixture_prior,
    negative_elbo_bugs,
    one_sample_elbo,
)
from coursekit.checks.vqvae import (
    causal_mask,
    ema_codebook,
    nearest_code,
    perplexity,
    sample_codes,
    straight_through,
    vq_loss,
)

__all__ = [
    "CheckFailed",
    "affine_coupling",
    "aggregate_density",
    "attribute_vector",
    "autoencoder_parameters",
    "bernoulli_from_logits",
    "beta_bug",
    "bilinear_game",
    "bits_of_the_picture",
    "categorical_bins",
    "causal_mask",
    "change_of_variables",
    "conditional_elbo",
    "conditional_log_likelihood",
    "conditioning_bug",
    "confusion",
    "continuous_bernoulli",
    "convolution_sizes",
    "denoising_bug",
    "discretised_logistic",
    "discriminator_loss",
    "discriminator_step",
    "ema_codebook",
    "factor_prediction",
    "flow_loss_bug",
    "forget_failures",
    "frozen_decoder_bug",
    "gaussian_log_density",
    "gaussian_sample_bug",
    "generator_losses",
    "gradient_penalty",
    "importance_bound",
    "keep_best",
    "kl_standard_normal",
    "label_free_density",
    "logit_preprocessing",
    "manifold_grid",
    "masked_log_likelihood",
    "mixture_prior",
    "modes_covered",
    "nearest_code",
    "negative_elbo_bugs",
    "neighbours_bug",
    "number_labels",
    "one_hot",
    "one_sample_elbo",
    "one_scale",
    "optimal_discriminator",
    "optimal_variance",
    "optimise_posterior",
    "pca_reconstruction",
    "perplexity",
    "picture_elbo",
    "quadrant_masks",
    "reconstruction_error",
    "sample_codes",
    "spherical_interpolation",
    "straight_through",
    "three_paths",
    "two_gaps",
    "vq_loss",
]
