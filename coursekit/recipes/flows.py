"""Recipes of notebook 06: NICE, RealNVP with and without labels, a convolutional flow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coursekit.recipes.plan import Figure, Recipe

_BITS = Figure("test_bpd", "flow-bits", "bits/dim", samples=3)
_ABOVE = Figure("above_unconditional_bpd", "flow-bits-above-realnvp-10", "bits/dim", samples=3)
_WEIGHTED = replace(_BITS, kind="flow-bits-iw", samples=16, limit=2000)
_BOUND = replace(_BITS, name="test_bpd_elbo")
_WIDE: dict[str, Any] = {"hidden": [256, 256]}
_FIT: dict[str, Any] = {
    "epochs": 20, "batch_size": 256, "lr": 2e-3, "schedule": "cosine", "clip": 100.0,
}  # fmt: skip
_CPU = "trained on a CPU with a budget of minutes: not what this network can reach"

FLOWS: dict[str, Recipe] = {
    "flow-realnvp-5": Recipe("mlp_flow", _WIDE | {"couplings": 5}, "grey", _FIT, (_BITS,)),
    "flow-realnvp-10": Recipe(
        "mlp_flow", _WIDE | {"couplings": 10}, "grey", _FIT, (_BITS,), ships=False
    ),
    "flow-crealnvp-5": Recipe(
        "mlp_flow", _WIDE | {"couplings": 5, "classes": 10}, "grey", _FIT, (_BITS,)
    ),
    "flow-crealnvp-10": Recipe(
        "mlp_flow", _WIDE | {"couplings": 10, "classes": 10}, "grey", _FIT, (_BITS, _ABOVE),
        ships=False,
    ),
    "flow-nice": Recipe(
        "mlp_flow", _WIDE | {"couplings": 10, "additive": True}, "grey", _FIT, (_BITS,),
        ships=False,
    ),
    "flow-conv": Recipe(
        "conv_flow", {"steps": [4, 4], "width": 32, "blocks": 1}, "grey",
        _FIT | {"epochs": 8, "batch_size": 128, "lr": 1e-3}, (_WEIGHTED, _BOUND), note=_CPU,
    ),
}  # fmt: skip
for _name in ("flow-realnvp-5", "flow-crealnvp-5"):
    _plan = FLOWS[_name]
    FLOWS[f"{_name}-digits"] = replace(
        _plan, arguments=_plan.arguments | {"hidden": [32, 32]}, fit=_FIT | {"epochs": 10},
        dataset="digits",
    )  # fmt: skip
