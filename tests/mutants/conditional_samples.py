"""Answers to the exercise of notebook 05 on a published CVAE whose decoder ignores the label."""

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

samples = Exercise("conditioning-bug", checks.conditioning_bug, ("sample_for_label",))


def told(label, n, classes):
    return torch.eye(classes)[label].expand(n, -1)


def made(c=told, z=lambda noise: noise, last=torch.sigmoid):
    """Samples with one of their parts written in another way."""
    return lambda label, n, decode, noise, classes: last(decode(z(noise), c(label, n, classes)))


right = made()


def by_torch(label, n, decode_logits, noise, classes):
    labels = torch.full((n,), label)
    return torch.special.expit(decode_logits(noise, F.one_hot(labels, classes).to(noise.dtype)))


def one_at_a_time(label, n, decode_logits, noise, classes):
    c = torch.zeros(1, classes, dtype=noise.dtype)
    c[0, label] = 1
    pictures = [decode_logits(noise[i : i + 1], c) for i in range(n)]
    return 1 - torch.sigmoid(-torch.cat(pictures))


samples.right("as mended", right)
samples.right("torch's one-hot", by_torch)
samples.right("one at a time", one_at_a_time)
samples.right("by hand", made(last=lambda v: 1 / (1 + torch.exp(-v))))


def with_number(label, n, decode_logits, noise, classes):
    return torch.sigmoid(decode_logits(noise, torch.full((n, 1), float(label))))


def without_label(label, n, decode_logits, noise, classes):
    return torch.sigmoid(decode_logits(noise))


def label_beside(label, n, decode_logits, noise, classes):
    return torch.sigmoid(decode_logits(torch.cat([noise, told(label, n, classes)], 1)))


def exchanged(label, n, decode_logits, noise, classes):
    return torch.sigmoid(decode_logits(told(label, n, classes).to(noise), noise))


def fresh_noise(label, n, decode_logits, noise, classes):
    return right(label, n, decode_logits, torch.randn_like(noise), classes)


def own_seed(label, n, decode_logits, noise, classes):
    drawn = torch.randn(noise.shape, generator=torch.Generator().manual_seed(0), dtype=noise.dtype)
    return right(label, n, decode_logits, drawn, classes)


def fixed_class(label, n, decode_logits, noise, classes):
    return right(8 % classes, n, decode_logits, noise, classes)


def label_added(label, n, decode_logits, noise, classes):
    return right(label, n, decode_logits, noise + label, classes)


def noise_in_place(label, n, decode_logits, noise, classes):
    noise[1:] = noise[:1]
    noise[0] += 1
    return right(label, n, decode_logits, noise, classes)


def drawn_pictures(label, n, decode_logits, noise, classes):
    return torch.bernoulli(right(label, n, decode_logits, noise, classes))


def best_of_all_labels(label, n, decode_logits, noise, classes):
    return torch.stack(
        [right(other, n, decode_logits, noise, classes) for other in range(classes)]
    ).mean(0)


samples.wrong(
    ("zeros", "a tensor of shape", lambda *a: torch.zeros(a[1], 1)),
    ("decoder without the label", "positional argument", without_label),
    ("one argument", "positional argument", label_beside),
    ("zeros as a condition", "not told the label", made(lambda y, n, k: torch.zeros(n, k))),
    (
        "zeros as a condition, logits",
        "and those are the logits",
        made(lambda y, n, k: torch.zeros(n, k), last=lambda logits: logits),
    ),
    ("ones as a condition", "gets ones", made(lambda y, n, k: torch.ones(n, k))),
    ("label as a number", "decode_logits takes z", with_number),
    (
        "label as a number, in all places",
        "number stands in every place",
        made(lambda y, n, k: torch.full((n, k), float(y))),
    ),
    (
        "number in its place",
        "stands its number",
        made(lambda y, n, k: y * told(y, n, k)),
    ),
    ("exchanged ones and zeros", "Zeros and ones", made(lambda y, n, k: 1 - told(y, n, k))),
    ("counted from 1", "to the left", made(lambda y, n, k: told(y - 1, n, k))),
    ("one to the right", "to the right", made(lambda y, n, k: told((y + 1) % k, n, k))),
    (
        "every sample another label",
        "another label",
        made(lambda y, n, k: torch.eye(k)[torch.arange(n) % k]),
    ),
    (
        "only the first row told",
        "Only the first sample",
        made(lambda y, n, k: torch.cat([told(y, 1, k), torch.zeros(n - 1, k)])),
    ),
    ("label 0 always", "taken for 0", made(lambda y, n, k: told(0, n, k))),
    ("label 8 always", "decode_logits takes z", fixed_class),
    ("shared out", "divided by the number of samples", made(lambda y, n, k: told(y, n, k) / n)),
    ("one row", "decode_logits takes z", made(lambda y, n, k: told(y, 1, k))),
    ("a vector", "decode_logits takes z", made(lambda y, n, k: told(y, 1, k)[0])),
    ("ten classes", "decode_logits takes z", made(lambda y, n, k: told(y, n, 10))),
    ("exchanged", "arguments are exchanged", exchanged),
    ("label added to z", "added to z", label_added),
    ("noise reused", "come out alike", made(z=lambda z: z[:1].expand_as(z))),
    ("mean of the noise", "mean of the noise", made(z=lambda z: z.mean(0).expand_as(z))),
    ("prior's mean", "noise is not used", made(z=torch.zeros_like)),
    ("noise subtracted", "wrong sign", made(z=torch.neg)),
    ("temperature of a half", "halved", made(z=lambda z: 0.5 * z)),
    (
        "noise as an encoder's mean",
        "there is no encoder",
        made(z=lambda z: z + torch.exp(z / 2) * z),
    ),
    ("exponential of the noise", "through an exponential", made(z=torch.exp)),
    ("sigmoid of the noise", "noise goes through a sigmoid", made(z=torch.sigmoid)),
    ("noise turned round", "reverse order", made(z=lambda z: z.flip(0))),
    ("fresh noise", "drawn at random", fresh_noise),
    ("noise of its own seed", "noise", own_seed),
    ("noise changed", "in place", noise_in_place),
    ("logits", "Those are the logits", made(last=lambda logits: logits)),
    ("sigmoid twice", "applied twice", made(last=lambda v: torch.sigmoid(torch.sigmoid(v)))),
    ("probability of black", "probabilities of no ink", made(last=lambda v: torch.sigmoid(-v))),
    ("exponential", "exponential of the logits", made(last=torch.exp)),
    ("softmax", "softmax", made(last=lambda v: v.softmax(1))),
    ("tanh", "tanh", made(last=torch.tanh)),
    ("rounded", "ink and no ink", made(last=lambda v: torch.sigmoid(v).round())),
    ("drawn", "drawn at random", drawn_pictures),
    ("clipped", "clipped", made(last=lambda v: v.clamp(0, 1))),
    ("averaged", "averaged", made(last=lambda v: torch.sigmoid(v).mean(0))),
    ("averaged for each", "averaged", made(last=lambda v: torch.sigmoid(v).mean(0).expand_as(v))),
    ("first alone", "first sample alone", made(last=lambda v: torch.sigmoid(v)[:1])),
    ("transposed", "exchanged", made(last=lambda v: torch.sigmoid(v).T)),
    (
        "sigmoid as a quotient",
        "in a quotient",
        made(last=lambda v: v.exp() / (1 + v.exp())),
    ),
    ("softmax of logit and 0", "in a quotient", made(last=lambda v: v.exp() / (v.exp() + 1))),
    ("whole numbers", "must hold floats", made(lambda y, n, k: told(y, n, k).long())),
    ("truth values", "must hold floats", made(lambda y, n, k: told(y, n, k).bool())),
    ("half precision", "must hold floats", made(lambda y, n, k: told(y, n, k).half())),
    ("over all labels", "decode_logits takes z", best_of_all_labels),
    ("lists", "type list", made(last=lambda v: torch.sigmoid(v).tolist())),
    ("prints only", "return", made(last=lambda v: print(end=""))),
)

EXERCISES = [samples]
