"""How fit() ends: best weights, patience, Ctrl-C, divergence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import tiny
import torch
from tiny_training import (
    Recorder,
    Scripted,
    interrupt_after,
    one_sentence,
    run,
    run_script,
    stop_at,
)
from torch import Tensor, nn

from coursekit.models.base import Model
from coursekit.training import TrainingDiverged, mean_loss

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


def test_an_infinite_loss_is_found_before_the_epoch_is_over() -> None:
    class Infinite(Recorder):
        def loss(self, x: Tensor, y: Any = None, generator: Any = None) -> Tensor:
            return super().loss(x, y, generator) * 0 + math.inf  # the gradient is a finite 0

    model = Infinite()
    with pytest.raises(TrainingDiverged, match="all weights are finite"):
        run(model, batch_size=1)
    assert len(model.batches) == 50, "of 64 steps"


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


@pytest.mark.parametrize("first", [[3.0, math.inf, math.nan], [math.nan, math.inf, 3.0]])
def test_one_infinite_validation_loss_does_not_end_the_search(first: list[float]) -> None:
    model, history = run_script([*first, 2.0, 4.0])
    assert (history.best_epoch, model.weight.item()) == (4, 4)
    model, history = run_script(first[1:2] * 3)
    assert (history.best_epoch, model.weight.item()) == (0, 3)
    assert "3 epochs (finished)" in history.summary()
