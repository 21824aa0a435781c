"""Answers to the exercise of notebook 07 on the discriminator's loss."""

import math

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

judge = Exercise("discriminator-loss", checks.discriminator_loss, ("discriminator_loss",))


def made(
    of_real=lambda a: F.softplus(-a), of_fake=F.softplus, join=lambda r, f: r.mean() + f.mean()
):
    return lambda real, fake: join(of_real(real), of_fake(fake))


def by_entropy(real, fake):
    bce = F.binary_cross_entropy_with_logits
    return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))


def by_module(real, fake):
    criterion = torch.nn.BCEWithLogitsLoss()
    return criterion(real, real * 0 + 1) + criterion(fake, fake * 0)


def by_logsigmoid(real, fake):
    return -(F.logsigmoid(real).mean() + F.logsigmoid(-fake).mean())


def by_weights(real, fake):
    """One batch with labels, each half weighted by its own size."""
    logits = torch.cat([real, fake])
    labels = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    shares = torch.cat([torch.full_like(real, 1 / len(real)), torch.full_like(fake, 1 / len(fake))])
    return F.binary_cross_entropy_with_logits(logits, labels, weight=shares, reduction="sum")


def by_log_sum(real, fake):
    costs = [torch.logaddexp(side, torch.zeros_like(side)) for side in (-real, fake)]
    return sum(cost.sum() / cost.numel() for cost in costs)


def one_by_one(real, fake):
    total = real.new_zeros(())
    for a in real:
        total = total - F.logsigmoid(a) / len(real)
    for a in fake:
        total = total - F.logsigmoid(-a) / len(fake)
    return total


def in_double(real, fake):
    ones = torch.ones(len(real), dtype=torch.float64) / len(real)
    others = torch.ones(len(fake), dtype=torch.float64) / len(fake)
    first = torch.einsum("b,b->", ones, F.softplus(-real.double()))
    return first + torch.einsum("b,b->", others, F.softplus(fake.double()))


judge.right("softplus", made())
judge.right("cross-entropy with logits", by_entropy)
judge.right("a criterion", by_module)
judge.right("logsigmoid", by_logsigmoid)
judge.right("weights", by_weights)
judge.right("log of a sum", by_log_sum)
judge.right("one by one", one_by_one)
judge.right("double precision", in_double)


def after(change):
    return lambda real, fake: change(made()(real, fake))


def logs(log):
    return made(lambda a: -log(torch.sigmoid(a)), lambda a: -log(1 - torch.sigmoid(a)))


def entropy_of_probabilities(real, fake):
    r, f = torch.sigmoid(real), torch.sigmoid(fake)
    bce = F.binary_cross_entropy
    return bce(r, torch.ones_like(r)) + bce(f, torch.zeros_like(f))


def logits_of_probabilities(real, fake):
    return by_entropy(torch.sigmoid(real), torch.sigmoid(fake))


def one_batch(real, fake):
    logits = torch.cat([real, fake])
    labels = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    return F.binary_cross_entropy_with_logits(logits, labels)


def where_large(real, fake):
    return made(
        lambda a: torch.where(a < -15, -a, -torch.sigmoid(a).log()),
        lambda a: torch.where(a > 15, a, -(1 - torch.sigmoid(a)).log()),
    )(real, fake)


def in_place(real, fake):
    real *= -1
    return F.softplus(real).mean() + F.softplus(fake).mean()


def fake_in_place(real, fake):
    value = made()(real, fake)
    fake.detach().zero_()
    return value


def drawn(real, fake):
    return made()(real + 0.1 * torch.randn_like(real), fake)


def smoothed(real, fake):
    target = torch.full_like(real, 0.9)
    return F.binary_cross_entropy_with_logits(real, target) + F.softplus(fake).mean()


judge.wrong(
    ("zero", "whatever the inputs", after(lambda loss: 0 * loss)),
    ("batches exchanged", "batches are exchanged", lambda r, f: made()(f, r)),
    ("signs exchanged", "batches are exchanged", made(F.softplus, lambda a: F.softplus(-a))),
    ("value function", "value function", after(torch.neg)),
    ("fakes called real", "called real as well", made(of_fake=lambda a: F.softplus(-a))),
    ("real called generated", "called generated as well", made(of_real=F.softplus)),
    ("fakes' sign", "generated pictures' mean has", made(of_fake=lambda a: -F.softplus(a))),
    ("reals' sign", "real pictures' mean has", made(of_real=F.logsigmoid)),
    ("log D of the fakes", "logarithm of 1 - D counts", made(of_fake=F.logsigmoid)),
    ("reals alone", "generated pictures do not count", made(of_fake=lambda a: 0 * a)),
    ("fakes alone", "real pictures do not count", made(of_real=lambda a: 0 * a)),
    ("sigmoid twice", "sigmoid is taken twice", logits_of_probabilities),
    (
        "probabilities",
        "their logarithms were asked",
        made(lambda a: 1 - torch.sigmoid(a), torch.sigmoid),
    ),
    (
        "difference of probabilities",
        "their logarithms were asked",
        made(lambda a: -torch.sigmoid(a), torch.sigmoid),
    ),
    ("critic", "difference of the logits", made(torch.neg, lambda a: a)),
    ("hinge", "hinge", made(lambda a: F.relu(1 - a), lambda a: F.relu(1 + a))),
    ("least squares", "least-squares", made(lambda a: (a - 1) ** 2, lambda a: a**2)),
    (
        "least squares of probabilities",
        "squared distances",
        made(lambda a: (torch.sigmoid(a) - 1) ** 2, lambda a: torch.sigmoid(a) ** 2),
    ),
    ("smoothed", "smoothed", smoothed),
    (
        "logits for probabilities",
        "logarithm of zero",
        made(lambda a: -a.log(), lambda a: -(1 - a).log()),
    ),
    ("halved", "two means are averaged", after(lambda loss: loss / 2)),
    ("one batch", "averaged together", one_batch),
    ("one batch, doubled", "averaged together", lambda r, f: 2 * one_batch(r, f)),
    ("sums", "summed over the batches", made(join=lambda r, f: r.sum() + f.sum())),
    ("fakes summed", "generated pictures are summed", made(join=lambda r, f: r.mean() + f.sum())),
    ("reals summed", "real pictures are summed", made(join=lambda r, f: r.sum() + f.mean())),
    (
        "divided by the reals",
        "number of real pictures",
        made(join=lambda r, f: (r.sum() + f.sum()) / len(r)),
    ),
    (
        "divided by the fakes",
        "number of generated pictures",
        made(join=lambda r, f: (r.sum() + f.sum()) / len(f)),
    ),
    ("first ones", "Only the first picture", made(join=lambda r, f: r[0] + f[0])),
    ("larger mean", "larger of the two", made(join=lambda r, f: torch.max(r.mean(), f.mean()))),
    ("means multiplied", "means are multiplied", made(join=lambda r, f: r.mean() * f.mean())),
    ("medians", "medians", made(join=lambda r, f: r.median() + f.median())),
    (
        "cut to the shorter",
        "cut to the length",
        made(join=lambda r, f: r[: len(f)].mean() + f[: len(r)].mean()),
    ),
    ("pairs", "your code stops", made(join=lambda r, f: (r + f).mean())),
    (
        "logits averaged",
        "logits are averaged first",
        lambda r, f: F.softplus(-r.mean()) + F.softplus(f.mean()),
    ),
    (
        "probabilities averaged",
        "probabilities are averaged",
        lambda r, f: -torch.sigmoid(r).mean().log() - (1 - torch.sigmoid(f)).mean().log(),
    ),
    ("logarithms", "logarithm of 0", logs(torch.log)),
    (
        "logarithms in double",
        "beyond that",
        lambda r, f: logs(torch.log)(r.double(), f.double()).to(r),
    ),
    (
        "sigmoid of the negative",
        "beyond that",
        made(of_fake=lambda a: -torch.log(torch.sigmoid(-a))),
    ),
    (
        "both sigmoids",
        "beyond that",
        made(lambda a: -torch.sigmoid(a).log(), lambda a: -torch.sigmoid(-a).log()),
    ),
    (
        "softplus by hand",
        "beyond that",
        made(lambda a: torch.log(1 + (-a).exp()), lambda a: torch.log(1 + a.exp())),
    ),
    (
        "log1p",
        "beyond that",
        made(lambda a: torch.log1p((-a).exp()), lambda a: torch.log1p(a.exp())),
    ),
    ("entropy of probabilities", "-100", entropy_of_probabilities),
    ("plus 1e-8", "hides that", logs(lambda p: torch.log(p + 1e-8))),
    ("plus 1e-6", "hides that", logs(lambda p: torch.log(p + 1e-6))),
    ("kept from the ends", "hides that", logs(lambda p: p.clamp(1e-7, 1 - 1e-7).log())),
    (
        "logits within 20",
        "logits are cut off",
        lambda r, f: made()(r.clamp(-20, 20), f.clamp(-20, 20)),
    ),
    (
        "logits within 100",
        "logits are cut off",
        lambda r, f: made()(r.clamp(-100, 100), f.clamp(-100, 100)),
    ),
    ("large ones by hand", "not finite", where_large),
    ("bits", "in bits", after(lambda loss: loss / math.log(2))),
    ("a value each", "a tensor of shape", lambda r, f: F.softplus(-r) + F.softplus(f)),
    ("a pair", "2 things", lambda r, f: (F.softplus(-r).mean(), F.softplus(f).mean())),
    ("a number", "a Python number", after(torch.Tensor.item)),
    ("shape (1,)", "a tensor of shape (1,)", after(lambda loss: loss[None])),
    (
        "of each real picture",
        "a tensor of shape",
        made(join=lambda r, f: r + f.mean()),
    ),
    ("detached", "no gradient", after(torch.Tensor.detach)),
    ("fake detached", "no gradient", lambda r, f: made()(r, f.detach())),
    ("real detached", "no gradient", lambda r, f: made()(r.detach(), f)),
    ("no gradient", "no gradient", torch.no_grad()(made())),
    ("drawn", "drawn at random", drawn),
    ("real in place", "real in place", in_place),
    ("fake in place", "fake in place", fake_in_place),
    ("nothing", "nothing (None)", lambda r, f: None),
)

EXERCISES = [judge]
