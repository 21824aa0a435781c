"""Answers to the exercise of notebook 02 on a Beta log-density that was published with slips."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Beta, Dirichlet

from coursekit import checks
from mutants import Exercise

beta = Exercise("beta-bug", checks.beta_bug, ("beta_log_prob",))


def total(values):
    return values.flatten(1).sum(1)


def log_beta(a, b):
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)


def density(x, a, b):
    return (a - 1) * x.log() + (b - 1) * torch.log1p(-x) - log_beta(a, b)


def right(x, log_a, log_b, edge):
    return total(density(x.clamp(edge, 1 - edge), log_a.exp(), log_b.exp()))


def by_distribution(x, log_a, log_b, edge):
    inside = torch.clip(x, edge, 1 - edge)
    return Beta(log_a.exp(), log_b.exp()).log_prob(inside).sum(tuple(range(1, x.dim())))


def by_dirichlet(x, log_a, log_b, edge):
    inside = torch.minimum(torch.maximum(x, torch.full_like(x, edge)), torch.full_like(x, 1 - edge))
    pairs = torch.stack([log_a, log_b], dim=-1).exp()
    return total(Dirichlet(pairs).log_prob(torch.stack([inside, 1 - inside], dim=-1)))


def by_cross_entropy(x, log_a, log_b, edge):
    a, b = torch.exp(log_a).double(), torch.exp(log_b).double()
    x = x.double().clamp(min=edge).clamp(max=1 - edge)
    powers = torch.xlogy(a - 1, x) + torch.xlogy(b - 1, 1 - x)
    return (
        (powers + torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b))
        .reshape(len(x), -1)
        .sum(-1)
        .to(log_a.dtype)
    )


beta.right("as mended", right)
beta.right("torch.distributions", by_distribution)
beta.right("as a Dirichlet", by_dirichlet)
beta.right("xlogy, float64 inside", by_cross_entropy)


def mended(logs=True, sign=-1.0, clamped=True):
    """The published version with some of its slips mended."""

    def answer(x, log_a, log_b, edge):
        a, b = log_a.exp(), log_b.exp()
        x = x.clamp(edge, 1 - edge) if clamped else x
        left, right_one = (x.log(), torch.log1p(-x)) if logs else (x, 1 - x)
        return total((a - 1) * left + (b - 1) * right_one + sign * log_beta(a, b))

    return answer


def moved(move):
    return lambda x, log_a, log_b, edge: total(density(move(x, edge), log_a.exp(), log_b.exp()))


def inside(formula):
    return lambda x, log_a, log_b, edge: total(
        formula(x.clamp(edge, 1 - edge), log_a.exp(), log_b.exp())
    )


def made(a_from, b_from=None):
    def answer(x, log_a, log_b, edge):
        a, b = a_from(log_a), (b_from or a_from)(log_b)
        return total(density(x.clamp(edge, 1 - edge), a, b))

    return answer


def constant_under(x, log_a, log_b, edge):
    a, b = log_a.exp(), log_b.exp()
    return total((a - 1) * (x + edge).log() + (b - 1) * (1 - x + edge).log() - log_beta(a, b))


def powers_first(x, a, b):
    return torch.log(x ** (a - 1) * (1 - x) ** (b - 1)) - log_beta(a, b)


def powers_first_apart(x, a, b):
    return torch.log(x ** (a - 1)) + torch.log((1 - x) ** (b - 1)) - log_beta(a, b)


def limited(low, high):
    def answer(x, log_a, log_b, edge):
        return right(x, log_a.clamp(low, high), log_b.clamp(low, high), edge)

    return answer


def clamped_apart(x, log_a, log_b, edge):
    a, b = log_a.exp(), log_b.exp()
    left, right_one = x.clamp(min=edge).log(), (1 - x).clamp(min=edge).log()
    return total((a - 1) * left + (b - 1) * right_one - log_beta(a, b))


def edges_left_out(x, log_a, log_b, edge):
    each = density(x.clamp(edge, 1 - edge), log_a.exp(), log_b.exp())
    return total(torch.where((x > 0) & (x < 1), each, 0.0))


def gamma_itself(x, a, b):
    gamma = lambda t: torch.lgamma(t).float().exp()  # noqa: E731
    return (
        (a - 1) * x.log() + (b - 1) * torch.log1p(-x) - (gamma(a) * gamma(b) / gamma(a + b)).log()
    )


def in_place(x, log_a, log_b, edge):
    x.clamp_(edge, 1 - edge)
    return right(x, log_a, log_b, edge)


def a_in_place(x, log_a, log_b, edge):
    out = right(x, log_a, log_b, edge)
    log_a.data.exp_()
    return out


def wrapped(change):
    return lambda *arguments: change(right(*arguments))


beta.wrong(
    ("published", "still the published version", mended(False, 1.0, False)),
    ("published, clamped", "still the published version", mended(False, 1.0, True)),
    ("sign mended", "still without their logarithms", mended(False, -1.0, False)),
    ("sign and edges mended", "still without their logarithms", mended(False, -1.0, True)),
    ("logarithms mended", "still comes in with the wrong sign", mended(True, 1.0, False)),
    ("logarithms and edges mended", "still comes in with the wrong sign", mended(True, 1.0, True)),
    ("edges forgotten", "edge is not used", mended(True, -1.0, False)),
    ("edge under the logarithm", "under the logarithms", constant_under),
    ("powers first", "powers are formed before the logarithm", inside(powers_first)),
    ("powers first, apart", "powers are formed before the logarithm", inside(powers_first_apart)),
    ("log a from -5 to 8", "You limit log a", limited(-5.0, 8.0)),
    ("log a from -3 to 3", "You limit log a", limited(-3.0, 3.0)),
    ("log a at least -20", "You limit log a", limited(-20.0, None)),
    ("log a at most 8", "You limit log a", limited(None, 8.0)),
    ("clamped apart", "clamped separately", clamped_apart),
    ("squeezed", "squeeze", moved(lambda x, e: e + (1 - 2 * e) * x)),
    ("clamped with 1e-6", "number of your own", moved(lambda x, e: x.clamp(1e-6, 1 - 1e-6))),
    ("clamped with 1e-3", "number of your own", moved(lambda x, e: x.clamp(1e-3, 1 - 1e-3))),
    ("clamped below only", "the white ones are not", moved(lambda x, e: x.clamp(min=e))),
    ("clamped above only", "the black ones are not", moved(lambda x, e: x.clamp(max=1 - e))),
    ("clamped at edge twice", "does not change when x", moved(lambda x, e: x.clamp(e, e))),
    ("half of edge", "right value is", moved(lambda x, e: x.clamp(e / 2, 1 - e / 2))),
    ("edges left out", "Black and white pixels", edges_left_out),
    (
        "infinities mended by 0",
        "Black and white pixels",
        lambda x, log_a, log_b, edge: total(
            torch.nan_to_num(density(x, log_a.exp(), log_b.exp()), 0.0, 0.0, 0.0)
        ),
    ),
    (
        "a for a - 1",
        "one less",
        inside(lambda x, a, b: a * x.log() + b * torch.log1p(-x) - log_beta(a, b)),
    ),
    (
        "no normaliser",
        "normaliser is missing",
        inside(lambda x, a, b: (a - 1) * x.log() + (b - 1) * torch.log1p(-x)),
    ),
    (
        "two log-gammas",
        "that of a + b is missing",
        inside(lambda x, a, b: density(x, a, b) - torch.lgamma(a + b)),
    ),
    (
        "sign of the third",
        "log-gamma of a + b has the wrong sign",
        inside(lambda x, a, b: density(x, a, b) - 2 * torch.lgamma(a + b)),
    ),
    (
        "gamma of a b",
        "right value is",
        inside(lambda x, a, b: density(x, a, b) - torch.lgamma(a + b) + torch.lgamma(a * b)),
    ),
    (
        "log of x plus one",
        "right value is",
        inside(lambda x, a, b: (a - 1) * x.log() + (b - 1) * torch.log1p(x) - log_beta(a, b)),
    ),
    (
        "x in both",
        "right value is",
        inside(lambda x, a, b: (a - 1) * x.log() + (b - 1) * x.log() - log_beta(a, b)),
    ),
    (
        "one logarithm only",
        "right value is",
        inside(lambda x, a, b: (a - 1) * x.log() + (b - 1) * (1 - x) - log_beta(a, b)),
    ),
    ("gammas without their logarithm", "gamma function itself overflows", inside(gamma_itself)),
    (
        "a and b exchanged",
        "are exchanged",
        lambda x, log_a, log_b, edge: right(x, log_b, log_a, edge),
    ),
    ("logarithms as they are", "taken for a and b", made(torch.abs)),
    ("softplus", "softplus", made(F.softplus)),
    ("one more", "one too large", made(lambda t: 1 + t.exp())),
    ("only a exponentiated", "stops with", made(torch.exp, lambda t: t + "")),
    ("large a cut off", "right value is", made(lambda t: t.exp().clamp(max=50.0))),
    ("base 2", "bits", wrapped(lambda out: out / math.log(2))),
    ("mean over pixels", "mean over the pixels", lambda *t: right(*t) / t[0][0].numel()),
    ("sum over all", "over the batch", wrapped(torch.sum)),
    ("total for each", "over the batch", wrapped(lambda out: out.sum().expand(len(out)))),
    ("first picture for all", "first one's", wrapped(lambda out: out[:1].expand(len(out)))),
    (
        "wrong axis",
        "wrong axis",
        lambda x, log_a, log_b, edge: (
            density(x.clamp(edge, 1 - edge), log_a.exp(), log_b.exp()).flatten(1).sum(0)
        ),
    ),
    (
        "axis 1 only",
        "still to be summed",
        lambda x, log_a, log_b, edge: density(
            x.clamp(edge, 1 - edge), log_a.exp(), log_b.exp()
        ).sum(1),
    ),
    ("sign", "the sign is wrong", wrapped(torch.neg)),
    ("no log", "density itself", wrapped(torch.exp)),
    ("zeros", "whatever the inputs", wrapped(lambda out: torch.zeros(len(out)))),
    ("keepdim", "axis of length 1", wrapped(lambda out: out[:, None])),
    ("detached", "no gradient", wrapped(torch.detach)),
    (
        "log_b detached",
        "no gradient reaches log_b",
        lambda x, log_a, log_b, edge: right(x, log_a, log_b.detach(), edge),
    ),
    (
        "normaliser detached",
        "is wrong",
        inside(lambda x, a, b: density(x, a, b) + log_beta(a, b) - log_beta(a, b).detach()),
    ),
    ("in place", "in place", in_place),
    ("log_a changed at the end", "in place", a_in_place),
    (
        "float32 inside",
        "nearly right",
        lambda x, log_a, log_b, edge: right(x.float(), log_a.float(), log_b.float(), edge),
    ),
    ("three arguments", "arguments", lambda x, log_a, log_b: right(x, log_a, log_b, 1e-6)),
)

for title in ("log a from -5 to 8", "log a at least -20", "log a at most 8"):
    beta.check_only[title] = "the probe has no parameters that far out"

EXERCISES = [beta]
