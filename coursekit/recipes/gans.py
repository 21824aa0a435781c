"""Recipes of notebook 07: a fully connected GAN, and a convolutional one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coursekit.recipes.plan import FRECHET, Figure, Recipe

_FIGURES = (
    *FRECHET,
    Figure("frechet_ratio_to_conv_vae", "frechet-to-vae", "ratio"),
    Figure("confident_fraction", "confident", "fraction"),
    Figure("classes_covered", "classes-covered", "classes"),
    Figure("precision", "precision", "fraction"),
    Figure("recall", "recall", "fraction"),
    Figure("classifier_score", "classifier-score", "classes"),
)
_FIT: dict[str, Any] = {"batch_size": 128, "lr": 2e-4, "average": 0.999}
_MLP_EPOCHS = [0, 1, 2, 3, 5, 8, 10, 15, 25, 40, 60, 100]
_CONV_EPOCHS = [0, 1, 2, 3, 4, 6, 8, 10, 15, 20]


def _trained_for(epochs: int, shown: list[int], **settings: Any) -> dict[str, Any]:
    kept = [epoch for epoch in shown if epoch <= epochs]
    return _FIT | settings | {"epochs": epochs, "snapshots": kept}


GANS: dict[str, Recipe] = {
    "gan-mlp": Recipe(
        "mlp_gan", {"latent_size": 32}, "grey", _trained_for(100, _MLP_EPOCHS), _FIGURES,
        loop="gan", ships=False,
    ),
    "gan-dcgan": Recipe(
        # at the generator's rate this discriminator soon tells nothing apart any more
        "dcgan", {"latent_size": 64, "width": 32}, "grey",
        _trained_for(20, _CONV_EPOCHS, judge_lr=8e-4), _FIGURES, loop="gan",
    ),
}  # fmt: skip
GANS |= {
    "gan-mlp-digits": replace(GANS["gan-mlp"], fit=_trained_for(40, _MLP_EPOCHS), dataset="digits"),
    "gan-dcgan-digits": replace(
        GANS["gan-dcgan"], fit=_trained_for(8, _CONV_EPOCHS, judge_lr=8e-4), dataset="digits"
    ),
}
