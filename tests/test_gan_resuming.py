"""fit_gan(): Ctrl-C, divergence, and going on exactly where a run was cut."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import tiny_gans
import torch
from tiny_gans import curves, run, same_snapshots
from tiny_training import one_sentence, stop_at

from coursekit.errors import CourseError
from coursekit.history import TrainingDiverged
from coursekit.models.gan import GAN
from coursekit.training import fit


def interrupt_after(model: GAN, calls: int) -> None:
    """Press Ctrl-C when the discriminator is asked for the given time."""
    count, judge = itertools.count(1), model.judge

    def interrupted(x: Any) -> Any:
        if next(count) == calls:
            raise KeyboardInterrupt
        return judge(x)

    model.judge = interrupted  # type: ignore[method-assign]


@pytest.mark.parametrize("interruption", ["between epochs", "within an epoch"])
@pytest.mark.parametrize("make", [tiny_gans.mlp, tiny_gans.conv])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_resumed_run_equals_one_that_was_never_cut(
    tmp_path: Path, interruption: str, make: Any, average: float
) -> None:
    settings: dict[str, Any] = {
        "epochs": 5, "average": average, "judge_steps": 3, "penalty": 1.0,
        "snapshots": (0, 1, 3, 5),
    }  # fmt: skip
    whole = make()
    expected = run(whole, **settings)
    cut, path = make(), tmp_path / "run.pt"
    on_epoch = stop_at(2) if interruption == "between epochs" else None
    if on_epoch is None:
        interrupt_after(cut, 24)
    assert run(cut, resume=path, on_epoch=on_epoch, **settings).stopped == "interrupted"

    torch.rand(13)
    resumed = make(seed=99)
    history = run(resumed, resume=path, **settings)
    assert curves(history) == curves(expected) and same_snapshots(history, expected)
    assert tiny.same(tiny.weights(resumed), tiny.weights(whole))
    assert len(history.seconds) == 5


def test_resuming_a_finished_run_trains_nothing(tmp_path: Path) -> None:
    path, first = tmp_path / "run.pt", tiny_gans.mlp()
    expected = run(first, resume=path, average=0.9, snapshots=(0, 3))
    again = tiny_gans.mlp(seed=9)
    interrupt_after(again, 1)
    history = run(again, resume=path, average=0.9, snapshots=(0, 3))
    assert curves(history) == curves(expected) and same_snapshots(history, expected)
    assert tiny.same(tiny.weights(again), tiny.weights(first))


@pytest.mark.parametrize(
    "change",
    [
        {"lr": 2e-2}, {"judge_lr": 2e-2}, {"seed": 1}, {"epochs": 4}, {"batch_size": 32},
        {"loss": "hinge"}, {"betas": (0.9, 0.999)}, {"judge_steps": 2}, {"penalty": 1.0},
        {"average": 0.5}, {"smooth": 0.1}, {"data": tiny.data(train=80)},
        {"data": replace(tiny.data(), name="another")},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_resume_refuses_other_settings(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "run.pt"
    run(tiny_gans.mlp(), resume=path, on_epoch=stop_at(1))
    kept, model = path.read_bytes(), tiny_gans.mlp(seed=4)
    before = tiny.weights(model)
    with pytest.raises(CourseError, match=r"run\.pt") as caught:
        run(model, resume=path, **change)
    assert one_sentence(caught.value)
    assert tiny.same(before, tiny.weights(model)) and path.read_bytes() == kept


def test_resume_refuses_another_loops_file_and_another_architecture(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    fit(tiny.vae(), tiny.data(), epochs=1, batch_size=16, progress=False, resume=path)
    with pytest.raises(CourseError, match="no training run"):
        run(tiny_gans.mlp(), resume=path)
    path.unlink()
    run(tiny_gans.mlp(), resume=path, on_epoch=stop_at(1))
    other = tiny_gans.mlp(hidden=(7,))
    before = tiny.weights(other)
    with pytest.raises(CourseError, match="architecture"):
        run(other, resume=path)
    assert tiny.same(before, tiny.weights(other))
    state = torch.load(path, weights_only=True)
    del state["judge_optimiser"]
    torch.save(state, path)
    with pytest.raises(CourseError, match="no training run"):
        run(tiny_gans.mlp(), resume=path)


# --- Ctrl-C and divergence ---------------------------------------------------------------------


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_ctrl_c_in_the_middle_leaves_the_last_complete_epoch(average: float) -> None:
    model, short = tiny_gans.conv(), tiny_gans.conv()
    interrupt_after(model, 31)  # an epoch asks twelve times: in the third one
    history = run(model, average=average, snapshots=(3,))
    assert (history.stopped, len(history), history.snapshots) == ("interrupted", 2, {})
    run(short, average=average, epochs=2)
    assert tiny.same(tiny.weights(model), tiny.weights(short))
    assert not model.training


def test_ctrl_c_in_the_first_epoch() -> None:
    model = tiny_gans.mlp()
    interrupt_after(model, 5)
    history = run(model)
    assert (len(history), history.stopped) == (0, "interrupted")
    assert "before the first epoch" in history.summary()


@pytest.mark.parametrize("player", ["lr", "judge_lr"])
def test_divergence_in_the_first_epoch_gives_the_first_weights_back(player: str) -> None:
    model = tiny_gans.mlp(dropout=0.0)
    before = tiny.weights(model)
    with pytest.raises(TrainingDiverged, match="epoch 1") as caught:
        run(model, loss="wasserstein", **{player: 1e38})
    assert one_sentence(caught.value)
    assert "1e+38" in str(caught.value) and "it began with" in str(caught.value)
    assert tiny.same(before, tiny.weights(model))


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_divergence_later_gives_the_last_epoch_back(average: float) -> None:
    model, short = tiny_gans.mlp(), tiny_gans.mlp()
    calls, judge = itertools.count(1), model.judge

    def poisoned(x: Any) -> Any:
        if next(calls) == 28:
            with torch.no_grad():
                next(model.generator.parameters()).fill_(math.nan)
        return judge(x)

    model.judge = poisoned  # type: ignore[method-assign]
    with pytest.raises(TrainingDiverged, match="epoch 3") as caught:
        run(model, average=average)
    run(short, average=average, epochs=2)
    assert tiny.same(tiny.weights(model), tiny.weights(short))
    assert "the weights of epoch 2 are restored" in str(caught.value)
    assert len(caught.value.history) == 2 and caught.value.history.stopped == "diverged"
