"""Flows are trained, resumed, stored and measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from tiny_flows import conv, flow, rng, undoes_itself
from tiny_training import curves, interrupt_after, run
from torch import nn

from coursekit import synthetic
from coursekit.checkpoints import BUILDERS, load_weights, save_weights
from coursekit.data import DataSet, Split
from coursekit.data.preparations import dequantise
from coursekit.errors import CourseError
from coursekit.models.flows import (
    ActNorm,
    Flow,
)
from coursekit.recipes import MEASURES, RECIPES, Figure, flow_measures
from coursekit.recipes.flows import FLOWS
from coursekit.recipes.measures import Run
from coursekit.training import fit

# --- training and storage ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> DataSet:
    pictures, labels, *_ = synthetic.digits(300, seed=0)
    small = nn.functional.avg_pool2d(torch.as_tensor(pictures).float(), 7).round().byte()
    splits = [Split(small[part], torch.as_tensor(labels)[part].long())
              for part in (slice(0, 200), slice(200, 250), slice(250, 300))]  # fmt: skip
    return DataSet("digits", splits[0], splits[1], splits[2], tuple("0123456789"))


TRAINED: dict[str, tuple[Callable[..., Flow], dict[str, Any]]] = {
    "realnvp": (flow, {"noise": 0.0}),
    "labels-dropout": (flow, {"noise": 0.0, "classes": 10, "dropout": 0.1}),
    "logit": (flow, {"noise": 0.0, "preprocessing": "logit", "additive": True}),
    "scale": (flow, {"noise": 0.0, "preprocessing": "scale"}),
    "conv": (conv, {"noise": 0.0}),
}


@pytest.mark.parametrize("name", TRAINED)
def test_fit_lowers_the_loss_and_the_flow_stays_a_bijection(name: str, digits: DataSet) -> None:
    build, settings = TRAINED[name]
    model = build(**settings)
    model.count(digits.train.pictures)
    fresh = {key: value.clone() for key, value in model.state_dict().items()}
    losses = [(module.started.item(), (module.shift != 0).any().item())
              for module in model.modules() if isinstance(module, ActNorm)]  # fmt: skip
    assert losses == [(False, False)] * len(losses), "started before the first batch"
    history = run(model, data=digits, epochs=5, batch_size=50, lr=5e-3, prepare="grey", clip=100.0)
    assert history.validation_loss[-1] < history.validation_loss[0]
    assert min(history.train_loss[1:]) < history.train_loss[0] < history.first_loss + 1
    assert not tiny.same(fresh, tiny.weights(model)) and not model.training
    assert all(module.started for module in model.modules() if isinstance(module, ActNorm))
    x = dequantise(digits.test.pictures, rng())
    undoes_itself(model, x, digits.test.labels)


def test_a_resumed_run_starts_no_actnorm_again(tmp_path: Path, digits: DataSet) -> None:
    settings: dict[str, Any] = {"data": digits, "batch_size": 50, "prepare": "grey"}
    whole, cut, path = conv(noise=0.0), conv(noise=0.0), tmp_path / "run.pt"
    expected = run(whole, **settings)
    interrupt_after(cut, 6)
    assert run(cut, resume=path, **settings).stopped == "interrupted"
    resumed = conv(seed=3, noise=0.0)
    assert curves(run(resumed, resume=path, **settings)) == curves(expected)
    assert tiny.same(tiny.weights(resumed), tiny.weights(whole))


@pytest.mark.parametrize("build", [flow, conv])
def test_16_bit_storage_changes_no_figure(
    build: Callable[..., Flow], tmp_path: Path, digits: DataSet
) -> None:
    wide = {"hidden": (128,)} if build is flow else {"width": 24}
    model = build(noise=0.0, **wide)
    model.count(digits.train.pictures)
    fit(model, digits, epochs=3, batch_size=50, lr=5e-3, prepare="grey", progress=False)
    for half in (False, True):
        save_weights(model, tmp_path / f"{half}.safetensors", half)
    sizes = [(tmp_path / f"{half}.safetensors").stat().st_size for half in (False, True)]
    assert sizes[1] < 0.75 * sizes[0], "nothing was stored as 16-bit floats"
    again = build(seed=4, **wide)
    load_weights(again, tmp_path / "True.safetensors")
    x = digits.test.pictures / 255
    before, after = (m.bits_per_dim(m.loss(x, None, rng()).mean()).item() for m in (model, again))
    assert abs(before - after) < 1e-3


# --- figures -----------------------------------------------------------------------------------


def test_the_figures_of_a_flow_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    data = replace(tiny.data(test=40), name="digits")
    data.test.labels.remainder_(3)
    model = flow(classes=3, preprocessing="scale", noise=0.1)
    measured = Run(model, data, "grey", {})
    figure = Figure("test_bpd", "flow-bits", "bits/dim", samples=3, limit=30)
    x, y = data.test.pictures[:30] / 255, data.test.labels[:30]
    with torch.no_grad():
        generator = rng(0)
        nats = torch.stack([model.loss(x, y, generator) for _ in range(3)]).double()
    bits = nats.mean(dim=0) / (16 * math.log(2))
    value, error = MEASURES["flow-bits"].value(figure, measured)
    assert value == pytest.approx(bits.mean().item(), rel=1e-6)
    assert error == pytest.approx((bits.var() / 30).sqrt().item(), rel=1e-6)
    weighted = -((-nats).exp().mean(dim=0)).log() / (16 * math.log(2))
    found, error = MEASURES["flow-bits-iw"].value(figure, measured)
    assert found == pytest.approx(weighted.mean().item(), rel=1e-6) and found < value
    assert error == pytest.approx((weighted.var() / 30).sqrt().item(), rel=1e-6)
    whole = MEASURES["flow-bits"].value(replace(figure, limit=None), measured)[0]
    assert whole != value
    kind = "flow-bits-above-realnvp-10"
    rows = {"flow-realnvp-10/test_bpd": {"value": 1.5}}
    monkeypatch.setattr(flow_measures, "records", lambda: rows)
    assert MEASURES[kind].value(figure, measured) == (pytest.approx(value - 1.5), None)
    monkeypatch.setattr(flow_measures, "records", dict)
    with pytest.raises(CourseError, match="coursekit train flow-realnvp-10"):
        MEASURES[kind].value(figure, measured)
    words = [MEASURES[kind].words(figure, 1) for kind in ("flow-bits", "flow-bits-iw", kind)]
    assert all("3 noise draws" in text and "first 30 test pictures" in text for text in words)
    assert "importance-weighted" in words[1] and "flow-realnvp-10/test_bpd" in words[2]


def test_every_recipe_of_a_flow_can_be_followed() -> None:
    assert FLOWS.items() <= RECIPES.items()
    for name, plan in FLOWS.items():
        signature(BUILDERS[plan.builder]).bind(**plan.arguments)
        assert set(plan.fit) <= set(signature(fit).parameters), name
        assert plan.prepare == "grey" and {figure.kind for figure in plan.figures} <= set(MEASURES)
        assert (plan.dataset == "digits") == name.endswith("-digits")
