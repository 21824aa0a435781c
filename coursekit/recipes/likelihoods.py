"""Recipes of notebook 02: one network, ten likelihoods, one scale."""

from __future__ import annotations

from typing import Any

from coursekit.likelihoods import likelihood
from coursekit.recipes.plan import NELBO, Figure, Recipe

_NETWORK: dict[str, Any] = {
    "latent_size": 16, "channels": [16, 32], "hidden": [128], "head": 16,
}  # fmt: skip
_FIT: dict[str, Any] = {
    "epochs": 12, "batch_size": 64, "lr": 2e-3, "schedule": "cosine", "patience": 3,
}  # fmt: skip
_BITS = Figure("test_bpd", "nelbo", "bits/dim")
_UNIFORM = Figure("test_bpd_uniform_inside", "nelbo-uniform-inside", "bits/dim")
_BEST = Figure("best_test_bpd", "nelbo", "bits/dim", key="likelihood-best/test_bpd")

_ROWS: dict[str, tuple[str, tuple[Figure, ...], int]] = {
    "likelihood-bernoulli-dynamic": ("bernoulli", (NELBO,), 1),
    "likelihood-continuous-bernoulli": ("continuous-bernoulli", (_BITS,), 1),
    "likelihood-gaussian-per-pixel": ("gaussian-per-pixel", (_BITS,), 1),
    "likelihood-gaussian-shared": ("gaussian-shared", (_BITS,), 1),
    "likelihood-gaussian-optimal": ("gaussian-optimal", (_BITS,), 1),
    "likelihood-beta": ("beta", (_BITS,), 1),
    "likelihood-categorical-4": ("categorical-4", (_BITS, _UNIFORM), 1),
    "likelihood-categorical-256": ("categorical-256", (_BITS, _BEST), 3),
    "likelihood-discretised-logistic": ("discretised-logistic", (_BITS,), 3),
    "likelihood-logistic-mixture": ("logistic-mixture", (_BITS,), 3),
}


def _recipes() -> dict[str, Recipe]:
    found = {}
    for name, (kind, figures, seeds) in _ROWS.items():
        how = likelihood(kind).preparation
        arguments = _NETWORK | {"likelihood": kind}
        found[name] = Recipe("conv_vae", arguments, how, _FIT, figures, seeds=seeds)
    for name, (kind, figures, _) in _ROWS.items():
        how = likelihood(kind).preparation
        arguments = _NETWORK | {"likelihood": kind, "channels": [8, 16], "hidden": [64], "head": 8}
        own = tuple(figure for figure in figures if figure.key is None)
        fit = _FIT | {"epochs": 4, "batch_size": 128}
        found[f"{name}-digits"] = Recipe("conv_vae", arguments, how, fit, own, dataset="digits")
    return found


LIKELIHOOD_TABLE: dict[str, Recipe] = _recipes()
