"""Recipes of notebook 00: the autoencoder with two codes, and the denoising one."""

from __future__ import annotations

from typing import Any

from coursekit.recipes.plan import Figure, Recipe

_ERROR = "MSE on [0,1]"
_AE: dict[str, Any] = {"latent_size": 2, "hidden": [512, 256, 128]}
_DAE: dict[str, Any] = {"channels": [16, 16, 16], "noise": 0.5}
_AE_FIT: dict[str, Any] = {"epochs": 15, "batch_size": 128, "lr": 2e-3, "schedule": "cosine"}
_DAE_FIT: dict[str, Any] = {"epochs": 20, "batch_size": 64, "lr": 1e-2, "schedule": "cosine"}

AUTOENCODERS: dict[str, Recipe] = {
    "ae-mlp-latent2": Recipe(
        "mlp_autoencoder", _AE, "grey", _AE_FIT, (Figure("test_mse_15_epochs", "loss", _ERROR),),
    ),
    "dae-conv": Recipe(
        "conv_denoiser", _DAE, "grey", _DAE_FIT, (Figure("test_mse_20_epochs", "loss", _ERROR),),
    ),
    "ae-mlp-latent2-digits": Recipe(
        "mlp_autoencoder", _AE | {"hidden": [256, 128]}, "grey", _AE_FIT,
        (Figure("test_mse_15_epochs", "loss", _ERROR),), dataset="digits",
    ),
    "dae-conv-digits": Recipe(
        "conv_denoiser", _DAE, "grey", _DAE_FIT | {"epochs": 6},
        (Figure("test_mse_6_epochs", "loss", _ERROR),), dataset="digits",
    ),
}  # fmt: skip
