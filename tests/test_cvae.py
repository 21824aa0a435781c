"""The conditional VAE: conditions, both terms, its likelihood, the baseline, and writing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from coursekit.checkpoints import BUILDERS
from coursekit.errors import CourseError
from coursekit.inference import conditional_log_prob
from coursekit.likelihoods import Bernoulli, Gaussian
from coursekit.models.conditions import Condition, Labels, Quadrants
from coursekit.models.cvae import CVAE, Completer, mlp_completer, mlp_cvae
from coursekit.models.vae import mlp_vae
from coursekit.models.writing import generate_images, number_image
from coursekit.networks import count_parameters
from coursekit.recipes import RECIPES

LABELS = torch.tensor([2, 0, 1])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cvae(seed: int = 0, **changes: Any) -> CVAE:
    """A CVAE of 4 x 4 pictures, livelier than fresh weights are."""
    settings: dict[str, Any] = {"latent_size": 2, "hidden": (8,), "shape": tiny.SHAPE}
    with tiny.seeded(seed), torch.no_grad():
        model = mlp_cvae(**(settings | changes))
        for parameter in model.parameters():
            parameter += 0.4 * torch.randn_like(parameter)
    return model.eval()


MODELS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "labels": {"classes": 3},
    "labels-prior": {"classes": 3, "conditional_prior": True},
    "quadrants": {"quadrants": 1},
    "quadrants-prior": {"quadrants": 2, "conditional_prior": True},
    "colour": {"classes": 3, "shape": (3, 4, 2), "likelihood": Gaussian()},
    "colour-quadrants": {"quadrants": 3, "shape": (3, 4, 2), "likelihood": "beta"},
}
every_model = pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS.keys())


# --- conditions --------------------------------------------------------------------------------

QUADRANTS = {
    1: ["0000", "0000", "1100", "1100"],
    2: ["1100", "1100", "1100", "1100"],
    3: ["1100", "1100", "1111", "1111"],
}


@pytest.mark.parametrize("observed", [1, 2, 3])
def test_quadrants_by_hand(observed: int) -> None:
    condition = Quadrants(observed, tiny.SHAPE)
    seen = torch.tensor([[int(pixel) for pixel in row] for row in QUADRANTS[observed]]).bool()
    assert torch.equal(condition.seen, seen[None, None])
    assert torch.equal(condition.hidden(), ~seen[None, None])
    x = torch.rand(3, *tiny.SHAPE, generator=rng())
    c = condition(x)
    assert c.shape == (3, condition.size) == (3, 4 * observed)
    for row, picture in zip(c, x, strict=True):
        values = [picture[0, i, j].item() for i in range(4) for j in range(4) if seen[i, j]]
        assert row.tolist() == values
    changed = torch.where(condition.hidden(), 1 - x, x)
    assert torch.equal(c, condition(changed)), "what is hidden is not told"


def test_quadrants_of_colour_pictures_that_are_not_square() -> None:
    condition = Quadrants(2, (3, 2, 6))
    assert condition.size == 3 * 2 * 3
    assert condition.seen[0, :, 0].int().tolist() == [[1, 1, 1, 0, 0, 0]] * 3
    x = torch.arange(36.0).view(1, 3, 2, 6)
    assert condition(x)[0].tolist() == x[0, :, :, :3].flatten().tolist()


def test_labels_by_hand() -> None:
    condition = Labels(3)
    c = condition(torch.zeros(3, *tiny.SHAPE), LABELS)
    assert c.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]] and c.dtype == torch.float32
    assert condition.size == 3 and condition.hidden() is None
    assert torch.equal(condition.one_hot(LABELS.byte()), c)


def test_nothing_is_told_by_the_condition_of_size_0() -> None:
    condition = Condition()
    assert condition(torch.ones(3, *tiny.SHAPE)).shape == (3, 0)
    assert condition.size == 0 and condition.hidden() is None


@pytest.mark.parametrize(
    ("ask", "word"),
    [
        (lambda: Labels(0), "classes is 0"),
        (lambda: Quadrants(0), "observed is 0"),
        (lambda: Quadrants(4), "observed is 4"),
        (lambda: Quadrants(1, (1, 5, 4)), "5 x 4"),
        (lambda: Quadrants(1, (1, 4, 3)), "4 x 3"),
        (lambda: Quadrants(1, tiny.SHAPE)(torch.zeros(2, 1, 8, 8)), r"\(B, 1, 4, 4\)"),
        (lambda: Quadrants(1, tiny.SHAPE)(torch.zeros(2, *tiny.SHAPE).byte()), "uint8"),
        (lambda: Labels(3)(tiny.binary(3)), "give them as y"),
        (lambda: Labels(3)(tiny.binary(2), LABELS), "2 pictures came with 3 labels"),
        (lambda: Labels(3).one_hot(torch.tensor([0, 3])), "label 3"),
        (lambda: Labels(3).one_hot(torch.tensor([-1])), "label -1"),
        (lambda: Labels(3).one_hot(torch.tensor([1.0])), "float32"),
        (lambda: Labels(3).one_hot(torch.tensor([True])), "bool"),
        (lambda: Labels(3).one_hot(torch.tensor(1)), r"\(B,\)"),
        (lambda: Labels(3).one_hot(torch.eye(3).long()), r"\(3, 3\)"),
        (lambda: mlp_cvae(classes=3, quadrants=1), "not both"),
        (lambda: mlp_cvae(conditional_prior=True), "needs a condition"),
        (lambda: mlp_cvae(quadrants=4), "observed is 4"),
        (lambda: mlp_cvae(classes=2, dropout=1.0), "dropout"),
        (lambda: mlp_completer(dropout=-0.1), "dropout"),
        (lambda: cvae(quadrants=1).sample(3), "sample_given"),
        (lambda: cvae(classes=3).sample(0), "n is 0"),
        (lambda: cvae(classes=3).loss(tiny.binary(3)), "give them as y"),
        (lambda: cvae(classes=3).sample_given(LABELS), r"shape \(3,\); expected \(3, 3\)"),
        (lambda: cvae(classes=3).encode(tiny.binary(3), torch.zeros(3, 2)), r"expected \(3, 3\)"),
        (lambda: cvae(classes=3).decode(torch.zeros(2, 2), torch.zeros(3, 3)), r"\(2, 3\)"),
        (lambda: baseline().sample(3), r"complete\(x\)"),
        (lambda: baseline().complete(torch.zeros(2, 1, 8, 8)), r"\(B, 1, 4, 4\)"),
    ],
)
def test_bad_input(ask: Callable[[], object], word: str) -> None:
    with pytest.raises(CourseError, match=word):
        ask()


# --- the model ---------------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian-per-pixel"])
def test_without_a_condition_it_is_the_vae_bit_for_bit(likelihood: str) -> None:
    settings: dict[str, Any] = {"latent_size": 2, "hidden": (8, 6), "shape": tiny.SHAPE}
    with tiny.seeded(3):
        plain = mlp_vae(**settings, likelihood=likelihood).eval()
    with tiny.seeded(3):
        conditional = mlp_cvae(**settings, likelihood=likelihood).eval()
    one, other = (list(model.state_dict().values()) for model in (plain, conditional))
    assert len(one) == len(other) >= 12
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    x = tiny.binary(5)
    for found, wanted in zip(
        conditional.elbo_terms(x, None, rng()), plain.elbo_terms(x, rng()), strict=True
    ):
        assert torch.equal(found, wanted)
    losses = [model.loss(x, torch.arange(5), rng()) for model in (plain, conditional)]
    assert torch.equal(losses[0], losses[1])
    for loss in losses:
        loss.sum().backward()
    for a, b in zip(plain.parameters(), conditional.parameters(), strict=True):
        assert a.grad is not None and b.grad is not None and torch.equal(a.grad, b.grad)
    for asked in ({}, {"mean": True}, {"temperature": 0.5}):
        pictures = [model.sample(6, generator=rng(1), **asked) for model in (plain, conditional)]
        assert torch.equal(pictures[0], pictures[1])


@every_model
def test_shapes_ranges_and_gradients(settings: dict[str, Any]) -> None:
    model = cvae(**settings)
    x = tiny.binary(3, shape=model.shape)
    terms = model.elbo_terms(x, LABELS, rng())
    assert all(term.shape == (3,) for term in terms)
    loss = model.loss(x, LABELS, rng())
    torch.testing.assert_close(loss, terms[1] - terms[0])
    loss.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    c = model.condition(x, LABELS)
    for mean in (True, False):
        pictures = model.sample_given(c, mean=mean, generator=rng())
        assert pictures.shape == x.shape and not pictures.requires_grad
        assert pictures.min() >= 0 and pictures.max() <= 1


@every_model
def test_the_generator_fixes_every_draw(settings: dict[str, Any]) -> None:
    model = cvae(**settings)
    x = tiny.binary(3, shape=model.shape)
    c = model.condition(x, LABELS)
    state = torch.get_rng_state()
    draws: list[Callable[[torch.Generator], Tensor]] = [
        lambda generator: model.loss(x, LABELS, generator),
        lambda generator: model.sample_given(c, generator=generator),
        lambda generator: conditional_log_prob(model, x, LABELS, samples=2, generator=generator),
    ]
    for draw in draws:
        assert torch.equal(draw(rng(0)), draw(rng(0)))
        assert not torch.equal(draw(rng(0)), draw(rng(1)))
    assert torch.equal(state, torch.get_rng_state()), "torch's own generator was used"


@pytest.mark.parametrize("prior", [True, False])
def test_the_terms_by_hand(prior: bool) -> None:
    model, x = cvae(classes=3, conditional_prior=prior), tiny.binary(3)
    c = torch.eye(3)[LABELS]
    mu, log_var = model.encoder(torch.cat([x.flatten(1), c], dim=1)).chunk(2, dim=1)
    z = mu + (log_var / 2).exp() * torch.empty(3, 2).normal_(generator=rng())
    logits = model.decoder(torch.cat([z, c], dim=1)).view(3, *tiny.SHAPE)
    known = Normal(torch.zeros(3, 2), 1.0)
    if prior:
        assert model.prior is not None
        mean, log_spread = model.prior(c).chunk(2, dim=1)
        known = Normal(mean, (log_spread / 2).exp())
    log_likelihood, kl = model.elbo_terms(x, LABELS, rng())
    torch.testing.assert_close(kl, kl_divergence(Normal(mu, (log_var / 2).exp()), known).sum(dim=1))
    each = torch.distributions.Bernoulli(logits=logits).log_prob(x)
    torch.testing.assert_close(log_likelihood, each.sum(dim=(1, 2, 3)))


def test_the_condition_reaches_encoder_decoder_and_prior() -> None:
    model, x = cvae(classes=3, conditional_prior=True), tiny.binary(1)
    one, other = model.condition.one_hot(torch.tensor([0, 2]))[:, None]  # type: ignore[operator]
    z = torch.zeros(1, 2)
    assert not torch.equal(model.encode(x, one)[0], model.encode(x, other)[0])
    assert not torch.equal(model.decode(z, one), model.decode(z, other))
    assert not torch.equal(model.prior_of(one)[0], model.prior_of(other)[0])
    plain = cvae(classes=3)
    assert all(value.count_nonzero() == 0 for value in plain.prior_of(one))


class Spy(Bernoulli):
    """Notes which values are asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Tensor | None] = []

    def log_prob(self, params: Tensor, x: Tensor, seen: Tensor | None = None) -> Tensor:
        self.asked.append(seen)
        return super().log_prob(params, x, seen)


@pytest.mark.parametrize("observed", [1, 2, 3])
def test_only_what_is_hidden_has_to_be_explained(observed: int) -> None:
    model, x = cvae(quadrants=observed, conditional_prior=True), tiny.binary(3)
    hidden = model.condition.hidden()
    assert hidden is not None
    # the decoder's last bias is one number a pixel: its gradient says which pixels count
    model.loss(x, generator=rng()).sum().backward()
    slope = model.decoder[-1].bias.grad.view(1, *tiny.SHAPE)  # type: ignore[index,union-attr]
    assert slope[~hidden].count_nonzero() == 0 and (slope[hidden] != 0).all()
    spy = Spy()
    model.likelihood = spy
    model.elbo_terms(x)
    for proposal in ("prior", "encoder"):
        model.log_weights(x, None, 2, proposal)
    assert len(spy.asked) == 3
    assert all(asked is not None and torch.equal(asked, hidden) for asked in spy.asked)


# --- samples -----------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", [True, False])
def test_samples_of_fixed_latents_are_fixed(prior: bool) -> None:
    model, c = cvae(classes=3, conditional_prior=prior), torch.eye(3)
    z = torch.randn(3, 2, generator=rng())
    found = model.sample_given(c, mean=True, z=z)
    assert torch.equal(found, model.sample_given(c, mean=True, z=z, temperature=9.0))
    assert torch.equal(found, model.decode(z, c))
    share = torch.stack([model.sample_given(c, z=z, generator=rng(i)) for i in range(600)])
    assert set(share.unique().tolist()) == {0.0, 1.0}
    assert (share.mean(dim=0) - found).abs().max() < 0.1


@pytest.mark.parametrize("prior", [True, False])
@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_latents_come_from_the_prior_given_the_condition(prior: bool, temperature: float) -> None:
    model = cvae(classes=3, conditional_prior=prior)
    noted: list[Tensor] = []
    model.decoder.register_forward_pre_hook(lambda _module, inputs: noted.append(inputs[0]))
    model.sample_given(torch.eye(3)[1].expand(4000, 3), temperature=temperature, generator=rng())
    z, c = noted[0].split([2, 3], dim=1)
    assert torch.equal(c, torch.eye(3)[1].expand(4000, 3))
    mean, log_var = model.prior_of(torch.eye(3)[1:2])
    spread = temperature * (log_var[0] / 2).exp()
    assert ((z.mean(dim=0) - mean[0]).abs() <= 4 * spread / math.sqrt(4000) + 1e-6).all()
    torch.testing.assert_close(z.std(dim=0), spread, rtol=0.06, atol=1e-6)


def test_noise_is_its_own_latent_where_the_prior_is_not_told() -> None:
    noise = torch.randn(3, 2, generator=rng())
    assert torch.equal(cvae(classes=3).place(noise, torch.eye(3)), noise)


def test_noise_is_placed_where_the_prior_of_its_condition_lies() -> None:
    model, c = cvae(classes=3, conditional_prior=True), torch.eye(3)
    noise = torch.empty(3, 2).normal_(generator=rng())
    mean, log_var = model.prior_of(c)
    assert torch.equal(model.place(torch.zeros(3, 2), c), mean)
    torch.testing.assert_close(model.place(noise, c), Normal(mean, (log_var / 2).exp()).icdf(
        Normal(0.0, 1.0).cdf(noise)
    ), rtol=1e-4, atol=1e-5)  # fmt: skip
    drawn = model.sample_given(c, mean=True, generator=rng())  # the same noise, drawn inside
    torch.testing.assert_close(model.decode(model.place(noise, c), c), drawn)


@pytest.mark.parametrize("prior", [True, False])
@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (3,)])
def test_noise_that_does_not_fit_is_refused(prior: bool, shape: tuple[int, ...]) -> None:
    model = cvae(classes=3, conditional_prior=prior)
    with pytest.raises(CourseError, match="a row for each condition"):
        model.place(torch.zeros(shape), torch.eye(3))
    with pytest.raises(CourseError, match=r"model\.condition"):
        model.place(torch.zeros(3, 2), torch.zeros(3, 4))


def test_samples_take_the_classes_by_turns() -> None:
    model = cvae(classes=3)
    found = model.sample(7, mean=True, generator=rng())
    c = torch.eye(3)[torch.tensor([0, 1, 2, 0, 1, 2, 0])]
    assert torch.equal(found, model.sample_given(c, mean=True, generator=rng()))


def test_dropout_is_for_training_alone() -> None:
    model = cvae(classes=3, dropout=0.5)
    x = tiny.binary(3)
    same = [torch.equal(*(model.train(mode).loss(x, LABELS, rng()) for _ in range(2)))
            for mode in (False, True)]  # fmt: skip
    assert same == [True, False]


# --- the conditional likelihood ----------------------------------------------------------------


def exact(model: CVAE, x: Tensor, y: Tensor | None) -> Tensor:
    """Log p(x|c) of a model with one latent, by quadrature on a fine grid."""
    with torch.no_grad():
        c = model.condition(x, y)
        mean, log_var = model.prior_of(c)
        offsets = torch.linspace(-7, 7, 1401)
        values = []
        for i in range(len(x)):
            spread = (log_var[i] / 2).exp()
            z = (mean[i] + spread * offsets)[:, None]
            params = model.parameters_of(z, c[i].expand(len(z), -1))
            each = model.likelihood.log_prob_each(params, x[i].expand(len(z), -1, -1, -1))
            hidden = model.condition.hidden()
            kept = each if hidden is None else each * hidden
            log_joint = kept.sum(dim=(1, 2, 3)) + Normal(0.0, 1.0).log_prob(offsets)
            values.append(torch.logsumexp(log_joint, 0) + math.log(14 / 1400))
        return torch.stack(values)


ONE_LATENT: dict[str, dict[str, Any]] = {
    name: MODELS[name] | {"latent_size": 1} for name in list(MODELS)[:5]
}


@pytest.mark.parametrize("proposal", ["prior", "encoder"])
@pytest.mark.parametrize("settings", ONE_LATENT.values(), ids=ONE_LATENT.keys())
def test_many_samples_reach_log_p(settings: dict[str, Any], proposal: str) -> None:
    model, x = cvae(**settings), tiny.binary(3)
    if proposal == "encoder":  # wide enough to propose what the true posterior holds
        with torch.no_grad():
            model.encoder[-1].weight.mul_(0.2)  # type: ignore[index,operator]
            model.encoder[-1].bias.copy_(torch.tensor([0.0, 1.0]))  # type: ignore[index]
    found = conditional_log_prob(
        model, x, LABELS, samples=20_000, proposal=proposal, generator=rng(), chunk=20_000
    )
    assert found.shape == (3,) and not found.requires_grad
    torch.testing.assert_close(found, exact(model, x, LABELS), rtol=0, atol=0.06)


@pytest.mark.parametrize("proposal", ["prior", "encoder"])
def test_the_estimate_rises_with_samples_and_stays_below(proposal: str) -> None:
    model, x = cvae(classes=3, latent_size=1), tiny.binary(1)
    y = LABELS[:1]
    many = x.expand(2000, -1, -1, -1), y.expand(2000)
    truth = exact(model, x, y).item()
    means, errors = [], []
    for samples in (1, 4, 16):
        found = conditional_log_prob(
            model, *many, samples=samples, proposal=proposal, generator=rng(samples)
        )
        means.append(found.mean().item())
        errors.append(found.std().item() / math.sqrt(2000))
    assert means[0] + 3 * errors[0] < means[1] and means[1] + 3 * errors[1] < means[2]
    assert means[2] < truth + 4 * errors[2]


def test_one_weight_of_the_encoder_is_the_elbo_of_its_draw() -> None:
    model, x = cvae(quadrants=2, conditional_prior=True), tiny.binary(4)
    with torch.no_grad():
        c = model.condition(x)
        (mu, log_var), (mean, log_spread) = model.encode(x, c), model.prior_of(c)
        z = mu + (log_var / 2).exp() * torch.empty(4, 2).normal_(generator=rng())
        log_likelihood, _ = model.elbo_terms(x, None, rng())
        log_q = Normal(mu, (log_var / 2).exp()).log_prob(z).sum(dim=1)
        log_p = Normal(mean, (log_spread / 2).exp()).log_prob(z).sum(dim=1)
        found = model.log_weights(x, None, 1, "encoder", rng())
    torch.testing.assert_close(found, (log_likelihood + log_p - log_q)[None])


class Table:
    """Log-weights from a table, (S, B), each to be asked for once; a picture holds its number."""

    def __init__(self, table: Tensor) -> None:
        self.table, self.taken, self.sizes = table, [0] * table.shape[1], list[int]()

    def log_weights(
        self, x: Tensor, y: Tensor | None, n: int, proposal: str, generator: torch.Generator | None
    ) -> Tensor:
        columns = x.flatten().long().tolist()
        assert y is None or y.tolist() == [10 * column for column in columns]
        self.sizes.append(n * len(x))
        rows = []
        for column in columns:
            rows.append(self.table[self.taken[column] : self.taken[column] + n, column])
            self.taken[column] += n
        return torch.stack(rows, dim=1)


@pytest.mark.parametrize("with_labels", [True, False])
@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7, 36, 1000])
def test_chunks_do_not_change_the_estimate(chunk: int, with_labels: bool) -> None:
    table = 30 * torch.randn(9, 4, generator=rng())
    model, x = Table(table), torch.arange(4.0).view(4, 1, 1, 1)
    y = 10 * torch.arange(4) if with_labels else None
    found = conditional_log_prob(model, x, y, samples=9, chunk=chunk)
    expected = table.double().exp().mean(dim=0).log().float()
    torch.testing.assert_close(found, expected)
    assert model.taken == [9] * 4 and max(model.sizes) <= chunk


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"proposal": "posterior"}, "'posterior'"),
        ({"samples": 0}, "samples is 0"),
        ({"chunk": 0}, "chunk 0"),
        ({"x": tiny.binary(3)[:0]}, "no picture"),
        ({"y": None}, "give them as y"),
        ({"y": LABELS[:2]}, "3 pictures came with 2 labels"),
        ({"x": tiny.binary(3, shape=(1, 8, 8))}, r"\(B, 1, 4, 4\)"),
    ],
)
def test_bad_input_of_the_estimate(change: dict[str, Any], word: str) -> None:
    arguments: dict[str, Any] = {"x": tiny.binary(3), "y": LABELS, "samples": 2} | change
    with pytest.raises(CourseError, match=word):
        conditional_log_prob(cvae(classes=3), arguments.pop("x"), arguments.pop("y"), **arguments)


# --- the baseline ------------------------------------------------------------------------------


def baseline(**changes: Any) -> Completer:
    settings: dict[str, Any] = {"hidden": (8,), "quadrants": 2, "shape": tiny.SHAPE}
    with tiny.seeded(0):
        return mlp_completer(**(settings | changes)).eval()


@pytest.mark.parametrize("observed", [1, 2, 3])
def test_the_baselines_loss_is_exact(observed: int) -> None:
    model, x = baseline(quadrants=observed), tiny.binary(3)
    seen = torch.tensor([[int(pixel) for pixel in row] for row in QUADRANTS[observed]]).bool()
    logits = model.network(x[:, 0, seen]).view(3, 4, 4)
    each = torch.distributions.Bernoulli(logits=logits).log_prob(x[:, 0])
    torch.testing.assert_close(model.loss(x), -each[:, ~seen].sum(dim=1))
    answer = model.complete(x)
    assert torch.equal(answer[:, 0, seen], x[:, 0, seen])
    torch.testing.assert_close(answer[:, 0, ~seen], torch.sigmoid(logits)[:, ~seen])
    assert not answer.requires_grad


@pytest.mark.parametrize("observed", [1, 2, 3])
@pytest.mark.parametrize("end", ["", "-digits"])
def test_the_baseline_is_as_large_as_the_decoder(observed: int, end: str) -> None:
    sizes = []
    for name, part in (("cvae", "decoder"), ("completer", "network")):
        recipe = RECIPES[f"{name}-quadrants-{observed}{end}"]
        model = BUILDERS[recipe.builder](**recipe.arguments)
        assert model.condition.observed == observed
        sizes.append(count_parameters(getattr(model, part)))
    assert abs(sizes[1] / sizes[0] - 1) < 0.05


# --- writing -----------------------------------------------------------------------------------


class Pen(nn.Module):
    """Writes each label as a picture of its brightness, and notes how it was asked."""

    device = torch.device("cpu")

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.condition: Condition = Labels(classes)
        self.asked: list[tuple[bool, float, torch.Generator | None]] = []

    def sample_given(
        self,
        c: Tensor,
        mean: bool = False,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        self.asked.append((mean, temperature, generator))
        assert c.shape[1] == self.condition.size and (c.sum(dim=1) == 1).all()
        return (c.argmax(dim=1) / 10)[:, None, None, None].expand(-1, 1, 2, 3)


GIVEN = {
    "list": [2, 8, 1, 0, 3],
    "tuple": (2, 8, 1, 0, 3),
    "array": np.array([2, 8, 1, 0, 3]),
    "small-array": np.array([2, 8, 1, 0, 3], dtype=np.uint8),
    "tensor": torch.tensor([2, 8, 1, 0, 3]),
    "bytes-tensor": torch.tensor([2, 8, 1, 0, 3], dtype=torch.uint8),
    "numpy-items": list(np.array([2, 8, 1, 0, 3])),
}


@pytest.mark.parametrize("labels", GIVEN.values(), ids=GIVEN.keys())
def test_pictures_of_labels_in_their_order(labels: Any) -> None:
    pictures = generate_images(Pen(), labels)
    assert pictures.shape == (5, 1, 2, 3)
    assert (10 * pictures[:, 0, 0, 0]).round().int().tolist() == [2, 8, 1, 0, 3]


WRITTEN = {
    "2810393592": "2810393592",
    "0042": "0042",
    "7": "7",
    2810393592: "2810393592",
    0: "0",
    np.int64(305): "305",
    10**30: "1" + "0" * 30,
}


@pytest.mark.parametrize(("number", "digits"), WRITTEN.items(), ids=[f"{n!r}" for n in WRITTEN])
def test_a_number_is_one_picture(number: Any, digits: str) -> None:
    picture = number_image(Pen(), number)
    assert picture.shape == (1, 2, 3 * len(digits))
    for row in (10 * picture[0]).round().int().tolist():
        assert row == [int(digit) for digit in digits for _ in range(3)]


def test_a_real_model_writes() -> None:
    model = cvae(classes=10)
    for found, wanted in (
        (generate_images(model, [3]), (1, 1, 4, 4)),
        (number_image(model, "031"), (1, 4, 12)),
    ):
        assert found.shape == wanted and found.min() > 0 and found.max() < 1
    digits = number_image(model, 31, generator=rng())
    apart = generate_images(model, [3, 1], generator=rng())
    assert torch.equal(digits, torch.cat([apart[0], apart[1]], dim=2))
    assert set(number_image(model, 31, mean=False).unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("write", [generate_images, number_image])
def test_settings_are_passed_on(write: Callable[..., Tensor]) -> None:
    pen, generator = Pen(), rng()
    text: Any = "12" if write is number_image else [1, 2]
    write(pen, text)
    write(pen, text, mean=False, temperature=0.3, generator=generator)
    assert pen.asked == [(True, 1.0, None), (False, 0.3, generator)]


BAD_LABELS: Sequence[Any] = (
    10, 3, -1, "a", "12", b"12", [], (), [1.5], [1.0], True, [True], None, [None], [10], [-1],
    ["1"], [1, 2, 10], [[1, 2]], torch.tensor(3), torch.tensor([1.0]), torch.tensor([True]),
    torch.tensor([], dtype=torch.long), np.array(3), np.array([2.0]), np.array([[1], [2]]), 3.7,
)  # fmt: skip


@pytest.mark.parametrize("labels", BAD_LABELS, ids=repr)
def test_bad_labels(labels: Any) -> None:
    with pytest.raises(CourseError, match="whole numbers from 0 to 9") as caught:
        generate_images(Pen(), labels)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 160
    empty = hasattr(labels, "__len__") and np.ndim(labels) and len(labels) == 0
    assert ("is empty" in message) == bool(empty)


def test_the_bad_label_and_its_place_are_named() -> None:
    with pytest.raises(CourseError, match=r"label 11 \(number 2 of 3\)"):
        generate_images(Pen(), [4, 11, 12])
    with pytest.raises(CourseError, match="from 0 to 2"):
        generate_images(Pen(3), [3])


BAD_NUMBERS: Sequence[Any] = (
    -5, 3.7, "²", "", "12a", "a", " 1", "1 ", "-1", "1.0", "1_0", "٣", True, False, None, [], [1],
    b"12", 5.0, np.bool_(True), torch.tensor(3), "1\n",
)  # fmt: skip


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=repr)
def test_bad_numbers(number: Any) -> None:
    with pytest.raises(CourseError, match="digits 0 to 9") as caught:
        number_image(Pen(), number)
    assert repr(number) in str(caught.value)


def test_writing_needs_labels() -> None:
    for write, asked in ((generate_images, [1]), (number_image, "1")):
        with pytest.raises(CourseError, match="not conditional on labels"):
            write(cvae(quadrants=1), asked)  # type: ignore[operator]
    with pytest.raises(CourseError, match="label 5"):
        number_image(Pen(3), 25)
