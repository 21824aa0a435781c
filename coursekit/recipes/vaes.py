"""Recipes of notebook 01, and of the two-dimensional VAE that notebooks 00 and 03 show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coursekit.recipes.plan import COSINE, FRECHET, IWAE, NELBO, Figure, Recipe

_MLP: dict[str, Any] = {"latent_size": 20, "hidden": [512, 512]}
_CONV: dict[str, Any] = {"latent_size": 16, "channels": [32, 64], "hidden": [512, 512]}
_SMALL_CONV: dict[str, Any] = {"latent_size": 16, "channels": [16, 32], "hidden": [256]}
_PROBE = Figure("linear_probe_accuracy", "linear-probe", "fraction")
_PROBE16 = replace(_PROBE, key="latent16/linear_probe_accuracy")

VAES: dict[str, Recipe] = {
    "vae-mlp-thresholded": Recipe(
        "mlp_vae", _MLP, "threshold", COSINE | {"epochs": 80, "lr": 1e-3},
        (Figure("train_bpd", "train", "bits/dim"), Figure("test_bpd", "nelbo", "bits/dim")),
    ),
    "vae-fc-grey": Recipe(
        "mlp_vae", {"latent_size": 16, "hidden": [512, 512]}, "grey",
        {"epochs": 10, "batch_size": 64, "lr": 1e-3, "schedule": "cosine"},
        (Figure("train_loss_10_epochs", "train", epoch=10), NELBO), seeds=3, ships=False,
    ),
    "vae-mog-dynamic": Recipe(
        "mlp_vae",
        {"latent_size": 40, "hidden": [512, 512], "prior": "mixture", "components": 100},
        "dynamic", COSINE | {"epochs": 130, "lr": 1e-3}, (NELBO, IWAE),
    ),
    "vae-conv-dynamic": Recipe(
        "conv_vae", _CONV, "dynamic", COSINE | {"epochs": 50, "lr": 2e-3},
        (NELBO, IWAE, _PROBE, *FRECHET),
    ),
    "vae-mlp-latent2": Recipe(
        "mlp_vae", {"latent_size": 2, "hidden": [256, 256]}, "dynamic",
        COSINE | {"epochs": 40, "lr": 1e-3}, (NELBO,),
    ),
    "vae-mog-latent16": Recipe(
        "conv_vae", _SMALL_CONV | {"prior": "mixture", "components": 150}, "grey",
        COSINE | {"epochs": 30, "lr": 2e-3}, (NELBO, _PROBE16), ships=False,
    ),
    "vae-mlp-thresholded-digits": Recipe(
        "mlp_vae", {"latent_size": 20, "hidden": [128, 128]}, "threshold",
        COSINE | {"epochs": 20, "lr": 1e-3},
        (Figure("train_bpd", "train", "bits/dim"), Figure("test_bpd", "nelbo", "bits/dim")),
        dataset="digits",
    ),
    "vae-fc-grey-digits": Recipe(
        "mlp_vae", {"latent_size": 16, "hidden": [256, 256]}, "grey",
        COSINE | {"epochs": 10, "lr": 1e-3},
        (Figure("train_loss_10_epochs", "train", epoch=10), NELBO), dataset="digits", ships=False,
    ),
    "vae-mog-dynamic-digits": Recipe(
        "mlp_vae",
        {"latent_size": 20, "hidden": [128, 128], "prior": "mixture", "components": 16},
        "dynamic", COSINE | {"epochs": 20, "lr": 1e-3}, (NELBO,), dataset="digits",
    ),
    "vae-conv-dynamic-digits": Recipe(
        "conv_vae", _SMALL_CONV, "dynamic", COSINE | {"epochs": 15, "lr": 2e-3},
        (NELBO, *FRECHET),
        dataset="digits",
    ),
    "vae-mlp-latent2-digits": Recipe(
        "mlp_vae", {"latent_size": 2, "hidden": [128, 128]}, "dynamic",
        COSINE | {"epochs": 20, "lr": 1e-3}, (NELBO,), dataset="digits",
    ),
}  # fmt: skip
