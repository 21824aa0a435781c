"""Recipes of notebooks 04 and 05, and the digit classifier that judges generated pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coursekit.recipes.plan import COSINE, IWAE, NELBO, Figure, Recipe

_BOUND = Figure("test_nelbo", "loss-nats")
_GAP = tuple(
    Figure(name, kind, samples=5000, limit=1000, key=f"inference/{name}")
    for name, kind in (
        ("amortisation_gap", "gap-amortisation"),
        ("approximation_gap", "gap-approximation"),
        ("encoder_nelbo", "gap-encoder"),
        ("optimised_nelbo", "gap-optimised"),
        ("iwae5000", "gap-iwae"),
    )
)
_ACCURACY = Figure("test_accuracy", "accuracy", "fraction")
_AGREEMENT = Figure("classifier_agreement", "agreement", "fraction", samples=10_000)
# what the figures of generated pictures stand beside
_REAL = (
    Figure("frechet_floor", "frechet-floor", "distance", key="frechet-floor"),
    Figure("real_confident", "confident-real", "fraction", key="real/confident_fraction"),
    Figure("noise_confident", "confident-noise", "fraction", key="noise/confident_fraction"),
)
_CLASSIFIER_FIT: dict[str, Any] = COSINE | {"epochs": 24, "lr": 3e-3}


def _quadrants(
    observed: int, hidden: list[int], epochs: int, dataset: str
) -> dict[str, Recipe]:  # fmt: skip
    name, end = f"cvae-quadrants-{observed}", "-digits" if dataset == "digits" else ""
    fit = COSINE | {"epochs": epochs, "lr": 1e-3, "patience": 8}
    shared: dict[str, Any] = {"hidden": hidden, "quadrants": observed}
    key = f"{name}/baseline_cll" if dataset == "mnist" else None
    return {
        f"{name}{end}": Recipe(
            "mlp_cvae", shared | {"latent_size": 30, "conditional_prior": True}, "dynamic", fit,
            (
                Figure("cvae_cll_is", "cll-encoder", samples=200),
                Figure("cvae_cll_prior", "cll-prior", samples=200),
            ),
            dataset=dataset,
        ),
        f"completer-quadrants-{observed}{end}": Recipe(
            "mlp_completer", shared, "dynamic", fit,
            (Figure("baseline_cll", "cll-exact", key=key),), dataset=dataset,
        ),
    }  # fmt: skip


CONDITIONAL: dict[str, Recipe] = {
    "classifier": Recipe("digit_classifier", {}, "grey", _CLASSIFIER_FIT, (_ACCURACY, *_REAL)),
    "classifier-digits": Recipe(
        "digit_classifier", {"channels": [8, 16, 32], "features": 64}, "grey",
        _CLASSIFIER_FIT | {"epochs": 8},
        (_ACCURACY, *(replace(part, key=f"{part.key}-digits") for part in _REAL)),
        dataset="digits",
    ),
    "vae-mlp-dynamic": Recipe(
        "mlp_vae", {"latent_size": 20, "hidden": [256, 256]}, "dynamic",
        COSINE | {"epochs": 60, "lr": 1e-3}, (NELBO, IWAE, *_GAP),
    ),
    "vae-mlp-dynamic-digits": Recipe(
        "mlp_vae", {"latent_size": 20, "hidden": [128, 128]}, "dynamic",
        COSINE | {"epochs": 20, "lr": 1e-3}, (NELBO,), dataset="digits",
    ),
    # what the quadrants are told is grey here: it shows what binarising them costs the baseline
    "completer-quadrants-3-grey": Recipe(
        "mlp_completer", {"hidden": [512, 512], "quadrants": 3, "dropout": 0.3}, "grey",
        COSINE | {"epochs": 24, "lr": 1e-3}, (Figure("baseline_cll", "cll-expected"),),
        ships=False,
    ),
    "cvae-labels": Recipe(
        "mlp_cvae",
        {"latent_size": 10, "hidden": [384, 384], "classes": 10, "conditional_prior": True},
        "dynamic",
        COSINE | {"epochs": 60, "lr": 1e-3}, (_BOUND, _AGREEMENT),
    ),
    "cvae-labels-digits": Recipe(
        "mlp_cvae",
        {"latent_size": 10, "hidden": [192, 192], "classes": 10, "conditional_prior": True},
        "dynamic",
        COSINE | {"epochs": 20, "lr": 1e-3}, (_BOUND, _AGREEMENT), dataset="digits",
    ),
}  # fmt: skip
for _observed in (1, 2, 3):
    CONDITIONAL |= _quadrants(_observed, [256, 256], 60, "mnist")
    CONDITIONAL |= _quadrants(_observed, [64, 64], 12, "digits")
