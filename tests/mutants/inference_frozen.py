"""Answers to the exercise of notebook 04 on a loop that updates the decoder as well."""

import copy

import torch
import torch.nn.functional as F
from torch.func import functional_call

from coursekit import checks
from mutants import Exercise

frozen = Exercise("frozen-decoder-bug", checks.frozen_decoder_bug, ("infer_mean",))


def log_bernoulli(x, a):
    return (x * a - F.softplus(a)).sum(1)


def inferred(
    likelihood=log_bernoulli,
    pull=lambda mu: mu.square().sum(1) / 2,
    join=lambda a, b: (a - b).sum(),
    rows=lambda noises, steps: noises[:steps],
    step=lambda value, slope, lr, t: value + lr * slope,
    start=lambda noises: torch.zeros_like(noises[0]),
    z_of=lambda mu, noise: mu + noise,
):
    """The right loop, with a part replaced."""

    def infer_mean(x, decoder, steps, lr, noises):
        mu = start(noises)
        for t, noise in enumerate(rows(noises, steps)):
            mu = mu.detach().requires_grad_()
            elbo = join(likelihood(x, decoder(z_of(mu, noise))), pull(mu))
            (slope,) = torch.autograd.grad(elbo, [mu])
            mu = step(mu, slope, lr, t)
        return mu.detach()

    return infer_mean


def with_detached_weights(x, decoder, steps, lr, noises):
    weights = {name: weight.detach() for name, weight in decoder.named_parameters()}
    mu = torch.zeros(len(x), noises.shape[2], requires_grad=True)
    stepper = torch.optim.SGD([mu], lr=lr)
    for noise in noises[:steps]:
        stepper.zero_grad()
        logits = functional_call(decoder, weights, (mu + noise,))
        cost = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        (cost + 0.5 * (mu * mu).sum()).backward()
        stepper.step()
    return mu.detach()


def with_a_copy(x, decoder, steps, lr, noises):
    decoder = copy.deepcopy(decoder).requires_grad_(False)
    mu = noises.new_zeros(noises.shape[1:])
    for t in range(steps):
        mu = mu.detach().requires_grad_()
        (log_bernoulli(x, decoder(mu + noises[t])).sum() - 0.5 * mu.pow(2).sum()).backward()
        mu = mu.detach() + lr * mu.grad
    return mu


def switched_off_and_back(x, decoder, steps, lr, noises):
    states = [weight.requires_grad for weight in decoder.parameters()]
    decoder.requires_grad_(False)
    mu = with_a_copy(x, decoder, steps, lr, noises)
    for weight, state in zip(decoder.parameters(), states, strict=True):
        weight.requires_grad_(state)
    return mu


frozen.right("autograd.grad", inferred())
frozen.right("weights detached", with_detached_weights)
frozen.right("a copy of the decoder", with_a_copy)
frozen.right("switched off and back", switched_off_and_back)


def published(x, decoder, steps, lr, noises):
    mu = torch.zeros(len(x), noises.shape[2], requires_grad=True)
    stepper = torch.optim.SGD([mu, *decoder.parameters()], lr=lr)
    for noise in noises[:steps]:
        elbo = log_bernoulli(x, decoder(mu + noise)) - 0.5 * mu.square().sum(1)
        stepper.zero_grad()
        (-elbo.sum()).backward()
        stepper.step()
    return mu.detach()


def published_and_cleaned(x, decoder, steps, lr, noises):
    mu = published(x, decoder, steps, lr, noises)
    decoder.zero_grad()
    return mu


def published_on_a_copy(x, decoder, steps, lr, noises):
    return published(x, copy.deepcopy(decoder), steps, lr, noises)


def weights_put_back(x, decoder, steps, lr, noises):
    kept = copy.deepcopy(decoder.state_dict())
    mu = published(x, decoder, steps, lr, noises)
    decoder.load_state_dict(kept)
    decoder.zero_grad()
    return mu


def gradients_left(x, decoder, steps, lr, noises):
    mu = torch.zeros(len(x), noises.shape[2], requires_grad=True)
    stepper = torch.optim.SGD([mu], lr=lr)
    for noise in noises[:steps]:
        elbo = log_bernoulli(x, decoder(mu + noise)) - 0.5 * mu.square().sum(1)
        stepper.zero_grad()
        (-elbo.sum()).backward()
        stepper.step()
    return mu.detach()


def zeros_left(x, decoder, steps, lr, noises):
    mu = gradients_left(x, decoder, steps, lr, noises)
    decoder.zero_grad(set_to_none=False)
    return mu


def left_switched_off(x, decoder, steps, lr, noises):
    for weight in decoder.parameters():
        weight.requires_grad_(False)
    return gradients_left(x, decoder, steps, lr, noises)


def all_switched_on(x, decoder, steps, lr, noises):
    decoder.requires_grad_(False)
    mu = gradients_left(x, decoder, steps, lr, noises)
    decoder.requires_grad_(True)
    return mu


def first_weight_switched_off(x, decoder, steps, lr, noises):
    next(decoder.parameters()).requires_grad_(False)
    mu = gradients_left(x, decoder, steps, lr, noises)
    decoder.zero_grad()
    return mu


def under_no_grad(x, decoder, steps, lr, noises):
    mu = torch.zeros(len(x), noises.shape[2])
    for noise in noises[:steps]:
        mu = mu.detach().requires_grad_()
        with torch.no_grad():
            logits = decoder(mu + noise)
        (slope,) = torch.autograd.grad(log_bernoulli(x, logits).sum() - mu.square().sum() / 2, [mu])
        mu = mu + lr * slope
    return mu.detach()


def by_optimiser(make, zero=True):
    def infer_mean(x, decoder, steps, lr, noises):
        decoder = copy.deepcopy(decoder)
        mu = torch.zeros(len(x), noises.shape[2], requires_grad=True)
        stepper = make([mu], lr)
        for noise in noises[:steps]:
            if zero:
                stepper.zero_grad()
            (mu.square().sum() / 2 - log_bernoulli(x, decoder(mu + noise)).sum()).backward()
            stepper.step()
        return mu.detach()

    return infer_mean


def pictures_in_place(x, decoder, steps, lr, noises):
    noises.mul_(1.0).add_(1e-3)
    return inferred()(x, decoder, steps, lr, noises)


def switched(mode):
    def infer_mean(x, decoder, steps, lr, noises):
        getattr(decoder, mode)()
        return inferred()(x, decoder, steps, lr, noises)

    return infer_mean


def one_history(x, decoder, steps, lr, noises):
    """Right numbers, with the whole history attached."""
    mu = torch.zeros_like(noises[0]).requires_grad_()
    for noise in noises[:steps]:
        elbo = log_bernoulli(x, decoder(mu + noise)) - mu.square().sum(1) / 2
        (slope,) = torch.autograd.grad(elbo.sum(), [mu])
        mu = mu + lr * slope
    return mu


def naive(x, a, eps=0.0):
    p = torch.sigmoid(a)
    return (x * (p + eps).log() + (1 - x) * (1 - p + eps).log()).sum(1)


def nearly_naive(x, a):
    return naive(x, a, 1e-7)


bce = F.binary_cross_entropy_with_logits
frozen.wrong(
    ("as published", "decoder's weights are changed", published),
    ("published, gradients removed", "decoder's weights are changed", published_and_cleaned),
    ("published, on a copy", "bug is still there", published_on_a_copy),
    ("published, weights put back", "bug is still there", weights_put_back),
    ("gradients left", "gradients are left behind", gradients_left),
    ("zeros left", ".grad of zeros", zeros_left),
    ("left switched off", "is switched off afterwards", left_switched_off),
    ("all switched on", "switched on where it had been off", all_switched_on),
    ("one left switched off", "is switched off afterwards", first_weight_switched_off),
    ("mode switched to evaluation", "in evaluation mode afterwards", switched("eval")),
    ("mode switched to training", "in training mode afterwards", switched("train")),
    ("leaf returned", "gradient history", lambda *a: inferred()(*a).requires_grad_()),
    ("history attached", "gradient history", one_history),
    ("from the probability", "rounds to 0 or 1", inferred(likelihood=naive)),
    ("with a small constant", "rounds to 0 or 1", inferred(likelihood=nearly_naive)),
    (
        "logits cut off",
        "the slope is lost",
        inferred(likelihood=lambda x, a: log_bernoulli(x, a.clamp(-10, 10))),
    ),
    ("decoder under no_grad", "stays at 0", under_no_grad),
    ("zeros", "stays at 0", lambda x, d, s, lr, n: torch.zeros_like(n[0])),
    ("descent", "descent", inferred(step=lambda value, slope, lr, t: value - lr * slope)),
    (
        "KL added",
        "divergence comes in with the wrong sign",
        inferred(join=lambda a, b: (a + b).sum()),
    ),
    (
        "cross-entropy",
        "log-likelihood comes in with the wrong sign",
        inferred(join=lambda a, b: (-a - b).sum()),
    ),
    ("no KL", "divergence from the prior is missing", inferred(join=lambda a, b: a.sum())),
    ("KL without half", "counts twice", inferred(pull=lambda mu: mu.square().sum(1))),
    ("KL halved twice", "counts half", inferred(pull=lambda mu: mu.square().sum(1) / 4)),
    ("mean over the batch", "average over the batch", inferred(join=lambda a, b: (a - b).mean())),
    (
        "torch's default mean",
        "mean over batch and pixels",
        inferred(likelihood=lambda x, a: -bce(a, x), join=lambda a, b: a - b.sum()),
    ),
    (
        "torch's default mean, and a mean",
        "average over batch and pixels",
        inferred(likelihood=lambda x, a: -bce(a, x), join=lambda a, b: a - b.mean()),
    ),
    (
        "mean over the pixels",
        "mean over the pixels",
        inferred(likelihood=lambda x, a: (x * a - F.softplus(a)).mean(1)),
    ),
    ("mean decoded", "decode the mean", inferred(z_of=lambda mu, noise: mu)),
    (
        "noise subtracted",
        "noise comes in with the wrong sign",
        inferred(z_of=lambda mu, noise: mu - noise),
    ),
    (
        "draws its own noise",
        "drawn at random",
        inferred(z_of=lambda mu, noise: mu + torch.randn_like(noise)),
    ),
    ("first noise reused", "first row of noises", inferred(rows=lambda n, s: [n[0]] * s)),
    ("backwards", "from the last to the first", inferred(rows=lambda n, s: n[:s].flip(0))),
    ("all rows", "for every row of noises", inferred(rows=lambda n, s: n)),
    ("a step missing", "step is missing", inferred(rows=lambda n, s: n[: s - 1])),
    ("return in the loop", "Only one step", inferred(rows=lambda n, s: n[:1])),
    (
        "one noise for all",
        "first one's noise",
        inferred(rows=lambda n, s: n[:s, :1].expand_as(n[:s])),
    ),
    ("starts at the noise", "start at the noise", inferred(start=lambda n: n[0].clone())),
    ("starts at random", "drawn at random", inferred(start=lambda n: torch.randn_like(n[0]))),
    (
        "gradients pile up",
        "pile up",
        by_optimiser(lambda psi, lr: torch.optim.SGD(psi, lr), zero=False),
    ),
    ("momentum", "momentum", by_optimiser(lambda psi, lr: torch.optim.SGD(psi, lr, momentum=0.9))),
    ("Adam", "Adam's", by_optimiser(lambda psi, lr: torch.optim.Adam(psi, lr))),
    (
        "steps get shorter",
        "get shorter",
        inferred(step=lambda value, slope, lr, t: value + lr / (t + 1) * slope),
    ),
    ("first picture for all", "first one's", lambda *a: inferred()(*a)[:1].expand(len(a[0]), -1)),
    ("mean over the pictures", "of shape", lambda *a: inferred()(*a).mean(0)),
    ("nothing", "nothing (None)", lambda *a: None),
    ("noises in place", "in place", pictures_in_place),
)
# The probe's decoder has no mode that matters, its logits are small, and it reads numbers alone.
frozen.check_only = {
    "mode switched to evaluation": "the probe does not ask for the decoder's mode",
    "mode switched to training": "the probe does not ask for the decoder's mode",
    "leaf returned": "the means are the right ones",
    "history attached": "the means are the right ones",
    "from the probability": "the probe's logits are small",
    "with a small constant": "the probe's logits are small",
    "logits cut off": "the probe's logits are small",
}

EXERCISES = [frozen]
