"""fit(): repeatable, with fresh noise, measured right, clear about bad input."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from tiny_training import Recorder, Scripted, curves, one_sentence, run, run_script
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.models.base import Model
from coursekit.optimisation import cosine
from coursekit.training import mean_loss

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
    torch.rand(1)  # a state that no earlier run with the same seed could have left
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
