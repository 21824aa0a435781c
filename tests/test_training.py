"""fit(): repeatable, resumable, and honest about how it ended."""

from __future__ import annotations

import itertools
import math
import os
import pickle
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.history import History
from coursekit.models.base import Model
from coursekit.optimisation import cosine
from coursekit.training import TrainingDiverged, fit, mean_loss


def run(model: Model, **changes: Any) -> History:
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 16, "lr": 1e-2, "progress": False}
    data = changes.pop("data", None) or tiny.data()
    return fit(model, data, **(settings | changes))


def curves(history: History) -> dict[str, Any]:
    """All that a seed fixes: everything but the clock."""
    return {name: value for name, value in asdict(history).items() if name != "seconds"}


def one_sentence(error: BaseException) -> bool:
    text = str(error)
    return "\n" not in text and text.endswith(".") and len(text) > 30 and ". " not in text


class Scripted(Model):
    """Its weight counts the steps; its validation loss after step k is script[k - 1]."""

    def __init__(self, script: list[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.script = script

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        if self.training:
            return -self.weight.expand(len(x))
        return x.new_full((len(x),), self.script[round(self.weight.item()) - 1])


def run_script(script: list[float], **changes: Any) -> tuple[Scripted, History]:
    """One step an epoch, and each step adds exactly 1 to the weight."""
    model = Scripted(script)
    settings = {"epochs": len(script), "batch_size": 64, "optimiser": "sgd", "lr": 1.0}
    return model, run(model, **(settings | changes))


class Recorder(Model):
    """Keeps every batch it is trained on, by the pictures' numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.batches: list[tuple[Tensor, Tensor]] = []

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        if self.training:
            assert y is not None
            self.batches.append((x.clone(), y.clone()))
        return self.weight.expand(len(x))

    def epoch(self, number: int, steps: int = 4) -> dict[int, Tensor]:
        batches = self.batches[number * steps : (number + 1) * steps]
        return {int(k): picture for x, y in batches for picture, k in zip(x, y, strict=True)}


def interrupt_after(model: Model, calls: int) -> None:
    """Press Ctrl-C in the given call of the training loss, in the middle of an epoch."""
    count, loss = itertools.count(1), model.loss

    def interrupted(*args: Any, **kwargs: Any) -> Tensor:
        if model.training and next(count) == calls:
            raise KeyboardInterrupt
        return loss(*args, **kwargs)

    model.loss = interrupted  # type: ignore[method-assign]


def stop_at(epoch: int) -> Callable[[int, nn.Module], None]:
    def on_epoch(done: int, _model: nn.Module) -> None:
        if done == epoch:
            raise KeyboardInterrupt

    return on_epoch


# --- the same seed, the same run ---------------------------------------------------------------


@pytest.mark.parametrize("make", [tiny.vae, tiny.dropout_vae])
def test_same_seed_same_history_and_weights(make: Callable[[], Model]) -> None:
    one, other = make(), make()
    histories = [curves(run(model, seed=5)) for model in (one, other)]
    assert histories[0] == histories[1]
    assert tiny.same(tiny.weights(one), tiny.weights(other))


def test_another_seed_gives_another_history() -> None:
    assert run(tiny.vae(), seed=5).train_loss != run(tiny.vae(), seed=6).train_loss


def test_what_the_caller_drew_before_does_not_matter() -> None:
    one = curves(run(tiny.dropout_vae()))
    torch.rand(7)
    assert curves(run(tiny.dropout_vae())) == one


def test_global_random_state_is_left_as_found() -> None:
    states = torch.get_rng_state(), random.getstate(), str(np.random.get_state())  # noqa: NPY002
    run(tiny.dropout_vae())
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert states[2] == str(np.random.get_state())  # noqa: NPY002


def test_looking_at_samples_while_training_changes_nothing() -> None:
    def peek(_epoch: int, model: Any) -> None:
        model.sample(4)

    assert curves(run(tiny.conv())) == curves(run(tiny.conv(), on_epoch=peek))
    assert curves(run(tiny.dropout_vae())) == curves(run(tiny.dropout_vae(), on_epoch=peek))


def test_data_and_arguments_are_left_alone() -> None:
    data = tiny.data()
    kept = data.train.pictures.clone(), data.validation.pictures.clone()
    run(tiny.vae(), data=data)
    assert torch.equal(kept[0], data.train.pictures)
    assert torch.equal(kept[1], data.validation.pictures)


# --- what a batch holds ------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["dynamic", "dequantised"])
def test_noise_is_fresh_in_every_epoch(how: str) -> None:
    model = Recorder()
    run(model, prepare=how, epochs=2)
    first, second = model.epoch(0), model.epoch(1)
    assert all(not torch.equal(first[k], second[k]) for k in first)


def test_noise_is_fresh_in_every_batch_of_an_epoch() -> None:
    data = tiny.data()
    data.train.pictures[:] = 128  # all pictures are the same, so only the noise can differ
    model = Recorder()
    run(model, data=data, epochs=1)
    drawn = torch.stack([x for batch, _ in model.batches for x in batch]).flatten(1)
    assert len(drawn.unique(dim=0)) > 0.95 * len(drawn)


@pytest.mark.parametrize("how", ["grey", "threshold"])
def test_fixed_preparations_stay_fixed(how: str) -> None:
    model = Recorder()
    run(model, prepare=how, epochs=2)
    first, second = model.epoch(0), model.epoch(1)
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_labels_go_with_their_pictures() -> None:
    data, model = tiny.data(), Recorder()
    run(model, data=data, prepare="grey", epochs=1)
    for k, picture in model.epoch(0).items():
        assert torch.equal(picture, data.train.pictures[k].float() / 255)


def test_every_picture_once_an_epoch_in_another_order() -> None:
    model = Recorder()
    run(model, epochs=2)
    assert sorted(model.epoch(0)) == list(range(64))
    assert sorted(model.epoch(1)) == list(range(64))
    assert list(model.epoch(0)) != list(model.epoch(1)) != list(range(64))


def test_leftover_pictures_have_their_chance_in_another_epoch() -> None:
    model = Recorder()
    run(model, epochs=8, batch_size=48)
    sizes = [len(x) for x, _ in model.batches]
    assert sizes == [48] * 8
    assert {int(k) for _, y in model.batches for k in y} == set(range(64))


# --- what is measured --------------------------------------------------------------------------


def test_losses_are_means_over_the_epoch() -> None:
    class Counting(Model):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))
            self.calls = 0

        def loss(self, x: Tensor, y: Any = None, generator: Any = None) -> Tensor:
            if not self.training:
                return 0 * self.weight + 7.0 + (y == 0).float() * 32  # one of the 32 pictures
            self.calls += 1
            return (self.calls + 0 * self.weight).expand(len(x))

    history = run(Counting(), epochs=2)
    assert history.train_loss == [2.5, 6.5]
    assert history.validation_loss == [8.0, 8.0]
    assert history.first_loss == 1.0


def test_first_loss_is_the_untrained_model() -> None:
    model, recorder = tiny.vae(), Recorder()
    run(recorder, seed=3)
    generator = torch.Generator().manual_seed(3)
    torch.randperm(64, generator=generator)
    torch.rand(16, *tiny.SHAPE, generator=generator)
    with torch.no_grad():
        expected = model.loss(recorder.batches[0][0], generator=generator).mean().item()
    assert run(model, seed=3).first_loss == pytest.approx(expected, rel=1e-5)


def test_lists_have_one_entry_an_epoch() -> None:
    history = run(tiny.vae())
    assert {len(getattr(history, name)) for name in
            ("train_loss", "validation_loss", "seconds", "lr")} == {3}  # fmt: skip
    assert len(history) == 3 and history.stopped == "finished"
    assert all(second > 0 for second in history.seconds)
    assert "3 epochs (finished)" in history.summary()


def test_training_lowers_the_loss() -> None:
    data = tiny.data()
    data.train.pictures[:] = torch.where(data.train.pictures[:1] > 128, 255, 0).to(torch.uint8)
    history = run(tiny.vae(), data=data, epochs=20, lr=3e-2)
    assert history.train_loss[0] > 8
    assert history.train_loss[-1] < 1.5


def test_validation_is_in_evaluation_mode_with_the_same_noise() -> None:
    model = tiny.dropout_vae()
    split = tiny.data().validation
    model.train()
    assert mean_loss(model, split, "dynamic") == mean_loss(model, split, "dynamic")
    assert model.training
    assert mean_loss(model, split, "dynamic") != mean_loss(model, split, "dynamic", seed=1)


def test_mean_loss_weighs_every_picture_the_same_whatever_the_chunk() -> None:
    _, history = run_script([3.0], data=tiny.data(validation=5))
    assert history.validation_loss == [3.0]
    model = tiny.vae()
    with torch.no_grad():
        for layer in model.decoder.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.zero_()  # a decoder that does not look at z: no noise is left
    split = tiny.data(validation=7).validation
    whole = mean_loss(model, split, "grey")
    assert mean_loss(model, split, "grey", chunk=3) == pytest.approx(whole, rel=1e-6)


def test_mean_loss_gives_the_mode_back_after_an_error() -> None:
    model = tiny.vae()
    with pytest.raises(CourseError):
        mean_loss(model, tiny.data(shape=(1, 8, 8)).validation, "grey")
    assert model.training


# --- best weights, early stopping --------------------------------------------------------------


def test_best_weights_are_restored() -> None:
    model, history = run_script([5.0, 3.0, 4.0, 6.0])
    assert history.validation_loss == [5.0, 3.0, 4.0, 6.0]
    assert history.best_epoch == 2
    assert model.weight.item() == 2


def test_a_tie_keeps_the_earlier_weights() -> None:
    model, history = run_script([3.0, 3.0, 3.0])
    assert (history.best_epoch, model.weight.item()) == (1, 1)


def test_best_weights_take_their_buffers_with_them() -> None:
    model = tiny.conv()
    data = tiny.data()
    history = run(model, data=data, epochs=6, lr=0.2)
    assert history.best_epoch < 6, "this run should get worse again"
    best = history.validation_loss[history.best_epoch - 1]
    assert best == min(history.validation_loss)
    assert mean_loss(model, data.validation, "dynamic") == best


@pytest.mark.parametrize(
    ("script", "patience", "epochs_run", "stopped"),
    [
        ([1, 2, 3, 4, 5], 1, 2, "patience"),
        ([1, 2, 3, 4, 5], 2, 3, "patience"),
        ([4, 5, 3, 4, 5, 1], 2, 5, "patience"),  # a better epoch starts the count again
        ([5, 4, 3, 2, 1], 1, 5, "finished"),
        ([4, 5, 5, 3, 2], 3, 5, "finished"),
        ([2, 2, 2, 2, 2], 2, 3, "patience"),  # as good is not better
    ],
)
def test_patience_stops_exactly_when_it_should(
    script: list[float], patience: int, epochs_run: int, stopped: str
) -> None:
    model, history = run_script(script, patience=patience)
    assert (len(history), history.stopped) == (epochs_run, stopped)
    assert model.weight.item() == 1 + script.index(min(script[:epochs_run]))


def test_without_validation_pictures_the_last_weights_stay() -> None:
    model = Scripted([])
    history = run(model, data=tiny.data(validation=0), batch_size=64, optimiser="sgd", lr=1.0)
    assert history.validation_loss == []
    assert (model.weight.item(), history.best_epoch) == (3, 3)
    assert "validation" not in history.summary()


def test_the_model_comes_back_in_evaluation_mode() -> None:
    model = tiny.dropout_vae()
    run(model)
    assert not model.training


# --- Ctrl-C ------------------------------------------------------------------------------------


def test_ctrl_c_between_epochs_keeps_the_best_weights() -> None:
    model, history = run_script([5.0, 3.0, 4.0, 1.0], on_epoch=stop_at(3))
    assert (history.stopped, len(history), model.weight.item()) == ("interrupted", 3, 2)


def test_ctrl_c_in_the_middle_of_an_epoch() -> None:
    model = tiny.vae()
    interrupt_after(model, 10)  # four steps an epoch: in the third
    data = tiny.data()
    history = run(model, data=data, epochs=5)
    assert (history.stopped, len(history)) == ("interrupted", 2)
    best = history.validation_loss[history.best_epoch - 1]
    assert mean_loss(model, data.validation, "dynamic") == best


def test_ctrl_c_while_validating_leaves_no_half_epoch() -> None:
    model = Scripted([2.0, 1.0])

    def loss(x: Tensor, y: Any = None, generator: Any = None) -> Tensor:
        if not model.training and model.weight.item() > 1.5:
            raise KeyboardInterrupt
        return Scripted.loss(model, x, y, generator)

    model.loss = loss  # type: ignore[method-assign]
    history = run(model, batch_size=64, optimiser="sgd", lr=1.0)
    lists = (history.train_loss, history.validation_loss, history.seconds, history.lr)
    assert [len(entries) for entries in lists] == [1, 1, 1, 1]
    assert (model.weight.item(), history.stopped) == (1, "interrupted")


def test_ctrl_c_in_the_first_epoch() -> None:
    model = tiny.vae()
    interrupt_after(model, 2)
    history = run(model)
    assert (len(history), history.stopped, history.best_epoch) == (0, "interrupted", 0)
    assert "before the first epoch" in history.summary()


# --- resuming ----------------------------------------------------------------------------------


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


# --- divergence --------------------------------------------------------------------------------


def test_divergence_in_the_first_epoch_is_explained() -> None:
    model = tiny.vae()
    before = tiny.weights(model)
    with pytest.raises(TrainingDiverged, match="epoch 1") as caught:
        run(model, optimiser="sgd", lr=1e30)
    assert one_sentence(caught.value)
    assert "learning rate 1e+30" in str(caught.value)
    assert "the weights it began with are restored" in str(caught.value)
    assert len(caught.value.history) == 0
    assert tiny.same(before, tiny.weights(model)), "NaN weights would spoil the next attempt"


def poison(epoch: int) -> Callable[[int, nn.Module], None]:
    def on_epoch(done: int, model: nn.Module) -> None:
        if done == epoch:
            with torch.no_grad():
                next(model.parameters()).fill_(math.nan)

    return on_epoch


def test_divergence_in_a_later_epoch_restores_the_best_weights() -> None:
    model, data = tiny.vae(), tiny.data()
    with pytest.raises(TrainingDiverged, match="epoch 3") as caught:
        run(model, data=data, epochs=5, on_epoch=poison(2))
    history = caught.value.history
    assert len(history) == len(history.validation_loss) == 2
    assert f"the weights of epoch {history.best_epoch} are restored" in str(caught.value)
    assert history.stopped == "diverged"
    best = history.validation_loss[history.best_epoch - 1]
    assert mean_loss(model, data.validation, "dynamic") == best


@pytest.mark.parametrize("prior", ["mixture", "vamp"])
def test_divergence_is_found_with_a_learned_prior(prior: str) -> None:
    with pytest.raises(TrainingDiverged):
        run(tiny.vae(prior=prior, components=3), optimiser="sgd", lr=1e30)


class FragileLastStep(Model):
    """Its loss is finite in every step, but the step numbered `bad` ruins the weight."""

    def __init__(self, bad: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.bad, self.calls = bad, 0

    def loss(self, x: Tensor, y: Any = None, generator: Any = None) -> Tensor:
        self.calls += self.training
        value = self.weight.expand(len(x))
        if self.training and self.calls == self.bad:
            value.register_hook(lambda gradient: gradient * math.inf)
        return value


@pytest.mark.parametrize("validation", [0, 32])
@pytest.mark.parametrize("bad", [8, 12])  # the last step of the second epoch; of the last one
def test_weights_ruined_by_the_last_step_are_never_kept(validation: int, bad: int) -> None:
    model = FragileLastStep(bad)
    with pytest.raises(TrainingDiverged, match=f"epoch {bad // 4}") as caught:
        run(model, data=tiny.data(validation=validation))
    assert math.isfinite(model.weight.item())
    history = caught.value.history
    assert len(history.train_loss) == len(history.seconds) == len(history.lr)
    assert all(math.isfinite(value) for value in history.validation_loss)


def test_one_infinite_validation_loss_does_not_end_the_search_for_the_best() -> None:
    model, history = run_script([3.0, math.inf, math.nan, 2.0, 4.0])
    assert (history.best_epoch, model.weight.item()) == (4, 4)


# --- optimisers, schedules, clipping -----------------------------------------------------------


def test_cosine_schedule_is_in_the_history() -> None:
    history = run(tiny.vae(), schedule="cosine", lr=0.01, epochs=4)
    last_steps = [(4 * epoch + 3) / 16 for epoch in range(4)]
    expected = [0.01 * 0.5 * (1 + math.cos(math.pi * p)) for p in last_steps]
    assert history.lr == pytest.approx(expected)
    assert run(tiny.vae(), lr=0.01).lr == [0.01] * 3


def test_cosine_warms_up_and_falls() -> None:
    values = [cosine(step / 1000) for step in range(1001)]
    assert values[0] == pytest.approx(0.01)
    assert max(values) == pytest.approx(1.0, abs=0.01)
    peak = values.index(max(values))
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert values[-1] == pytest.approx(0, abs=1e-12)


def test_a_schedule_of_your_own_sees_the_share_of_steps() -> None:
    seen: list[float] = []

    def schedule(progress: float) -> float:
        seen.append(progress)
        return 0.5

    history = run(tiny.vae(), schedule=schedule, lr=0.02)
    assert seen == pytest.approx([step / 12 for step in range(12)])
    assert history.lr == pytest.approx([0.01] * 3)


def test_the_scheduled_rate_is_the_one_used() -> None:
    model = Scripted([0.0] * 4)
    run(model, epochs=4, batch_size=64, optimiser="sgd", lr=1.0, data=tiny.data(validation=0),
        schedule=lambda progress: 1 - progress)  # fmt: skip
    assert model.weight.item() == pytest.approx(1 + 0.75 + 0.5 + 0.25)


@pytest.mark.parametrize("optimiser", ["adam", "adamax", "sgd", lambda p: torch.optim.AdamW(p)])
def test_optimisers_move_all_weights(optimiser: Any) -> None:
    model = tiny.vae()
    before = tiny.weights(model)
    run(model, optimiser=optimiser)
    assert all(not torch.equal(before[name], value) for name, value in model.named_parameters())


def test_optimisers_are_the_ones_named() -> None:
    from coursekit.optimisation import make_optimiser

    kinds = {"adam": torch.optim.Adam, "adamax": torch.optim.Adamax, "sgd": torch.optim.SGD}
    for name, kind in kinds.items():
        made = make_optimiser(name, tiny.vae(), 0.3)
        assert type(made) is kind and made.param_groups[0]["lr"] == 0.3


def test_frozen_weights_stay() -> None:
    model = tiny.vae()
    model.decoder.requires_grad_(False)
    before = tiny.weights(model.decoder)
    run(model)
    assert tiny.same(before, tiny.weights(model.decoder))


@pytest.mark.parametrize("clip", [None, 0.01, 1e9])
def test_clip_bounds_the_norm_and_keeps_the_direction(clip: float | None) -> None:
    model = tiny.vae()
    gradients: list[Tensor] = []

    class Spy(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            grads = [p.grad.flatten() for group in self.param_groups for p in group["params"]]
            gradients.append(torch.cat(grads))

    run(model, optimiser=lambda p: Spy(p, lr=0.1), clip=clip, epochs=1, batch_size=64)
    free: list[Tensor] = gradients[:1]
    gradients.clear()
    run(tiny.vae(), optimiser=lambda p: Spy(p, lr=0.1), epochs=1, batch_size=64)
    assert free[0].norm() == pytest.approx(min(gradients[0].norm().item(), clip or 1e9), rel=1e-3)
    assert torch.cosine_similarity(free[0], gradients[0], dim=0) > 0.9999


# --- bad input, and what is printed ------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": -1}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": -3}, "batch_size"),
        ({"batch_size": 65}, "batch_size"),
        ({"patience": 0}, "patience"),
        ({"patience": 1, "data": tiny.data(validation=0)}, "patience"),
        ({"clip": 0.0}, "clip"),
        ({"clip": -1.0}, "clip"),
        ({"lr": 0.0}, "lr"),
        ({"lr": -1e-3}, "lr"),
        ({"lr": math.nan}, "lr"),
        ({"optimiser": "adamm"}, "optimiser"),
        ({"schedule": "cosin"}, "schedule"),
        ({"prepare": "gray"}, "gray"),
        ({"data": tiny.data(shape=(1, 8, 8))}, "shape"),
    ],
)
def test_bad_settings_get_one_sentence(change: dict[str, Any], word: str) -> None:
    model = tiny.vae()
    before = tiny.weights(model)
    with pytest.raises(CourseError, match=word) as caught:
        run(model, **change)
    assert one_sentence(caught.value)
    assert tiny.same(before, tiny.weights(model))


def test_a_model_with_nothing_to_train() -> None:
    with pytest.raises(CourseError, match="frozen"):
        run(tiny.vae().requires_grad_(False))
    with pytest.raises(CourseError, match="no parameter"):
        run(Model())


def test_quiet_and_loud(capsys: pytest.CaptureFixture[str]) -> None:
    run(tiny.vae(), progress=False, plot=True)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    history = run(tiny.vae(), progress=True)
    assert history.summary() in capsys.readouterr().out


def test_on_epoch_counts_from_one() -> None:
    seen: list[int] = []
    run(tiny.vae(), on_epoch=lambda epoch, _model: seen.append(epoch))
    assert seen == [1, 2, 3]
