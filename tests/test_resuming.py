"""fit(resume=...): goes on exactly where it was cut, and reads no file it should not."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from tiny_training import curves, interrupt_after, one_sentence, run, run_script, stop_at

from coursekit.errors import CourseError


@pytest.mark.parametrize("interruption", ["between epochs", "within an epoch"])
@pytest.mark.parametrize("optimiser", ["adam", "adamax"])
def test_resumed_run_equals_one_that_was_never_cut(
    tmp_path: Path, interruption: str, optimiser: str
) -> None:
    settings: dict[str, Any] = {"epochs": 5, "schedule": "cosine", "optimiser": optimiser}
    whole = tiny.dropout_vae()
    expected = run(whole, **settings)

    cut = tiny.dropout_vae()
    on_epoch = stop_at(2) if interruption == "between epochs" else None
    if on_epoch is None:
        interrupt_after(cut, 11)
    path = tmp_path / "run.pt"
    assert run(cut, resume=path, on_epoch=on_epoch, **settings).stopped == "interrupted"

    torch.rand(13)  # another process would draw other numbers
    resumed = tiny.dropout_vae(seed=99)  # and begin from other weights
    history = run(resumed, resume=path, **settings)
    assert curves(history) == curves(expected)
    assert tiny.same(tiny.weights(resumed), tiny.weights(whole))
    assert len(history.seconds) == 5


def test_resuming_a_finished_run_trains_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    first = tiny.vae()
    expected = run(first, resume=path)
    again = tiny.vae(seed=9)
    interrupt_after(again, 1)  # any step of training would end it
    assert curves(run(again, resume=path)) == curves(expected)
    assert tiny.same(tiny.weights(again), tiny.weights(first))


def test_resuming_brings_the_best_weights_of_before(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    script = [5.0, 1.0, 4.0, 3.0]
    run_script(script, resume=path, on_epoch=stop_at(3))
    model, history = run_script(script, resume=path)
    assert (history.best_epoch, model.weight.item(), len(history)) == (2, 2, 4)


def test_resuming_a_run_out_of_patience_stays_stopped(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    script = [1.0, 2.0, 3.0, 4.0, 0.0]
    for _ in range(2):
        model, history = run_script(script, resume=path, patience=2)
        assert (history.stopped, len(history), model.weight.item()) == ("patience", 3, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"lr": 2e-2},
        {"seed": 1},
        {"epochs": 4},
        {"batch_size": 32},
        {"prepare": "grey"},
        {"optimiser": "adamax"},
        {"optimiser": "sgd"},
        {"schedule": "cosine"},
        {"clip": 1.0},
        {"data": tiny.data(train=80)},
        {"data": replace(tiny.data(), name="another")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_resume_refuses_other_settings(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "run.pt"
    run(tiny.vae(), resume=path, on_epoch=stop_at(1))
    kept, model = path.read_bytes(), tiny.vae(seed=4)
    before = tiny.weights(model)
    with pytest.raises(CourseError, match=r"run\.pt") as caught:
        run(model, resume=path, **change)
    assert one_sentence(caught.value)
    assert tiny.same(before, tiny.weights(model))
    assert path.read_bytes() == kept


@pytest.mark.parametrize("hidden", [(9,), (8, 8)])
def test_resume_refuses_another_architecture_and_touches_nothing(
    tmp_path: Path, hidden: tuple[int, ...]
) -> None:
    path = tmp_path / "run.pt"
    run(tiny.vae(), resume=path, on_epoch=stop_at(1))
    model = tiny.vae(hidden=hidden)
    before = tiny.weights(model)
    with pytest.raises(CourseError, match="architecture") as caught:
        run(model, resume=path)
    assert one_sentence(caught.value)
    assert tiny.same(before, tiny.weights(model))


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("damage", ["cut short", "empty", "text", "list", "pickle", "torch pickle",
                                    "partial", "half a state"])  # fmt: skip
def test_resume_refuses_a_file_that_is_no_run(tmp_path: Path, damage: str) -> None:
    path, sprung = tmp_path / "run.pt", tmp_path / "sprung"
    run(tiny.vae(), resume=path, on_epoch=stop_at(1))
    state = torch.load(path, weights_only=True)
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:-500])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not a run")
    elif damage == "list":
        torch.save([1, 2], path)
    elif damage == "pickle":
        path.write_bytes(pickle.dumps(_Trap(sprung), protocol=2))
    elif damage == "torch pickle":
        torch.save(state | {"best": _Trap(sprung)}, path)
    elif damage == "partial":
        torch.save({"history": state["history"]}, path)
    else:
        del state["generator"]
        torch.save(state, path)
    model = tiny.vae(seed=4)
    before = tiny.weights(model)
    with pytest.raises(CourseError, match=r"run\.pt") as caught:
        run(model, resume=path)
    assert one_sentence(caught.value)
    assert not sprung.exists(), "code in the file was run"
    assert tiny.same(before, tiny.weights(model))


def test_a_save_that_fails_leaves_the_older_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.pt"
    run(tiny.vae(), resume=path, on_epoch=stop_at(1))
    kept = path.read_bytes()

    def full_disk(_state: Any, target: Any) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        run(tiny.vae(), resume=path)
    assert path.read_bytes() == kept
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.pt"]
