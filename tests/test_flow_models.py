"""Flows of pictures: stacks, labels, loss and samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
from tiny_flows import conv, flow, grey, lively, log_determinants, rng, undoes_itself
from torch import Tensor, nn

from coursekit.checkpoints import load_weights, save_weights
from coursekit.data.preparations import dequantise
from coursekit.errors import CourseError
from coursekit.models.conditions import Condition
from coursekit.models.flows import (
    AffineCoupling,
    Flow,
    MarginalGaussian,
    Scaling,
    VariationalDequantiser,
)
from coursekit.models.writing import generate_images, number_image

LABELS = torch.tensor([2, 0, 1])


MODELS: dict[str, Callable[[], Flow]] = {
    "realnvp": flow,
    "realnvp-labels": lambda: flow(classes=3),
    "realnvp-logit": lambda: flow(preprocessing="logit"),
    "realnvp-scale": lambda: flow(preprocessing="scale"),
    "nice": lambda: flow(additive=True),
    "nice-logit": lambda: flow(additive=True, preprocessing="logit"),
    "colour": lambda: flow(shape=(3, 2, 4), classes=3, noise=0.2),
    "deep": lambda: flow(couplings=10, noise=0.15),
    "conv": conv,
    "conv-uniform": lambda: conv(variational=False),
    "conv-labels": lambda: conv(classes=3),
    "conv-logit": lambda: conv(preprocessing="logit", steps=(2,)),
    "conv-colour": lambda: conv(shape=(3, 4, 8), preprocessing="scale"),
}
every_model = pytest.mark.parametrize("name", MODELS)


def told(model: Flow) -> Tensor | None:
    return LABELS if model.condition.size else None


def pixels(n: int = 3, seed: int = 0, shape: tuple[int, ...] = tiny.SHAPE) -> Tensor:
    return torch.rand(n, *shape, generator=rng(seed))


# --- the stacks --------------------------------------------------------------------------------


@every_model
def test_inverse_and_forward_undo_each_other(name: str) -> None:
    model = MODELS[name]()
    x = pixels(shape=model.shape)
    x[0, 0, 0, :2] = torch.tensor([1e-6, 1 - 1e-6])
    given = x.clone()
    undoes_itself(model, x, told(model))
    # z of no picture that was seen, but of one that the numbers near 1 can hold
    model, noise = model.double(), torch.randn(3, model.density.size, generator=rng(1))
    z = model.encode(pixels(seed=5, shape=model.shape).double(), told(model))[0] + 0.1 * noise
    kept = z.clone()
    c = model.condition(z, told(model)) if model.condition.size else None
    chain = model.density.bijection
    torch.testing.assert_close(chain(chain.inverse(z, c), c)[0], z, rtol=0, atol=1e-4)
    assert torch.equal(x, given) and torch.equal(z, kept), "an argument was changed in place"


@every_model
def test_the_determinant_is_that_of_the_jacobian(name: str) -> None:
    model = MODELS[name]().double()
    x = pixels(shape=model.shape).double()
    y = told(model)
    z, logdet = model.encode(x, y)
    assert z.shape == (3, math.prod(model.shape)) and logdet.shape == (3,)
    c = model.condition(x, y) if model.condition.size else None
    found = log_determinants(model.density.bijection, x[:2], c)
    torch.testing.assert_close(logdet[:2], found)
    log_p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1) + logdet
    torch.testing.assert_close(model.log_prob(x, y), log_p)


@every_model
def test_shapes_ranges_and_gradients(name: str) -> None:
    model = MODELS[name]()
    x, y = grey(3, shape=model.shape), told(model)
    loss = model.loss(x, y, rng())
    assert loss.shape == (3,)
    loss.sum().backward()
    for label, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, label
    drawn = model.sample(4, generator=rng())
    assert drawn.shape == (4, *model.shape) and not drawn.requires_grad
    assert drawn.min() >= 0 and drawn.max() <= 1 and drawn.std() > 0.1
    assert torch.equal(drawn, model.sample(4, mean=True, generator=rng()))


@every_model
def test_the_generator_fixes_every_draw(name: str) -> None:
    model = MODELS[name]()
    x, y = grey(3, shape=model.shape), told(model)
    state, given = torch.get_rng_state(), x.clone()
    draws: list[Callable[[torch.Generator], Tensor]] = [
        lambda generator: model.loss(x, y, generator),
        lambda generator: model.sample(4, generator=generator),
        lambda generator: model.log_weights(x, y, 2, generator),
    ]
    for draw in draws:
        one, other, third = (draw(rng(seed)) for seed in (0, 0, 1))
        assert torch.equal(one, other) and not torch.equal(one, third)
    assert torch.equal(state, torch.get_rng_state()), "torch's own generator was used"
    assert torch.equal(x, given)


@every_model
def test_another_flow_with_the_same_weights_is_the_same(name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    with tiny.seeded(7):
        other = MODELS[name]()
    lively(other, seed=5)
    x, y = grey(3, shape=model.shape), told(model)
    assert not torch.equal(other.loss(x, y, rng()), model.loss(x, y, rng()))
    save_weights(model, tmp_path / "flow.safetensors")
    load_weights(other, tmp_path / "flow.safetensors")
    assert torch.equal(other.loss(x, y, rng()), model.loss(x, y, rng()))
    assert torch.equal(other.sample(3, generator=rng()), model.sample(3, generator=rng()))


def test_nice_keeps_volumes_but_for_its_scaling() -> None:
    model = flow(additive=True, preprocessing="scale")
    steps = list(model.density.bijection.bijections)  # type: ignore[union-attr,arg-type]
    couplings = [step for step in steps if isinstance(step, AffineCoupling)]
    assert len(couplings) == 4 and all(step.additive for step in couplings)
    assert isinstance(steps[-1], Scaling)
    logdet = model.encode(pixels())[1]
    wanted = 16 * math.log(2) + steps[-1].log_scale.sum().item()
    torch.testing.assert_close(logdet, torch.full((3,), wanted))
    varied = flow(preprocessing="scale").encode(pixels())[1]
    assert varied.std() > 0.1, "affine couplings would"


def test_a_fresh_flow_is_its_preprocessing() -> None:
    model = flow(noise=0.0, preprocessing="scale")
    x = pixels()
    torch.testing.assert_close(model.encode(x)[0], (2 * x - 1).flatten(1))


def test_pictures_of_far_latents_stay_between_0_and_1() -> None:
    model = flow(preprocessing="scale")
    far = model.decode(20 * torch.randn(3, 16, generator=rng()))
    drawn = model.sample(3, temperature=20.0, generator=rng())
    for pictures in (far, drawn):
        assert (pictures.min(), pictures.max()) == (0, 1)


# --- the loss ----------------------------------------------------------------------------------


def test_the_loss_by_hand() -> None:
    model, x = flow(preprocessing="logit"), grey(3)
    noisy = dequantise((255 * x).round().byte(), rng())
    z, logdet = model.encode(noisy)
    log_p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1) + logdet
    found = model.loss(x, None, rng())
    torch.testing.assert_close(found, 16 * math.log(256) - log_p)
    bits = 8 - log_p / (16 * math.log(2))
    torch.testing.assert_close(model.bits_per_dim(found), bits)
    assert model.bits_per_dim(16 * math.log(2)) == pytest.approx(1.0)
    torch.testing.assert_close(model.log_weights(x, None, 1, rng())[0], -found.detach())


def test_before_anything_is_learned_a_picture_costs_8_bits() -> None:
    model = flow(noise=0.0)
    for module in model.modules():
        if isinstance(module, MarginalGaussian):  # as it stands before `count`
            module.logits.copy_(module.edges.diff().log().expand_as(module.logits))
    bits = model.bits_per_dim(model.loss(grey(3), generator=rng()))
    torch.testing.assert_close(bits, torch.full((3,), 8.0), rtol=1e-5, atol=0)


# --- labels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [flow, conv])
def test_without_classes_it_is_the_unconditional_flow_bit_for_bit(
    build: Callable[..., Flow],
) -> None:
    plain, model = build(), build(classes=0)
    assert type(model.condition) is Condition and model.condition.size == 0
    x = grey(3)
    for y in (None, LABELS, torch.tensor([9, 9, 9])):
        assert torch.equal(model.loss(x, y, rng()), plain.loss(x, None, rng()))
        assert torch.equal(model.encode(x, y)[0], plain.encode(x)[0])
    assert torch.equal(model.sample(3, generator=rng()), plain.sample(3, generator=rng()))
    assert torch.equal(
        model.sample_given(torch.zeros(3, 0), generator=rng()), plain.sample(3, generator=rng())
    )


@pytest.mark.parametrize("build", [flow, conv])
def test_the_label_changes_the_answer_and_only_through_its_weights(
    build: Callable[..., Flow],
) -> None:
    model, x = build(classes=3), pixels()
    other = LABELS.flip(0)  # the middle one stays
    a, b = model.log_prob(x, LABELS), model.log_prob(x, other)
    assert (a == b).tolist() == [False, True, False]
    z = torch.randn(3, 16, generator=rng())
    assert not torch.equal(model.decode(z, LABELS), model.decode(z, other))
    with torch.no_grad():
        for coupling in model.modules():
            if isinstance(coupling, AffineCoupling):
                first = next(m for m in coupling.modules() if isinstance(m, nn.Linear | nn.Conv2d))
                first.weight[:, -3:] = 0
    assert torch.equal(model.log_prob(x, LABELS), model.log_prob(x, other))
    fresh = build(classes=3, noise=0.0)
    assert torch.equal(fresh.log_prob(x, LABELS), fresh.log_prob(x, other))


@pytest.mark.parametrize("build", [flow, conv])
def test_samples_of_labels(build: Callable[..., Flow]) -> None:
    model = build(classes=3)
    turns = torch.tensor([0, 1, 2, 0, 1])
    z = torch.randn(5, 16, generator=rng())
    found = model.sample(5, generator=rng())
    torch.testing.assert_close(found, model.decode(z, turns))
    assert torch.equal(generate_images(model, [0, 1, 2, 0, 1], generator=rng()), found)
    cold = model.sample_given(torch.eye(3)[turns], temperature=0.3, generator=rng())
    torch.testing.assert_close(cold, model.decode(0.3 * z, turns))
    torch.testing.assert_close(model.sample(5, temperature=0.3, generator=rng()), cold)
    assert not torch.equal(generate_images(model, [1] * 5, generator=rng()), found)


def test_a_number_is_written() -> None:
    model = flow(classes=10)
    picture = number_image(model, "2810", temperature=0.7, generator=rng())
    assert picture.shape == (1, 4, 16)
    each = generate_images(model, [2, 8, 1, 0], temperature=0.7, generator=rng())
    assert torch.equal(picture, torch.cat(list(each), dim=2))
    with pytest.raises(CourseError, match="not conditional"):
        number_image(flow(), 3)


X = grey(3)
BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: flow(classes=3).loss(X), "give them as y"),
    (lambda: flow(classes=3).encode(X), "give them as y"),
    (lambda: flow(classes=3).decode(torch.zeros(3, 16)), "give them as y"),
    (lambda: flow(classes=3).loss(X, torch.tensor([0, 1])), "3 pictures came with 2 labels"),
    (lambda: flow(classes=3).decode(torch.zeros(3, 16), LABELS[:2]), "with 2 labels"),
    (lambda: flow(classes=3).loss(X, torch.tensor([0, 3, 1])), "label 3"),
    (lambda: flow(classes=3).loss(X, torch.tensor([0, -1, 1])), "label -1"),
    (lambda: flow(classes=3).loss(X, torch.rand(3)), "float32"),
    (lambda: conv(classes=3).log_prob(X, torch.eye(3).long()), r"\(3, 3\)"),
    (lambda: flow(classes=3).sample_given(LABELS), r"\(3,\); expected \(B, 3\)"),
    (lambda: flow(classes=3).sample_given(torch.eye(4)), r"\(4, 4\); expected \(B, 3\)"),
    (lambda: flow().sample_given(torch.eye(3)), r"\(3, 3\); expected \(B, 0\)"),
    (lambda: flow(classes=3).sample(0), "n is 0"),
    (lambda: generate_images(flow(classes=3), [3]), "The label 3"),
    (lambda: flow().loss(dequantise((255 * X).byte())), 'prepare="grey"'),
    (lambda: flow().loss(255 * X), 'prepare="grey"'),
    (lambda: flow().loss(2 * X - 1), 'prepare="grey"'),
    (lambda: flow().loss((255 * X).byte()), "uint8"),
    (lambda: flow().loss(grey(3, shape=(1, 4, 5))), r"\(3, 1, 4, 5\)"),
    (lambda: flow().loss(X[0]), r"\(1, 4, 4\)"),
    (lambda: flow().encode(X.flatten(1)), r"\(3, 16\)"),
    (lambda: flow().decode(torch.zeros(3, 15)), r"\(3, 15\); expected \(B, 16\)"),
    (lambda: flow().decode(torch.zeros(16)), r"\(16,\)"),
    (lambda: flow(couplings=0), "couplings is 0"),
    (lambda: flow(classes=-1), "classes is -1"),
    (lambda: conv(steps=(1, 1, 1)), "even H, W"),
]


@pytest.mark.parametrize(("ask", "word"), BAD)
def test_bad_input(ask: Callable[[], object], word: str) -> None:
    with pytest.raises(CourseError, match=word):
        ask()


def test_the_convolutional_flow_learns_its_noise_unless_told_not_to() -> None:
    assert isinstance(conv().dequantiser, VariationalDequantiser)
    assert not list(conv(variational=False).dequantiser.parameters())
