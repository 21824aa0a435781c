"""Answers to the exercise of notebook 07 on the generator's two losses."""

import math

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

losses = Exercise("generator-losses", checks.generator_losses, ("generator_losses",))


def log_d(a):
    return F.logsigmoid(a)


def log_rest(a):
    return F.logsigmoid(-a)


def made(minimax=log_rest, other=lambda a: -log_d(a)):
    return lambda logits: (minimax(logits), other(logits))


def by_softplus(logits):
    return -F.softplus(logits), F.softplus(-logits)


def by_entropy(logits):
    bce = F.binary_cross_entropy_with_logits
    zeros, ones = torch.zeros_like(logits), torch.ones_like(logits)
    return -bce(logits, zeros, reduction="none"), bce(logits, ones, reduction="none")


def by_log_sum(logits):
    zero = logits.new_zeros(())
    return -torch.logaddexp(zero, logits), torch.logaddexp(zero, -logits)


def by_hand(logits):
    rest = torch.log1p(torch.exp(-logits.abs()))
    return -(logits.clamp(min=0) + rest), rest - logits.clamp(max=0)


def one_by_one(logits):
    rows = [torch.stack([F.logsigmoid(-a), -F.logsigmoid(a)]) for a in logits]
    return torch.stack(rows).unbind(dim=1)


def in_double(logits):
    logits = logits.double()
    return [-F.softplus(logits), F.softplus(-logits)]


def by_difference(logits):
    """log(1 - D) = log D - logit."""
    return log_d(logits) - logits, -log_d(logits)


losses.right("logsigmoid", made())
losses.right("softplus", by_softplus)
losses.right("cross-entropy with logits", by_entropy)
losses.right("log of a sum", by_log_sum)
losses.right("by hand", by_hand)
losses.right("one by one", one_by_one)
losses.right("double precision", in_double)
losses.right("by the difference of both logs", by_difference)


def plain_minimax(a):
    return torch.log(1 - torch.sigmoid(a))


def plain_other(a):
    return -torch.log(torch.sigmoid(a))


def entropy_of_probabilities(logits):
    d = torch.sigmoid(logits)
    bce = F.binary_cross_entropy
    return (
        -bce(d, torch.zeros_like(d), reduction="none"),
        bce(d, torch.ones_like(d), reduction="none"),
    )


def where_large(logits):
    """Right values, and a gradient of 0 times infinity where the other branch was taken."""
    minimax = torch.where(logits > 15, -logits, plain_minimax(logits))
    return minimax, torch.where(logits < -15, -logits, plain_other(logits))


def in_place(logits):
    other = F.softplus(-logits)
    logits *= -1
    return -F.softplus(-logits), other


def both(change):
    return lambda logits: tuple(change(loss) for loss in made()(logits))


def drawn(logits):
    noisy = logits + 0.1 * torch.randn_like(logits)
    return made()(noisy)


losses.wrong(
    ("zeros", "whatever the inputs", both(lambda loss: 0 * loss)),
    ("exchanged", "minimax one comes first", lambda a: (-log_d(a), log_rest(a))),
    ("the same twice", "comes second", made(other=log_rest)),
    ("non-saturating twice", "comes first", made(minimax=lambda a: -log_d(a))),
    ("discriminator's term", "discriminator makes small", made(minimax=lambda a: -log_rest(a))),
    ("log D", "look generated", made(minimax=log_d)),
    ("other's sign", "makes D large", made(other=log_d)),
    ("minimax turned round", "that of the other probability", made(other=lambda a: -log_rest(a))),
    (
        "minimax turned round for both",
        "discriminator makes small",
        made(lambda a: -log_rest(a), lambda a: -log_rest(a)),
    ),
    (
        "both logarithms",
        "Both logarithms are joined",
        made(minimax=lambda a: -log_rest(a) + log_d(a)),
    ),
    ("log of 1 + D", "1 + D", made(minimax=lambda a: torch.log1p(torch.sigmoid(a)))),
    ("D itself", "That is D itself", made(minimax=torch.sigmoid)),
    ("1 - D itself", "1 - D itself", made(minimax=lambda a: 1 - torch.sigmoid(a))),
    ("minus D", "D with a minus", made(minimax=lambda a: -torch.sigmoid(a))),
    ("1 - D for the other", "1 - D itself", made(other=lambda a: 1 - torch.sigmoid(a))),
    ("minus D for the other", "D with a minus", made(other=lambda a: -torch.sigmoid(a))),
    ("minus the logit", "logit with its sign", made(minimax=torch.neg)),
    ("minus the logit for the other", "logit with its sign", made(other=torch.neg)),
    (
        "sigmoid twice",
        "sigmoid is taken twice",
        lambda a: made()(torch.sigmoid(a)),
    ),
    (
        "sigmoid twice in the other",
        "sigmoid is taken twice",
        made(other=lambda a: -log_d(torch.sigmoid(a))),
    ),
    ("probabilities", "taken for a probability", lambda a: ((1 - a).log(), -a.log())),
    ("bits", "in bits", both(lambda loss: loss / math.log(2))),
    (
        "log2",
        "in bits",
        made(other=lambda a: -log_d(a) / math.log(2)),
    ),
    ("base 10", "base 10", both(lambda loss: loss / math.log(10))),
    ("least squares", "least-squares", lambda a: ((a - 1) ** 2, (a - 1) ** 2)),
    (
        "squared probability",
        "squared distance",
        made(other=lambda a: (torch.sigmoid(a) - 1) ** 2),
    ),
    ("half", "half of what", made(other=lambda a: -log_d(a) / 2)),
    ("plain", "logarithm of 0", made(plain_minimax, plain_other)),
    ("plain minimax", "logarithm of 0", made(minimax=plain_minimax)),
    ("plain other", "logarithm of 0", made(other=plain_other)),
    (
        "plain in double",
        "more digits",
        lambda a: (plain_minimax(a.double()).to(a), plain_other(a.double()).to(a)),
    ),
    (
        "sigmoid of the negative",
        "beyond that",
        made(minimax=lambda a: torch.sigmoid(-a).log()),
    ),
    (
        "softplus by hand",
        "beyond that",
        made(lambda a: -torch.log(1 + a.exp()), lambda a: torch.log(1 + (-a).exp())),
    ),
    (
        "log1p",
        "beyond that",
        made(lambda a: -torch.log1p(a.exp()), lambda a: torch.log1p((-a).exp())),
    ),
    ("entropy of probabilities", "-100", entropy_of_probabilities),
    (
        "plus 1e-8",
        "hides that",
        made(
            lambda a: torch.log(1 - torch.sigmoid(a) + 1e-8),
            lambda a: -torch.log(torch.sigmoid(a) + 1e-8),
        ),
    ),
    (
        "plus 1e-6 in the other",
        "hides that",
        made(other=lambda a: -torch.log(torch.sigmoid(a) + 1e-6)),
    ),
    (
        "D kept from both ends",
        "hides that",
        made(
            lambda a: torch.log(1 - torch.sigmoid(a).clamp(1e-6, 1 - 1e-6)),
            lambda a: -torch.log(torch.sigmoid(a).clamp(1e-6, 1 - 1e-6)),
        ),
    ),
    (
        "kept from 0",
        "hides that",
        made(lambda a: torch.log((1 - torch.sigmoid(a)).clamp(min=1e-12))),
    ),
    ("logits within 10", "logits are cut off", lambda a: made()(a.clamp(-10, 10))),
    ("logits within 50", "logits are cut off", lambda a: made()(a.clamp(-50, 50))),
    ("logits within 100", "logits are cut off", lambda a: made()(a.clamp(-100, 100))),
    ("large ones by hand", "not finite", where_large),
    ("mean", "reduced over the batch", both(torch.mean)),
    ("sum", "reduced over the batch", both(torch.sum)),
    ("mean for all", "averaged over the batch", both(lambda t: t.mean().expand_as(t))),
    ("sum for all", "summed over the batch", both(lambda t: t.sum().expand_as(t))),
    ("divided by the batch", "divide by the number", both(lambda t: t / len(t))),
    ("first for all", "first one's", both(lambda t: t[:1].expand_as(t))),
    ("turned round", "wrong order", both(lambda t: t.flip(0))),
    ("an axis too many", "axis of length 1", both(lambda t: t[:, None])),
    ("numbers", "a Python number", both(lambda t: t.mean().item())),
    ("detached", "no gradient", both(torch.Tensor.detach)),
    ("minimax detached", "no gradient", made(minimax=lambda a: log_rest(a).detach())),
    ("other detached", "no gradient", made(other=lambda a: -log_d(a.detach()))),
    ("no gradient", "no gradient", torch.no_grad()(made())),
    ("one", "one thing", lambda a: log_rest(a)),
    ("sum of the two", "one thing", lambda a: log_rest(a) - log_d(a)),
    ("three", "3 things", lambda a: (*made()(a), a)),
    ("stacked", "one thing", lambda a: torch.stack(made()(a))),
    ("nothing", "nothing (None)", lambda a: None),
    ("in place", "in place", in_place),
    ("drawn", "drawn at random", drawn),
)

losses.check_only["stacked"] = "a tensor of two rows holds the right numbers in the right order"

EXERCISES = [losses]
