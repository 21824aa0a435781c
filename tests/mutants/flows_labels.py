"""Answers to the exercise of notebook 06 on a conditional density without its label."""

import math

import numpy as np
import torch

from coursekit import checks
from mutants import Exercise

labels = Exercise("label-free-density", checks.label_free_density, ("label_free_log_prob",))


def right(log_p, log_prior):
    return torch.logsumexp(log_p + log_prior[:, None], dim=0)


def by_hand(log_p, log_prior):
    terms = log_p + log_prior.unsqueeze(1)
    top = terms.max(dim=0, keepdim=True).values
    return (terms - top).exp().sum(0).log() + top[0]


def one_by_one(log_p, log_prior):
    total = log_p[0] + log_prior[0]
    for row, prior in zip(log_p[1:], log_prior[1:], strict=True):
        total = torch.logaddexp(total, row + prior)
    return total


def possible_ones(log_p, log_prior):
    possible = log_prior.isfinite()
    return torch.logsumexp((log_p[possible].T + log_prior[possible]), dim=-1)


def by_torch(log_p, log_prior):
    """Renormalising a prior that sums to 1 changes nothing."""
    return (log_p + torch.log_softmax(log_prior, 0).view(-1, 1)).T.logsumexp(1)


labels.right("logsumexp", right)
labels.right("largest taken out", by_hand)
labels.right("one by one", one_by_one)
labels.right("possible labels only", possible_ones)
labels.right("log_softmax of the prior", by_torch)


def of(join):
    return lambda log_p, log_prior: torch.logsumexp(join(log_p, log_prior), dim=0)


def then(reduce):
    return lambda log_p, log_prior: reduce(log_p + log_prior[:, None])


def shifted(by):
    return then(lambda t: (t - by(t)).exp().sum(0).log() + by(t))


def in_place(log_p, log_prior):
    log_p += log_prior[:, None]
    return log_p.logsumexp(0)


def prior_in_place(log_p, log_prior):
    log_prior[log_prior.isinf()] = -1e9
    return right(log_p, log_prior)


def in_numpy(log_p, log_prior):
    return torch.from_numpy(np.logaddexp.reduce((log_p + log_prior[:, None]).detach().numpy()))


def best_density_shifted(log_p, log_prior):
    top = log_p.max(dim=0).values
    return ((log_p - top).exp() * log_prior.exp()[:, None]).sum(0).log() + top


labels.wrong(
    ("zeros", "whatever the inputs", then(lambda t: torch.zeros(t.shape[1]))),
    ("no prior", "prior is missing", lambda p, c: p.logsumexp(0)),
    ("all alike", "count alike", lambda p, c: p.logsumexp(0) - math.log(len(p))),
    (
        "prior and 1/C",
        "divide by the number of labels",
        then(lambda t: t.logsumexp(0) - math.log(len(t))),
    ),
    ("ten labels", "in every case", then(lambda t: t.logsumexp(0) - math.log(10))),
    ("prior's sign", "prior comes in with the wrong", of(lambda p, c: p - c[:, None])),
    ("prior itself added", "probability is added", of(lambda p, c: p + c.exp()[:, None])),
    ("log times prior", "multiplied by a probability", of(lambda p, c: p * c.exp()[:, None])),
    ("log times log", "logarithms are multiplied", of(lambda p, c: p * c[:, None])),
    ("prior twice", "prior counts twice", of(lambda p, c: p + 2 * c[:, None])),
    ("prior along the pictures", "shape", of(lambda p, c: p + c)),
    (
        "prior along the pictures where it fits",
        "right value is",
        of(lambda p, c: p + (c if len(p) == p.shape[1] else c[:, None])),
    ),
    ("prior in reverse", "reverse order", of(lambda p, c: p + c.flip(0)[:, None])),
    ("prior at least e^-20", "kept from 0", of(lambda p, c: p + c.clamp(min=-20)[:, None])),
    ("prior at least e^-1000", "kept from 0", of(lambda p, c: p + c.clamp(min=-1000)[:, None])),
    (
        "something added to the prior",
        "added to the prior",
        of(lambda p, c: p + (c.exp() + 1e-8).log()[:, None]),
    ),
    (
        "something tiny added to the prior",
        "added to the prior",
        of(lambda p, c: p + (c.exp() + 1e-30).log()[:, None]),
    ),
    (
        "minus infinity taken for 0",
        "is taken for 0",
        of(lambda p, c: p + torch.nan_to_num(c, neginf=0.0)[:, None]),
    ),
    ("weighted mean of logs", "mean of the logarithms", lambda p, c: (c.exp()[:, None] * p).sum(0)),
    ("weighted mean by matmul", "mean of the logarithms", lambda p, c: c.exp() @ p),
    ("mean of logs", "mean of the logarithms", lambda p, c: p.mean(0)),
    ("mean of terms", "mean of the logarithms", then(lambda t: t.mean(0))),
    ("sum of logs", "logarithms are summed", then(lambda t: t.sum(0))),
    ("density", "density itself", then(lambda t: t.exp().sum(0))),
    ("likeliest label", "likeliest label's share", then(lambda t: t.max(0).values)),
    ("best density", "best label's density", lambda p, c: p.max(0).values),
    (
        "best density with its prior",
        "largest density counts",
        lambda p, c: (p + c[:, None])[p.argmax(0), torch.arange(p.shape[1])],
    ),
    ("commonest label", "commonest label", lambda p, c: p[c.argmax()]),
    ("first label", "first label", then(lambda t: t[0])),
    ("wrong axis", "sum over the pictures", then(lambda t: t.logsumexp(1))),
    (
        "all together",
        "over the pictures too",
        then(lambda t: t.flatten().logsumexp(0).expand(t.shape[1])),
    ),
    ("all together, a number", "reduced over the batch", then(lambda t: t.flatten().logsumexp(0))),
    ("largest not put back", "not put back", then(lambda t: (t - t.max(0).values).logsumexp(0))),
    ("normalised", "nothing is to be normalised", lambda p, c: right(p, c) - p.logsumexp(0)),
    ("loss", "negative log-density", then(lambda t: -t.logsumexp(0))),
    ("bits", "bits", then(lambda t: t.logsumexp(0) / math.log(2))),
    ("mean of the batch", "batch too", then(lambda t: t.logsumexp(0).mean())),
    ("mean for each", "over the batch", then(lambda t: t.logsumexp(0).mean().expand(t.shape[1]))),
    ("first for all", "first one's", then(lambda t: t.logsumexp(0)[:1].expand(t.shape[1]))),
    ("wrong order", "wrong order", then(lambda t: t.logsumexp(0).flip(0))),
    (
        "one shift for all",
        "largest term of all pictures",
        then(lambda t: (t - t.max()).exp().sum(0).log() + t.max()),
    ),
    ("largest density taken out", "although its label", best_density_shifted),
    ("underflow", "0 or infinite", then(lambda t: t.exp().sum(0).log())),
    (
        "underflow of products",
        "0 or infinite",
        lambda p, c: (p.exp() * c.exp()[:, None]).sum(0).log(),
    ),
    ("underflow of a matmul", "0 or infinite", lambda p, c: (c.exp() @ p.exp()).log()),
    ("underflow in float64", "more digits", then(lambda t: t.double().exp().sum(0).log())),
    ("smallest taken out", "can overflow", shifted(lambda t: t.min(0).values)),
    ("mean taken out", "can overflow", shifted(lambda t: t.mean(0))),
    ("first taken out", "can overflow", shifted(lambda t: t[0])),
    ("small constant", "small constant", then(lambda t: (t.exp().sum(0) + 1e-8).log())),
    ("tiny constant", "small constant", then(lambda t: (t.exp().sum(0) + 1e-30).log())),
    ("clamped", "right value is", then(lambda t: t.clamp(-700, 700).logsumexp(0))),
    ("clamped at 1000", "right value is", then(lambda t: t.clamp(-1000, 1000).logsumexp(0))),
    ("nan to 0", "right value is", then(lambda t: t.exp().sum(0).log().nan_to_num(0, 0, 0))),
    *(
        (
            f"labels rarer than e to the {least} dropped",
            "small prior are left out",
            lambda p, c, k=least: (p + c[:, None])[c > k].logsumexp(0),
        )
        for least in (-5, -10, -20)
    ),
    (
        "reshaped",
        "by a reshape",
        lambda p, c: (p.reshape(p.shape[1], -1) + c).logsumexp(1),
    ),
    ("in place", "in place", in_place),
    ("prior in place", "in place", prior_in_place),
    ("numpy", "no gradient", in_numpy),
    ("detached", "no gradient", then(lambda t: t.detach().logsumexp(0))),
    ("shape kept", "shape", then(lambda t: t.logsumexp(0, keepdim=True))),
    ("a list", "type list", then(lambda t: t.logsumexp(0).tolist())),
    ("half precision", "nearly right", then(lambda t: t.bfloat16().float().logsumexp(0))),
    (
        "two labels only",
        "It is right on",
        then(lambda t: torch.logaddexp(t[0], t[-1]) if len(t) > 1 else t[0]),
    ),
    ("nothing", "nothing (None)", lambda p, c: None),
)

EXERCISES = [labels]
