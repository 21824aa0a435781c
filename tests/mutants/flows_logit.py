"""Answers to the exercise of notebook 06 on logit preprocessing."""

import math

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

logit = Exercise("logit-preprocessing", checks.logit_preprocessing, ("logit_with_logdet",))


def ends(x, alpha):
    return alpha + (1 - 2 * alpha) * x, alpha + (1 - 2 * alpha) * (1 - x)


def right(x, alpha):
    s, rest = ends(x, alpha)
    slopes = math.log(1 - 2 * alpha) - s.log() - rest.log()
    return s.log() - rest.log(), slopes.flatten(1).sum(dim=1)


def from_y(x, alpha):
    """The sigmoid's derivative at y, turned over."""
    s, rest = ends(x, alpha)
    y = torch.log(s / rest)
    slopes = F.softplus(y) + F.softplus(-y)
    return y, slopes.sum(dim=tuple(range(1, x.dim()))) + x[0].numel() * math.log1p(-2 * alpha)


def in_double(x, alpha):
    s = alpha + (1 - 2 * alpha) * x.double()
    slopes = torch.log((1 - 2 * alpha) / (s * (1 - s)))
    return torch.logit(s).to(x.dtype), slopes.reshape(len(x), -1).sum(1).to(x.dtype)


def one_picture_at_a_time(x, alpha):
    rows = [right(picture[None], alpha) for picture in x]
    return [torch.cat([row[i] for row in rows]) for i in (0, 1)]


logit.right("as derived", right)
logit.right("from y", from_y)
logit.right("in double precision", in_double)
logit.right("one picture at a time", one_picture_at_a_time)


def total(slopes):
    return slopes.flatten(1).sum(1)


def shrunk(s, log_det=None):
    """Another shrinking; the logdet is the right one unless one is given."""

    def logit_with_logdet(x, alpha):
        inside = s(x, alpha)
        y = inside.log() - torch.log(1 - inside)
        return y, right(x, alpha)[1] if log_det is None else log_det(x, alpha)

    return logit_with_logdet


def valued(y):
    """Another y; the logdet is the right one."""
    return lambda x, alpha: (y(*ends(x, alpha)), right(x, alpha)[1])


def sloped(slopes):
    """Another derivative; y is the right one."""

    def logit_with_logdet(x, alpha):
        s, rest = ends(x, alpha)
        return right(x, alpha)[0], total(slopes(s, rest, alpha))

    return logit_with_logdet


def summed(reduce):
    def logit_with_logdet(x, alpha):
        s, rest = ends(x, alpha)
        return right(x, alpha)[0], reduce(math.log(1 - 2 * alpha) - s.log() - rest.log())

    return logit_with_logdet


def changed(change):
    return lambda x, alpha: change(*right(x, alpha))


def plain(x, alpha):
    s = alpha + (1 - 2 * alpha) * x
    slopes = math.log(1 - 2 * alpha) - s.log() - (1 - s).log()
    return torch.logit(s), total(slopes)


def plain_logdet(x, alpha):
    return right(x, alpha)[0], plain(x, alpha)[1]


def with_log1p(x, alpha):
    s = alpha + (1 - 2 * alpha) * x
    rest = torch.log1p(-s)
    return s.log() - rest, total(math.log(1 - 2 * alpha) - s.log() - rest)


def torch_eps(eps):
    def logit_with_logdet(x, alpha):
        s = alpha + (1 - 2 * alpha) * x
        return torch.logit(s, eps=eps), right(x, alpha)[1]

    return logit_with_logdet


def kept(small):
    def logit_with_logdet(x, alpha):
        s = (alpha + (1 - 2 * alpha) * x).clamp(small, 1 - small)
        return torch.logit(s), total(math.log(1 - 2 * alpha) - s.log() - (1 - s).log())

    return logit_with_logdet


def padded(small):
    def logit_with_logdet(x, alpha):
        logs = [(end + small).log() for end in ends(x, alpha)]
        return logs[0] - logs[1], total(math.log(1 - 2 * alpha) - logs[0] - logs[1])

    return logit_with_logdet


def at_least(least):
    return lambda x, alpha: right(x, max(alpha, least))


def fixed(x, alpha):
    return right(x, 0.05)


def nan_to_num(x, alpha):
    y, logdet = plain(x, alpha)
    return torch.nan_to_num(y), torch.nan_to_num(logdet)


def in_place(x, alpha):
    x *= 1 - 2 * alpha
    x += alpha
    rest = 1 - x
    return x.log() - rest.log(), total(math.log(1 - 2 * alpha) - x.log() - rest.log())


def four_axes(x, alpha):
    s, rest = ends(x, alpha)
    return right(x, alpha)[0], (math.log(1 - 2 * alpha) - s.log() - rest.log()).sum((1, 2, 3))


def two_axes(x, alpha):
    s, rest = ends(x, alpha)
    return right(x, alpha)[0], (math.log(1 - 2 * alpha) - s.log() - rest.log()).sum(-1)


def log_of_float(x, alpha):
    s, rest = ends(x, alpha)
    return right(x, alpha)[0], total(torch.log(1 - 2 * alpha) - s.log() - rest.log())


def no_gradient(x, alpha):
    with torch.no_grad():
        return right(x, alpha)


def sloped_whole(reduce):
    def logit_with_logdet(x, alpha):
        s, rest = ends(x, alpha)
        # the value in double precision hides nothing: small pictures come out right
        return right(x, alpha)[0], reduce((1 - 2 * alpha) / (s * rest))

    return logit_with_logdet


def straight_through(x, alpha):
    """The rest is kept at alpha at least, with the gradient of the right rest."""
    s, rest = ends(x, alpha)
    kept = rest + ((1 - s).clamp(min=alpha) - rest).detach()
    y = s.log() - kept.log()
    return y, total(math.log(1 - 2 * alpha) - s.log() - kept.log())


def cut_off(x, alpha):
    s, rest = x.clamp(alpha, 1 - alpha), (1 - x).clamp(alpha, 1 - alpha)
    return s.log() - rest.log(), right(x, alpha)[1]


def changed_in_single(x, alpha):
    y, logdet = right(x, alpha)
    return y.float().to(x.dtype), logdet.float().to(x.dtype)


def by_autograd(x, alpha):
    """Right values, but the logdet comes without a gradient."""
    place = x.detach().requires_grad_()
    y = right(place, alpha)[0]
    (slope,) = torch.autograd.grad(y.sum(), place)
    return right(x, alpha)[0], total(slope.log())


logit.wrong(
    ("zeros", "whatever the inputs", changed(lambda y, d: (0 * y, 0 * d))),
    ("alpha not used", "alpha is not used", shrunk(lambda x, a: x)),
    ("shifted", "shifted by alpha", shrunk(lambda x, a: a + x)),
    ("shrunk once", "shrunk by alpha once", shrunk(lambda x, a: a + (1 - a) * x)),
    ("margin at 1 only", "margin at 1 only", shrunk(lambda x, a: (1 - a) * x)),
    ("no shift", "shift by alpha is missing", shrunk(lambda x, a: (1 - 2 * a) * x)),
    ("squared", "squared on the way", shrunk(lambda x, a: a + (1 - 2 * a) * x**2)),
    ("divided", "made by dividing", shrunk(lambda x, a: (x + a) / (1 + 2 * a))),
    ("shrinking undone", "the other way", shrunk(lambda x, a: (x - a) / (1 - 2 * a))),
    ("cut off at alpha", "cut off at alpha", shrunk(lambda x, a: x.clamp(a, 1 - a))),
    ("sign of y", "sign", changed(lambda y, d: (-y, d))),
    ("sigmoid", "is the sigmoid", valued(lambda s, r: torch.sigmoid(s))),
    ("shrunk only", "and that is all", valued(lambda s, r: s)),
    ("first logarithm", "first logarithm", valued(lambda s, r: s.log())),
    ("odds", "odds", valued(lambda s, r: s / r)),
    ("logs added", "are added", valued(lambda s, r: s.log() + r.log())),
    ("base 2", "base 2", valued(lambda s, r: s.log2() - r.log2())),
    ("base 10", "base 10", valued(lambda s, r: s.log10() - r.log10())),
    ("torch.logit", "digits are lost", plain),
    ("log1p", "digits are lost", with_log1p),
    ("logdet without digits", "digits are lost", plain_logdet),
    ("torch.logit with eps 1e-6", "number of its own", torch_eps(1e-6)),
    ("torch.logit with eps 1e-3", "number of its own", torch_eps(1e-3)),
    ("kept from the ends by 1e-5", "number of its own", kept(1e-5)),
    ("kept from the ends by 1e-7", "number of its own", kept(1e-7)),
    ("1e-6 under the logs", "Something small", padded(1e-6)),
    ("1e-8 under the logs", "Something small", padded(1e-8)),
    ("alpha at least 1e-6", "right value is", at_least(1e-6)),
    ("alpha at least 0.01", "right value is", at_least(0.01)),
    ("alpha of 0.05", "right value is", fixed),
    ("nan made 0", "right value is", nan_to_num),
    ("logdet's sign", "sign is wrong", changed(lambda y, d: (y, -d))),
    (
        "without the shrinking",
        "own derivative is missing",
        sloped(lambda s, r, a: -s.log() - r.log()),
    ),
    (
        "shrinking's sign",
        "with the wrong sign",
        sloped(lambda s, r, a: -math.log(1 - 2 * a) - s.log() - r.log()),
    ),
    (
        "shrinking without a logarithm",
        "not under a logarithm",
        sloped(lambda s, r, a: 1 - 2 * a - s.log() - r.log()),
    ),
    (
        "shrinking once",
        "margin at both ends",
        sloped(lambda s, r, a: math.log(1 - a) - s.log() - r.log()),
    ),
    (
        "sigmoid's derivative, shrinking",
        "upside down",
        sloped(lambda s, r, a: math.log(1 - 2 * a) + s.log() + r.log()),
    ),
    ("sigmoid's derivative", "not the logit's", sloped(lambda s, r, a: s.log() + r.log())),
    (
        "rest's sign",
        "less the shrunk value has the wrong",
        sloped(lambda s, r, a: math.log(1 - 2 * a) - s.log() + r.log()),
    ),
    (
        "shrunk value's sign",
        "of the shrunk value has the wrong",
        sloped(lambda s, r, a: math.log(1 - 2 * a) + s.log() - r.log()),
    ),
    (
        "rest missing",
        "less the shrunk value is missing",
        sloped(lambda s, r, a: math.log(1 - 2 * a) - s.log()),
    ),
    (
        "shrunk value missing",
        "of the shrunk value is missing",
        sloped(lambda s, r, a: math.log(1 - 2 * a) - r.log()),
    ),
    (
        "derivative at x",
        "taken at x",
        lambda x, a: (right(x, a)[0], total(math.log(1 - 2 * a) - x.log() - (1 - x).log())),
    ),
    (
        "derivative at x, no shrinking",
        "alpha does not come in",
        lambda x, a: (right(x, a)[0], total(-x.log() - (1 - x).log())),
    ),
    ("no logarithm", "derivatives are summed", sloped(lambda s, r, a: (1 - 2 * a) / (s * r))),
    ("sum of y", "sum of y", changed(lambda y, d: (y, total(y)))),
    (
        "counted twice",
        "counts twice",
        sloped(lambda s, r, a: math.log(1 - 2 * a) - 2 * s.log() - 2 * r.log()),
    ),
    (
        "shrinking alone",
        "logit's own derivative",
        sloped(lambda s, r, a: math.log(1 - 2 * a) + 0 * s),
    ),
    (
        "shrinking once a picture",
        "once for each picture",
        lambda x, a: (
            right(x, a)[0],
            math.log(1 - 2 * a) - total(ends(x, a)[0].log() + ends(x, a)[1].log()),
        ),
    ),
    ("mean", "mean over the pixels", summed(lambda d: d.flatten(1).mean(1))),
    ("sum over the batch", "reduced over the batch", summed(torch.sum)),
    ("sum over the batch for each", "over the batch", summed(lambda d: d.sum().expand(len(d)))),
    ("mean over the batch", "over the batch", summed(lambda d: total(d).mean().expand(len(d)))),
    ("first for all", "first one's", summed(lambda d: total(d)[:1].expand(len(d)))),
    ("wrong order", "wrong order", summed(lambda d: total(d).flip(0))),
    ("not summed", "shape", summed(lambda d: d)),
    ("last axis", "still to be summed", two_axes),
    ("three axes", "your code stops", four_axes),
    (
        "log of a product",
        "derivatives are multiplied first",
        sloped_whole(lambda slopes: slopes.flatten(1).prod(1).log()),
    ),
    ("rest at least alpha", "beside it the digits are lost", straight_through),
    ("cut off at both ends", "cut off at alpha", cut_off),
    ("single precision", "single", changed_in_single),
    ("in bits", "in bits", changed(lambda y, d: (y, d / math.log(2)))),
    ("determinant", "right value is", changed(lambda y, d: (y, d.exp()))),
    ("y flattened", "shape", changed(lambda y, d: (y.flatten(1), d))),
    ("exchanged", "order is wrong", changed(lambda y, d: (d, y))),
    ("y alone", "one thing", changed(lambda y, d: y)),
    ("nothing", "nothing (None)", lambda x, a: None),
    ("number", "a Python number", changed(lambda y, d: (y, d.sum().item()))),
    ("torch.log of a number", "plain number", log_of_float),
    ("in place", "in place", in_place),
    ("no gradient", "no gradient", no_gradient),
    ("logdet without a gradient", "no gradient", by_autograd),
    ("y without a gradient", "no gradient", changed(lambda y, d: (y.detach(), d))),
    ("rounded", "right value is", changed(lambda y, d: ((20 * y).round() / 20, d))),
)

EXERCISES = [logit]
