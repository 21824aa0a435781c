"""fit_gan(): the algorithm step by step, the average, snapshots, points, clear refusals."""

from __future__ import annotations

import copy
import math
import random
from typing import Any

import pytest
import tiny
import tiny_gans
import torch
from tiny_gans import curves, run, same_snapshots
from tiny_training import one_sentence
from torch import Tensor, nn

from coursekit.adversarial import LOSSES, gradient_penalty
from coursekit.data import DataSet
from coursekit.errors import CourseError
from coursekit.models.gan import GAN, point_gan
from coursekit.toys import ring, ring_centres
from coursekit.training import fit

# --- the algorithm, written out once more ------------------------------------------------------


def by_hand(
    model: GAN, data: DataSet, epochs: int, loss: str, lr: float, judge_lr: float,
    judge_steps: int, penalty: float, smooth: float, average: float = 0.0,
) -> tuple[list[list[float]], list[Tensor]]:  # fmt: skip
    """Train in turns; per epoch generator's loss, judge's loss, logits; and the averages."""
    pictures, rule, batch = data.train.pictures, LOSSES[loss], 16
    generator = torch.Generator().manual_seed(0)
    judge = torch.optim.Adam(model.discriminator.parameters(), judge_lr, betas=(0.4, 0.9))
    maker = torch.optim.Adam(model.generator.parameters(), lr, betas=(0.4, 0.9))
    means = [w.detach().clone() for w in model.generator.parameters()]
    rows, step = [], 0
    for _ in range(epochs):
        noted: list[list[float]] = [[], [], [], []]
        for index in torch.randperm(len(pictures), generator=generator).split(batch):
            step += 1
            real = pictures[index].float() / 255 * 2 - 1
            fake = model.generate(torch.randn(batch, model.latent_size, generator=generator))
            for_real, for_fake = model.judge(real), model.judge(fake.detach())
            cost = rule.discriminator(for_real, for_fake, smooth)
            if penalty:
                mix = torch.rand(batch, generator=generator)
                cost = cost + penalty * gradient_penalty(model.judge, real, fake, mix).mean()
            judge.zero_grad()
            cost.backward()
            judge.step()
            noted[1].append(cost.item())
            noted[2].append(for_real.mean().item())
            noted[3].append(for_fake.mean().item())
            if step % judge_steps == 0:
                turn = step // judge_steps
                cost = rule.generator(model.judge(fake))
                maker.zero_grad()
                cost.backward()
                maker.step()
                noted[0].append(cost.item())
                decay = min(average, (1 + turn) / (10 + turn))
                for mean, weight in zip(means, model.generator.parameters(), strict=True):
                    mean += (1 - decay) * (weight.detach() - mean)
        rows.append([sum(values) / len(values) for values in noted])
    return rows, means


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("judge_steps", "penalty"), [(1, 0.0), (1, 2.0), (3, 0.0), (2, 10.0)])
def test_training_is_the_algorithm(loss: str, judge_steps: int, penalty: float) -> None:
    settings: dict[str, Any] = {
        "loss": loss, "lr": 3e-3, "judge_lr": 1e-2, "judge_steps": judge_steps, "penalty": penalty,
        "smooth": 0.2 if LOSSES[loss].smoothed else 0.0,
    }  # fmt: skip
    one, other = (tiny_gans.mlp(dropout=0.0).train() for _ in range(2))
    history = run(one, betas=(0.4, 0.9), **settings)
    rows, _ = by_hand(other, tiny.data(), 3, **settings)
    lists = zip(history.generator_loss, history.judge_loss, history.real_logit,
                history.fake_logit, strict=True)  # fmt: skip
    for found, expected in zip(lists, rows, strict=True):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=1e-3, atol=2e-5)


def test_the_average_is_what_the_model_has_in_the_end() -> None:
    settings: dict[str, Any] = {
        "loss": "hinge", "lr": 1e-2, "judge_lr": 1e-2, "judge_steps": 1, "penalty": 0.0,
        "smooth": 0.0, "average": 0.7,
    }  # fmt: skip
    one, other = (tiny_gans.mlp(dropout=0.0).train() for _ in range(2))
    run(one, betas=(0.4, 0.9), epochs=5, **settings)
    _, means = by_hand(other, tiny.data(), 5, **settings)
    for mean, raw, found in zip(
        means, other.generator.parameters(), one.generator.parameters(), strict=True
    ):
        torch.testing.assert_close(found, mean, rtol=1e-3, atol=2e-5)
        assert not torch.allclose(found, raw, rtol=1e-3, atol=2e-5)
    for found, raw in zip(
        one.discriminator.parameters(), other.discriminator.parameters(), strict=True
    ):
        torch.testing.assert_close(found, raw, rtol=1e-3, atol=2e-5)


def test_batchnorm_statistics_fit_the_averaged_weights() -> None:
    """A running statistic of the weights in training would be far off after twelve steps."""
    model = tiny_gans.conv()
    run(model, average=0.9, lr=5e-2)
    seen: dict[int, Tensor] = {}
    norms = [m for m in model.generator.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [
        norm.register_forward_hook(lambda _m, _i, out, k=k: seen.update({k: out.detach()}))
        for k, norm in enumerate(norms)
    ]
    model.sample(4000, generator=torch.Generator().manual_seed(9))
    for hook in hooks:
        hook.remove()
    for k, norm in enumerate(norms):
        assert norm.momentum == 0.1, "as it was"
        assert not norm.training
        spread = norm.weight.abs().detach()
        assert ((seen[k].mean(dim=(0, 2, 3)) - norm.bias.detach()).abs() < 0.1 * spread).all()
        assert torch.allclose(seen[k].std(dim=(0, 2, 3)), spread, rtol=0.1)


def test_without_an_average_the_last_weights_stay_with_their_running_statistics() -> None:
    model = tiny_gans.conv()
    states: list[dict[str, Tensor]] = []
    run(model, on_epoch=lambda _epoch, shown: states.append(tiny.weights(shown)))
    assert tiny.same(states[-1], tiny.weights(model))
    assert not tiny.same(states[-2], states[-1])
    counted = [b for name, b in model.named_buffers() if name.endswith("num_batches_tracked")]
    assert [int(count) for count in counted] == [12, 12]


# --- what the players see ----------------------------------------------------------------------


class Watched(GAN):
    """Keeps what its discriminator is shown, and whether gradients came along."""

    def __init__(self) -> None:
        model = tiny_gans.mlp(dropout=0.0)
        super().__init__(model.generator, model.discriminator, 3, tiny.SHAPE)
        self.shown: list[Tensor] = []

    def judge(self, x: Tensor) -> Tensor:
        self.shown.append(x)
        return super().judge(x)


def test_real_pictures_are_on_the_generators_scale_and_each_comes_once() -> None:
    model, data = Watched(), tiny.data()
    run(model, data=data, epochs=2)
    real = [x for k, x in enumerate(model.shown) if k % 3 == 0]
    wanted = data.train.pictures.double() / 255 * 2 - 1
    for epoch in (real[:4], real[4:]):
        gap = torch.cdist(torch.cat(epoch).flatten(1).double(), wanted.flatten(1))
        assert sorted(gap.argmin(dim=1).tolist()) == list(range(64))
        assert gap.min(dim=1).values.max() < 1e-5
    assert not torch.equal(real[0], real[4]), "another order"


def test_the_generators_pictures_are_cut_off_for_the_discriminators_step() -> None:
    model = Watched()
    run(model, epochs=1)
    assert [x.requires_grad for x in model.shown] == [False, False, True] * 4
    assert torch.equal(model.shown[1], model.shown[2]), "the same pictures, judged anew"
    assert not torch.equal(model.shown[2], model.shown[5]), "fresh latents in each step"


def test_each_step_changes_one_player_only(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_gans.mlp()
    players = {"generator": model.generator, "discriminator": model.discriminator}
    before = {name: tiny.weights(player) for name, player in players.items()}
    moved: list[set[str]] = []
    step = torch.optim.Adam.step

    def watched(self: Any, closure: Any = None) -> None:
        step(self)
        now = {name: tiny.weights(player) for name, player in players.items()}
        moved.append({name for name in players if not tiny.same(now[name], before[name])})
        before.update(now)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    run(model, epochs=2, judge_steps=3)  # 8 steps: the generator's turn after 3 and 6
    turn = [{"discriminator"}] * 3 + [{"generator"}]
    assert moved == turn + turn + [{"discriminator"}] * 2


def test_both_players_are_in_training_mode_and_then_not() -> None:
    model = tiny_gans.mlp().eval()
    modes: list[bool] = []
    judge = model.judge
    model.judge = lambda x: (modes.append(model.discriminator.training), judge(x))[1]  # type: ignore[method-assign]
    run(model, epochs=1, on_epoch=lambda _e, shown: modes.append(shown.training))
    assert modes == [True] * 12 + [False]
    assert not model.training


# --- repeatable --------------------------------------------------------------------------------


def test_same_seed_same_run_whatever_was_drawn_before() -> None:
    models = [tiny_gans.mlp() for _ in range(3)]
    first = run(models[0], average=0.9, snapshots=(0, 3))
    torch.rand(7)
    second = run(models[1], average=0.9, snapshots=(0, 3))
    other = run(models[2], average=0.9, snapshots=(0, 3), seed=1)
    assert curves(first) == curves(second) and same_snapshots(first, second)
    assert tiny.same(tiny.weights(models[0]), tiny.weights(models[1]))
    assert curves(first) != curves(other) and not same_snapshots(first, other)


def test_global_random_state_and_data_are_left_alone() -> None:
    torch.rand(1)
    data = tiny.data()
    kept = torch.get_rng_state(), random.getstate(), data.train.pictures.clone()
    run(tiny_gans.mlp(), data=data, average=0.9, snapshots=(1,), penalty=1.0)
    assert torch.equal(kept[0], torch.get_rng_state()) and kept[1] == random.getstate()
    assert torch.equal(kept[2], data.train.pictures)


@pytest.mark.parametrize("make", [tiny_gans.mlp, tiny_gans.conv])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_looking_changes_nothing(make: Any, average: float) -> None:
    def look(_epoch: int, model: Any) -> None:
        model.sample(5)
        with torch.no_grad():
            for weights in model.parameters():
                weights.zero_()  # even this: what is shown with an average is a copy of its own

    one, other = make(), make()
    plain = run(one, average=average)
    looked = run(other, average=average, snapshots=(0, 1, 2, 3), on_epoch=look)
    assert curves(plain) == curves(looked)
    assert tiny.same(tiny.weights(one), tiny.weights(other))


def test_on_epoch_sees_the_model_as_it_would_be_in_the_end() -> None:
    shown: list[dict[str, Tensor]] = []
    run(tiny_gans.conv(), average=0.8, on_epoch=lambda _e, m: shown.append(tiny.weights(m)))
    for epochs in (1, 2, 3):
        short = tiny_gans.conv()
        run(short, average=0.8, epochs=epochs)
        assert tiny.same(tiny.weights(short), shown[epochs - 1])


# --- snapshots ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tiny_gans.mlp, tiny_gans.conv])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_snapshots_show_the_same_latents(make: Any, average: float) -> None:
    models: dict[int, GAN] = {0: make().eval()}
    model = make()
    history = run(
        model, average=average, snapshots=(0, 2, 3),
        on_epoch=lambda epoch, shown: models.update({epoch: copy.deepcopy(shown)}),
    )  # fmt: skip
    assert sorted(history.snapshots) == [0, 2, 3]
    z = model.draw_latents(64, torch.Generator().manual_seed(1))  # the run's seed is 0
    for epoch, pictures in history.snapshots.items():
        assert pictures.dtype == torch.uint8 and pictures.shape == (64, *tiny.SHAPE)
        with torch.no_grad():
            made = 255 * models[epoch].decode(z)
        assert (pictures.float() - made).abs().max() <= 0.5 + 1e-3
    assert history.snapshots[2].float().std() > 0


def test_no_snapshots_unless_asked() -> None:
    assert run(tiny_gans.mlp()).snapshots == {}
    assert sorted(run(tiny_gans.mlp(), snapshots=[2, 9]).snapshots) == [2]


# --- points ------------------------------------------------------------------------------------


def test_points_are_taken_as_they_are() -> None:
    with tiny.seeded(0):
        model = point_gan(latent_size=2, width=32)
        points = torch.tensor([3.0, -2.0]) + 0.1 * torch.randn(640, 2)
    history = run(model, data=points, epochs=40, batch_size=64, lr=2e-3, average=0.9,
                  snapshots=(0, 40))  # fmt: skip
    made = model.sample(500, generator=torch.Generator().manual_seed(0))
    assert (made.mean(dim=0) - torch.tensor([3.0, -2.0])).norm() < 0.5
    assert history.snapshots[40].shape == (1000, 2)
    assert history.snapshots[40].is_floating_point()
    assert history.snapshots[0].mean().abs() < 1
    assert history.stopped == "finished" and len(history) == 40


def test_ring() -> None:
    centres = ring_centres(8, 2.0)
    assert torch.allclose(centres.norm(dim=1), torch.full((8,), 2.0))
    assert torch.allclose(centres[0], torch.tensor([2.0, 0.0]), atol=1e-6)
    assert torch.allclose(centres[2], torch.tensor([0.0, 2.0]), atol=1e-6)
    points = ring(20_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(points, ring(20_000, generator=torch.Generator().manual_seed(0)))
    distance, nearest = torch.cdist(points, centres).min(dim=1)
    assert distance.max() < 0.3
    assert (torch.bincount(nearest) / 20_000 - 1 / 8).abs().max() < 0.01
    away = points - centres[nearest]
    assert (away.std(dim=0) - 0.05).abs().max() < 0.002 and away.mean(dim=0).abs().max() < 0.002
    with pytest.raises(CourseError, match="modes"):
        ring(5, modes=0)


# --- refusals, and what is printed -------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 65}, "batch_size"),
        ({"loss": "ns"}, "the losses are"),
        ({"lr": 0.0}, "lr"),
        ({"lr": math.nan}, "lr"),
        ({"judge_lr": -1.0}, "judge_lr"),
        ({"judge_steps": 0}, "judge_steps"),
        ({"judge_steps": 5}, "judge_steps"),
        ({"penalty": -1.0}, "penalty"),
        ({"penalty": math.nan}, "penalty"),
        ({"average": 1.0}, "average"),
        ({"average": -0.1}, "average"),
        ({"smooth": 1.0}, "smooth"),
        ({"smooth": 0.1, "loss": "hinge"}, "smooth"),
        ({"data": tiny.data(shape=(1, 8, 8))}, "shape"),
    ],
)
def test_bad_settings_get_one_sentence(change: dict[str, Any], word: str) -> None:
    model = tiny_gans.mlp()
    before = tiny.weights(model)
    with pytest.raises(CourseError, match=word) as caught:
        run(model, **change)
    assert one_sentence(caught.value)
    assert tiny.same(before, tiny.weights(model))


def test_fit_sends_a_gan_to_its_own_loop() -> None:
    with pytest.raises(CourseError, match="fit_gan"):
        fit(tiny_gans.mlp(), tiny.data(), epochs=1, batch_size=16, progress=False)


def test_quiet_and_loud(capsys: pytest.CaptureFixture[str]) -> None:
    run(tiny_gans.mlp(), plot=True)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    history = run(tiny_gans.mlp(), progress=True)
    out = capsys.readouterr().out
    assert history.summary() in out
    assert "3 epochs (finished): generator's loss" in history.summary()
    assert "epoch 3/3" in out or "epoch 2/3" in out or "batches" in out


def test_history_draws_both_players() -> None:
    history = run(tiny_gans.mlp())
    lists = (history.generator_loss, history.judge_loss, history.real_logit, history.fake_logit)
    assert [len(entries) for entries in (*lists, history.seconds)] == [3] * 5
    axes = history.plot().axes[0]
    assert [line.get_ydata().tolist() for line in axes.get_lines()][:2] == list(lists[:2])
