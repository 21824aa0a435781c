"""Answers to the exercise of notebook 05 on the conditional log-likelihood."""

import math

import numpy as np
import torch

from coursekit import checks
from mutants import Exercise

weights = Exercise(
    "conditional-log-likelihood",
    checks.conditional_log_likelihood,
    ("conditional_log_likelihood",),
)


def log_mean(w):
    return torch.logsumexp(w, dim=0) - math.log(len(w))


def right(px, pz, qz):
    return log_mean(px + pz - qz)


def by_hand(px, pz, qz):
    w = px + pz - qz
    top = w.max(dim=0, keepdim=True).values
    return (w - top).exp().mean(0).log() + top[0]


def one_by_one(px, pz, qz):
    total = px[0] + pz[0] - qz[0]
    for draw in range(1, len(px)):
        total = torch.logaddexp(total, px[draw] + pz[draw] - qz[draw])
    return total - math.log(len(px))


weights.right("logsumexp", right)
weights.right("largest taken out", by_hand)
weights.right("one by one", lambda *a: one_by_one(*a) if len(a[0]) < 100 else right(*a))
weights.right(
    "S folded in", lambda px, pz, qz: (px - (qz - pz) - math.log(px.size(0))).T.logsumexp(-1)
)


def of(join):
    return lambda px, pz, qz: log_mean(join(px, pz, qz))


def then(reduce):
    return lambda px, pz, qz: reduce(px + pz - qz)


def shifted(by):
    return then(lambda w: by(w) + (w - by(w)).exp().mean(0).log())


def in_place(px, pz, qz):
    px += pz
    return log_mean(px - qz)


def in_numpy(px, pz, qz):
    w = (px + pz - qz).detach().numpy()
    return torch.from_numpy(np.logaddexp.reduce(w, axis=0) - np.log(len(w)))


def by_numbers(px, pz, qz):
    found = []
    for column in (px + pz - qz).T.tolist():
        top = max(column)
        found.append(top + math.log(sum(math.exp(w - top) for w in column) / len(column)))
    return torch.tensor(found)


@torch.no_grad()
def without_gradient(*logs):
    return right(*logs)


def normalised(px, pz, qz):
    return torch.logsumexp(px + torch.log_softmax(pz - qz, dim=0), dim=0)


def clamped(px, pz, qz):
    return log_mean((px + pz - qz).clamp(-700, 700))


weights.right("numbers of Python", by_numbers)
weights.right("no_grad", without_gradient)
weights.right("numpy", in_numpy)
weights.right("detached", lambda px, pz, qz: right(px, pz.detach(), qz.detach()).detach())

weights.wrong(
    ("zeros", "whatever the inputs", then(lambda w: torch.zeros(w.shape[1]))),
    ("without q", "lack q", of(lambda px, pz, qz: px + pz)),
    ("sign of log q", "log q has the wrong sign", of(lambda px, pz, qz: px + pz + qz)),
    ("without the prior", "prior is missing", of(lambda px, pz, qz: px - qz)),
    ("prior and q exchanged", "prior and q are exchanged", of(lambda px, pz, qz: px + qz - pz)),
    ("sign of log p(z|c)", "log p(z|c) has the wrong", of(lambda px, pz, qz: px - pz - qz)),
    ("as if from the prior", "as if the draws came", of(lambda px, pz, qz: px)),
    ("likelihood and q", "Only log p(x|z, c) and log q", of(lambda px, pz, qz: px + qz)),
    ("without the likelihood", "log p(x|z, c) is missing", of(lambda px, pz, qz: pz - qz)),
    ("likelihood's sign", "is it a loss", of(lambda px, pz, qz: pz - qz - px)),
    ("log times weight", "multiplied by a weight", of(lambda px, pz, qz: px * (pz - qz).exp())),
    ("logs multiplied", "multiplied and divided", of(lambda px, pz, qz: px * pz / qz)),
    ("logs divided", "logarithms are divided", of(lambda px, pz, qz: px + pz / qz)),
    ("mean of logs", "mean of the logarithms", then(lambda w: w.mean(0))),
    ("mean of log p(x|z, c)", "log p(x|z, c) alone", lambda px, pz, qz: px.mean(0)),
    ("three means", "one by one", lambda px, pz, qz: log_mean(px) + log_mean(pz) - log_mean(qz)),
    (
        "likelihood averaged first",
        "Only p(x|z, c) is averaged",
        lambda px, pz, qz: log_mean(px) + (pz - qz).mean(0),
    ),
    ("weights made to sum to 1", "sum to 1", normalised),
    (
        "weighted mean of logs",
        "logarithms are averaged with them",
        lambda px, pz, qz: ((pz - qz).softmax(0) * px).sum(0),
    ),
    ("1/S forgotten", "how many draws", then(lambda w: torch.logsumexp(w, 0))),
    ("divided by S outside", "divide the logarithm", then(lambda w: w.logsumexp(0) / len(w))),
    ("minus S", "number of draws itself", then(lambda w: w.logsumexp(0) - len(w))),
    ("plus log S", "with the wrong sign", then(lambda w: w.logsumexp(0) + math.log(len(w)))),
    ("S twice", "divided out twice", then(lambda w: log_mean(w) - math.log(len(w)))),
    ("log B", "number of pictures", then(lambda w: w.logsumexp(0) - math.log(w.shape[1]))),
    ("100 draws", "depends on the shape", then(lambda w: w.logsumexp(0) - math.log(100))),
    (
        "S - 1",
        "depends on the shape",
        then(lambda w: w.logsumexp(0) - math.log(max(len(w) - 1, 1))),
    ),
    ("wrong axis", "averaged over the pictures", then(lambda w: log_mean(w.T))),
    (
        "all together",
        "over the pictures too",
        then(lambda w: (w.flatten().logsumexp(0) - math.log(w.numel())).expand(w.shape[1])),
    ),
    ("mean of the batch", "batch too", then(lambda w: log_mean(w).mean())),
    ("first for all", "first one's", then(lambda w: log_mean(w)[:1].expand(w.shape[1]))),
    ("loss", "negative log-likelihood", then(lambda w: -log_mean(w))),
    ("sum of logs", "add the log-weights", then(lambda w: w.sum(0))),
    ("mean weight", "mean weight itself", then(lambda w: w.exp().mean(0))),
    ("best draw", "best draw alone", then(lambda w: w.max(0).values)),
    ("best draw over S", "largest alone", then(lambda w: w.max(0).values - math.log(len(w)))),
    ("first draw", "first draw alone", then(lambda w: w[0])),
    ("bits", "bits", then(lambda w: log_mean(w) / math.log(2))),
    ("largest not put back", "not put back", then(lambda w: log_mean(w - w.max(0).values))),
    (
        "one shift for all",
        "largest weight of all pictures",
        then(lambda w: (w - w.max()).exp().mean(0).log() + w.max()),
    ),
    ("underflow", "0 or infinite", then(lambda w: w.exp().mean(0).log())),
    ("underflow in float64", "more digits", then(lambda w: w.double().exp().mean(0).log())),
    (
        "three exponentials",
        "before any exponential",
        lambda px, pz, qz: (px.exp() * pz.exp() / qz.exp()).mean(0).log(),
    ),
    (
        "weights apart, likelihood shifted",
        "log_qz around -800",
        lambda px, pz, qz: (
            ((px - px.max(0).values).exp() * (pz.exp() / qz.exp())).mean(0).log() + px.max(0).values
        ),
    ),
    ("small constant", "small constant", then(lambda w: (w.exp().mean(0) + 1e-10).log())),
    ("clamped", "-1000", clamped),
    ("least taken out", "than the largest", shifted(lambda w: w.min(0).values)),
    ("mean taken out", "than the largest", shifted(lambda w: w.mean(0))),
    ("first taken out", "than the largest", shifted(lambda w: w[0])),
    (
        "likelihood's largest taken out",
        "counts here",
        lambda px, pz, qz: (
            (px - px.max(0).values + pz - qz).exp().mean(0).add(1e-6).log() + px.max(0).values
        ),
    ),
    ("max without values", ".values", then(lambda w: log_mean(w - w.max(0)))),
    ("half precision", "right value is", then(lambda w: log_mean(w.half().float()))),
    ("no reduction", "Nothing was summed", then(lambda w: w - math.log(len(w)))),
    ("keepdim", "axis of length 1", then(lambda w: w.logsumexp(0, True) - math.log(len(w)))),
    (
        "small weights dropped",
        "none may be dropped",
        then(lambda w: log_mean(w.where(w > w.max(0).values - 10, -math.inf))),
    ),
    (
        "quotients limited",
        "no weight is to be limited",
        lambda px, pz, qz: log_mean(px + (pz - qz).clamp(-40, 20)),
    ),
    ("squeezed", "did a squeeze", then(lambda w: log_mean(w).squeeze())),
    ("in place", "in place", in_place),
    ("prints only", "return", then(lambda w: print(end=""))),
)

EXERCISES = [weights]
