"""The VQ-VAE: shapes, loss, what learns from what, training with `fit`, a look at bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from tiny_training import curves, run
from torch import Tensor, nn

from coursekit.checkpoints import load_weights, save_weights
from coursekit.data import prepare
from coursekit.errors import CourseError
from coursekit.models.vqvae import KINDS, VQVAE, vqvae
from coursekit.networks import count_parameters

SMALL: dict[str, Any] = {
    "hidden": 8, "residual_hidden": 4, "codes": 8, "size": 3, "shape": (1, 8, 8),
    "levels": (2, 2, 2),
}  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS)


def made(seed: int = 0, **changes: Any) -> VQVAE:
    with tiny.seeded(seed):
        return vqvae(**(SMALL | changes))


def pictures(n: int, shape: tuple[int, ...] = (1, 8, 8)) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(3))


def data() -> Any:
    return tiny.data(shape=(1, 8, 8))


@every_kind
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 8, 12)])
def test_shapes(kind: str, shape: tuple[int, int, int]) -> None:
    model = made(shape=shape, quantiser=kind).eval()
    x = pictures(2, shape)
    height, width = shape[1] // 4, shape[2] // 4
    codes = model.codes_of(x)
    assert model.encode(x).shape == (2, 3, height, width)
    assert codes.shape == (2, height, width) and model.map_shape == (height, width)
    assert codes.dtype == torch.int64 and model.codes == 8
    shown = model.reconstruct(x)
    assert shown.shape == x.shape and shown.min() >= 0 and shown.max() <= 1
    assert torch.equal(shown, model.decode_codes(codes))
    assert model.loss(x).shape == (2,)


def test_the_size_of_the_network_that_the_course_reports() -> None:
    """Counted by hand: convolutions with their biases, residual blocks without, no codebook."""
    hidden, half, inside, size = 128, 64, 32, 64
    residual = hidden * inside * 9 + inside * hidden
    encoder = (3 * half * 16 + half) + (half * hidden * 16 + hidden)
    encoder += (hidden * hidden * 9 + hidden) + 2 * residual + (hidden * size + size)
    decoder = (size * hidden * 9 + hidden) + 2 * residual
    decoder += (hidden * half * 16 + half) + (half * 3 * 16 + 3)
    assert count_parameters(vqvae()) == encoder + decoder
    assert count_parameters(vqvae(quantiser="loss")) == encoder + decoder + 512 * size
    assert count_parameters(vqvae(residual_layers=0)) == encoder + decoder - 4 * residual


@every_kind
def test_loss_is_the_error_and_what_the_quantiser_adds(kind: str) -> None:
    model, x = made(quantiser=kind).eval(), pictures(3)
    quantised = model.quantiser.quantise(model.encoder(x - 0.5))
    shown = model.decoder(quantised.z_q) + 0.5
    error = (shown - x).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(model.loss(x), error + quantised.loss)
    torch.testing.assert_close(model.terms(x).error, error)
    assert torch.equal(model.loss(x[1:])[0], model.loss(x)[1]), "a picture's loss is its own"


@every_kind
def test_the_encoder_learns_past_the_codes(kind: str) -> None:
    model = made(quantiser=kind, commitment_cost=0.0)
    model.terms(pictures(3)).error.sum().backward()
    gradients = [p.grad for p in model.encoder.parameters()]
    assert all(g is not None and g.abs().sum() > 0 for g in gradients)
    if kind == "loss":
        assert model.quantiser.codebook.grad is None


def test_what_is_shown_is_clipped_and_what_is_learned_from_is_not() -> None:
    model, x = made().eval(), pictures(3)
    last = list(model.decoder.parameters())[-1]
    with torch.no_grad():
        last.fill_(2.0)
        assert (model.reconstruct(x) == 1).all()
    assert (model.terms(x).error > 1).all(), "a clipped error would have no gradient"


def test_commitment_reaches_the_encoder_alone() -> None:
    model = made(quantiser="ema")
    model.terms(pictures(3)).quantised.loss.sum().backward()
    assert all(p.grad is not None for p in model.encoder.parameters())
    assert all(p.grad is None for p in model.decoder.parameters())


@every_kind
def test_looking_at_codes_changes_nothing(kind: str) -> None:
    model = made(quantiser=kind, restart=1).train()
    before = tiny.weights(model)
    first = model.codes_of(pictures(4))
    assert torch.equal(model.codes_of(pictures(4)), first)
    model.reconstruct(pictures(4))
    assert tiny.same(before, tiny.weights(model)) and model.quantiser.training
    if kind != "fsq":
        model.loss(pictures(4))
        assert not tiny.same(before, tiny.weights(model)), "a training loss moves dead codes"
    model.eval().codes_of(pictures(4))
    assert not model.quantiser.training


@every_kind
def test_fit_trains_it_and_repeats_itself(kind: str) -> None:
    results = []
    for _ in range(2):
        model = made(quantiser=kind, restart=2)
        history = run(model, data=data(), prepare="grey", epochs=4)
        results.append((curves(history), tiny.weights(model)))
        assert history.train_loss[-1] < history.train_loss[0]
        assert history.unit == "squared grey range" and not model.quantiser.training
    assert results[0][0] == results[1][0] and tiny.same(results[0][1], results[1][1])


@pytest.mark.parametrize("kind", ["loss", "ema"])
def test_a_run_gone_on_with_is_the_run_in_one_go(kind: str, tmp_path: Path) -> None:
    """The codes' counts, their dead and the draws of the restarts are part of the state."""
    whole = made(quantiser=kind, restart=2)
    run(whole, data=data(), prepare="grey", epochs=4)

    def stop(epoch: int, _model: nn.Module) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    settings: dict[str, Any] = {"prepare": "grey", "epochs": 4, "resume": tmp_path / "run.pt"}
    run(made(quantiser=kind, restart=2), data=data(), on_epoch=stop, **settings)
    model = made(1, quantiser=kind, restart=2)
    run(model, data=data(), **settings)
    assert tiny.same(tiny.weights(model), tiny.weights(whole))


@every_kind
def test_weights_kept_in_16_bits_give_nearly_the_same_codes(kind: str, tmp_path: Path) -> None:
    # more than 1,024 numbers, so that the codebook too is halved
    sizes: dict[str, Any] = {"codes": 512, "levels": (8, 8, 8), "size": 3}
    model = made(quantiser=kind, restart=2, **sizes)
    run(model, data=data(), prepare="grey", epochs=2)
    save_weights(model, tmp_path / "m.safetensors", half=True)
    again = made(1, quantiser=kind, restart=2, **sizes)
    load_weights(again, tmp_path / "m.safetensors")
    x = prepare(data().test.pictures, "grey")
    torch.testing.assert_close(again.eval().reconstruct(x), model.reconstruct(x), atol=5e-2, rtol=0)
    counts = getattr(again.quantiser, "counts", torch.zeros(1))
    assert torch.isfinite(counts).all() and torch.isfinite(again.quantiser.codebook).all()


def test_it_has_nothing_to_draw_from() -> None:
    with pytest.raises(CourseError, match="no prior over its codes"):
        made().sample(3)


def test_bad_arguments_are_named() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"shape": (1, 30, 28)}, "30 x 28 is not divisible by 4"),
        ({"hidden": 7}, "hidden is 7"),
        ({"residual_layers": -1}, "residual_layers -1"),
        ({"quantiser": "vq"}, "the choices are loss, ema, rotation, fsq"),
        ({"quantiser": "fsq", "codes": 9}, "make 8 codes and codes is 9"),
    ]
    for changes, word in cases:
        with pytest.raises(CourseError, match=word):
            made(**changes)
    model = made()
    with pytest.raises(CourseError, match="VQ-VAE: the batch has shape"):
        model.loss(pictures(2, (1, 8, 12)))
    with pytest.raises(CourseError, match=r"expected \(B, 2, 2\)"):
        model.decode_codes(torch.zeros(1, 2, 3, dtype=torch.int64))
