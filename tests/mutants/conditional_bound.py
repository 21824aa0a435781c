"""Answers to the exercise of notebook 05 on the conditional ELBO."""

import torch
import torch.nn.functional as F
from torch.distributions import Independent, Normal, kl_divergence

from coursekit import checks
from mutants import Exercise

bound = Exercise("conditional-elbo", checks.conditional_elbo, ("conditional_elbo",))


def log_likelihood(x, logits):
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


def kl_each(mu, v, mu_p, v_p):
    return 0.5 * (v_p - v + (v.exp() + (mu - mu_p) ** 2) / v_p.exp() - 1)


def made(
    kl=kl_each,
    scale=lambda v: (v / 2).exp(),
    z=None,
    total=lambda each: each.sum(1),
    likelihood=log_likelihood,
    join=lambda likelihood, kl: likelihood - kl,
):
    """The bound with one of its parts written in another way."""

    def answer(x, c, encode, decode_logits, prior, noise):
        mu, v = encode(x, c)
        mu_p, v_p = prior(c)
        latent = mu + scale(v) * noise if z is None else z(mu, v, mu_p, v_p, noise)
        return join(likelihood(x, decode_logits(latent, c)), total(kl(mu, v, mu_p, v_p)))

    return answer


right = made()


def by_distributions(x, c, encode, decode_logits, prior, noise):
    (mu, v), (mu_p, v_p) = encode(x, c), prior(c)
    q = Independent(Normal(mu, v.mul(0.5).exp()), 1)
    p = Independent(Normal(mu_p, v_p.mul(0.5).exp()), 1)
    logits = decode_logits(q.mean + q.stddev * noise, c)
    signs = 2 * x - 1
    return F.logsigmoid(signs * logits).sum(dim=-1) - kl_divergence(q, p)


def by_entropies(x, c, encode, decode_logits, prior, noise):
    """Cross-entropy of p under q, less q's entropy."""
    mu, v = encode(x, c)
    mu_p, v_p = prior(c)
    logits = decode_logits(torch.addcmul(mu, v.exp().sqrt(), noise), c)
    cross = 0.5 * (v_p + torch.exp(v - v_p) + (mu - mu_p).square() * torch.exp(-v_p))
    entropy = 0.5 * (1 + v)
    return (x * logits - F.softplus(logits)).sum(1) - (cross - entropy).sum(1)


bound.right("closed form", right)
bound.right("torch.distributions", by_distributions)
bound.right("entropies", by_entropies)


def standard(mu, v, *prior):
    return kl_each(mu, v, 0 * mu, 0 * v)


def call(change):
    """The bound with what the functions are given changed: takes and returns the arguments."""
    return lambda *a: right(*change(*a))


def through(**changes):
    """The bound with one of encode, decode_logits, prior wrapped."""

    def answer(x, c, encode, decode_logits, prior, noise):
        functions = {"encode": encode, "decode_logits": decode_logits, "prior": prior}
        for name, change in changes.items():
            functions[name] = change(functions[name])
        return right(x, c, *functions.values(), noise)

    return answer


def sampled(x, c, encode, decode_logits, prior, noise):
    (mu, v), (mu_p, v_p) = encode(x, c), prior(c)
    z = mu + (v / 2).exp() * noise
    log_q = Normal(mu, (v / 2).exp()).log_prob(z).sum(1)
    log_p = Normal(mu_p, (v_p / 2).exp()).log_prob(z).sum(1)
    return log_likelihood(x, decode_logits(z, c)) + log_p - log_q


def joint_alone(x, c, encode, decode_logits, prior, noise):
    (mu, v), (mu_p, v_p) = encode(x, c), prior(c)
    z = mu + (v / 2).exp() * noise
    return log_likelihood(x, decode_logits(z, c)) + Normal(mu_p, (v_p / 2).exp()).log_prob(z).sum(1)


def q_alone(x, c, encode, decode_logits, prior, noise):
    mu, v = encode(x, c)
    z = mu + (v / 2).exp() * noise
    return log_likelihood(x, decode_logits(z, c)) - Normal(mu, (v / 2).exp()).log_prob(z).sum(1)


def at_z(x, c, encode, decode_logits, prior, noise):
    mu, v = encode(x, c)
    z = mu + (v / 2).exp() * noise
    return log_likelihood(x, decode_logits(z, c)) - kl_each(z, v, *prior(c)).sum(1)


def roles_exchanged(x, c, encode, decode_logits, prior, noise):
    return right(x, c, lambda x, c: prior(c), decode_logits, lambda c: encode(x, c), noise)


def own_noise(x, c, encode, decode_logits, prior, noise):
    return right(x, c, encode, decode_logits, prior, torch.randn_like(noise))


def prior_detached(x, c, encode, decode_logits, prior, noise):
    return right(x, c, encode, decode_logits, lambda c: [t.detach() for t in prior(c)], noise)


def z_detached(x, c, encode, decode_logits, prior, noise):
    return right(x, c, encode, lambda z, c: decode_logits(z.detach(), c), prior, noise)


def encoder_detached(x, c, encode, decode_logits, prior, noise):
    return right(x, c, lambda x, c: [t.detach() for t in encode(x, c)], decode_logits, prior, noise)


def decoder_detached(x, c, encode, decode_logits, prior, noise):
    return right(x, c, encode, lambda z, c: decode_logits(z, c).detach(), prior, noise)


@torch.no_grad()
def without_gradient(*arguments):
    return right(*arguments)


def noise_in_place(x, c, encode, decode_logits, prior, noise):
    mu, v = encode(x, c)
    z = noise.mul_((v / 2).exp()).add_(mu)
    return log_likelihood(x, decode_logits(z, c)) - kl_each(mu, v, *prior(c)).sum(1)


def mean_in_place(x, c, encode, decode_logits, prior, noise):
    mu, v = encode(x, c)
    mu.add_((v / 2).exp() * noise)
    return log_likelihood(x, decode_logits(mu, c)) - kl_each(mu, v, *prior(c)).sum(1)


def x_in_place(x, *a):
    return right(x.mul_(2).sub_(1).add_(1).div_(3), *a)


def by_probabilities(small=0.0):
    def answer(x, logits):
        p = torch.sigmoid(logits)
        return (x * (p + small).log() + (1 - x) * (1 - p + small).log()).sum(1)

    return made(likelihood=answer)


def terms(shift=lambda d, v, p: d**2 / p.exp(), ratio=lambda v, p: (v - p).exp(), log=1, one=1):
    return lambda mu, v, m, p: 0.5 * (shift(mu - m, v, p) + ratio(v, p) - one - log * (v - p))


def reading(read, of_prior=None):
    of_prior = of_prior or read
    return made(kl=lambda mu, v, m, p: kl_each(mu, read(v), m, of_prior(p)))


bound.wrong(
    ("zeros", "whatever the inputs", lambda x, *a: torch.zeros(len(x))),
    ("prior N(0, I)", "compares with N(0, I)", made(kl=standard)),
    (
        "KL of the prior from N(0, I)",
        "encoder's answer is missing",
        made(kl=lambda mu, v, m, p: kl_each(m, p, 0 * m, 0 * p)),
    ),
    (
        "prior and posterior exchanged",
        "exchanged in the divergence",
        made(kl=lambda mu, v, m, p: kl_each(m, p, mu, v)),
    ),
    ("exchanged throughout", "exchanged throughout", roles_exchanged),
    (
        "z from the prior",
        "drawn from the prior",
        made(z=lambda mu, v, m, p, n: m + (p / 2).exp() * n),
    ),
    ("prior's mean decoded", "prior's mean: z belongs", made(z=lambda mu, v, m, p, n: m)),
    (
        "prior's spread",
        "prior's standard deviation",
        made(z=lambda mu, v, m, p, n: mu + (p / 2).exp() * n),
    ),
    (
        "means added",
        "mean is added to z",
        made(z=lambda mu, v, m, p, n: mu + m + (v / 2).exp() * n),
    ),
    ("variance in z", "by the variance", made(scale=torch.exp)),
    ("log_var in z", "by log_var", made(scale=lambda v: v)),
    ("half of log_var in z", "half of log_var", made(scale=lambda v: 0.5 * v)),
    ("root of log_var in z", "log_var for the variance", made(scale=lambda v: v.abs().sqrt())),
    ("divided in z", "noise is divided", made(scale=lambda v: (-v / 2).exp())),
    ("no spread", "not multiplied", made(scale=lambda v: 1.0)),
    ("noise subtracted", "is subtracted", made(scale=lambda v: -(v / 2).exp())),
    ("mean decoded", "noise is not used", made(scale=lambda v: 0.0)),
    ("noise decoded", "decode the noise", made(z=lambda mu, v, m, p, n: n)),
    ("mean missing", "missing from z", made(z=lambda mu, v, m, p, n: (v / 2).exp() * n)),
    ("noise reused", "first one's noise", call(lambda *a: (*a[:5], a[5][:1].expand_as(a[5])))),
    ("own noise", "drawn at random", own_noise),
    (
        "decoder without c",
        "positional argument",
        through(decode_logits=lambda decode: lambda z, c: decode(z)),
    ),
    (
        "decoder of one row",
        "positional argument",
        through(decode_logits=lambda decode: lambda z, c: decode(torch.cat([z, c], 1))),
    ),
    (
        "decoder told zeros",
        "decoder is not told",
        through(decode_logits=lambda decode: lambda z, c: decode(z, torch.zeros_like(c))),
    ),
    (
        "decoder told ones",
        "gets ones",
        through(decode_logits=lambda decode: lambda z, c: decode(z, torch.ones_like(c))),
    ),
    (
        "decoder exchanged",
        "decoder's arguments",
        through(decode_logits=lambda decode: lambda z, c: decode(c, z)),
    ),
    (
        "decoder told the first",
        "first picture's condition",
        through(decode_logits=lambda decode: lambda z, c: decode(z, c[[0] * len(c)])),
    ),
    (
        "encoder without c",
        "positional argument",
        through(encode=lambda encode: lambda x, c: encode(x)),
    ),
    (
        "encoder told zeros",
        "encoder is not told",
        through(encode=lambda encode: lambda x, c: encode(x, torch.zeros_like(c))),
    ),
    (
        "encoder exchanged",
        "encoder's arguments",
        through(encode=lambda encode: lambda x, c: encode(c, x)),
    ),
    (
        "encoder without x",
        "does not see the picture",
        through(encode=lambda encode: lambda x, c: encode(torch.zeros_like(x), c)),
    ),
    (
        "both exchanged",
        "encoder and decoder are exchanged",
        through(
            encode=lambda encode: lambda x, c: encode(c, x),
            decode_logits=lambda decode: lambda z, c: decode(c, z),
        ),
    ),
    (
        "prior told zeros",
        "prior is not told",
        through(prior=lambda prior: lambda c: prior(torch.zeros_like(c))),
    ),
    (
        "prior told the mean",
        "batch's mean condition",
        through(prior=lambda prior: lambda c: prior(c.mean(0, keepdim=True).expand_as(c))),
    ),
    (
        "prior told x",
        "prior c alone",
        lambda x, c, e, d, p, n: right(x, c, e, d, lambda c: p(x), n),
    ),
    (
        "prior without c",
        "positional argument",
        lambda x, c, e, d, p, n: right(x, c, e, d, lambda c: p(), n),
    ),
    ("KL from the draw", "closed form was asked", sampled),
    ("q left out", "q is missing", joint_alone),
    ("log q alone", "log q at the draw", q_alone),
    ("KL at z", "taken at z", at_z),
    (
        "prior's mean left out",
        "prior's mean is left out",
        made(kl=lambda mu, v, m, p: kl_each(mu, v, 0 * m, p)),
    ),
    (
        "prior's variance left out",
        "need not be 1",
        made(kl=lambda mu, v, m, p: kl_each(mu, v, m, 0 * p)),
    ),
    ("distance not scaled", "not measured in", made(kl=terms(lambda d, v, p: d**2))),
    (
        "distance over q's variance",
        "the prior's belongs",
        made(kl=terms(lambda d, v, p: d**2 / v.exp())),
    ),
    (
        "distance over p's deviation",
        "variance belongs there",
        made(kl=terms(lambda d, v, p: d**2 / (p / 2).exp())),
    ),
    (
        "distance times p's variance",
        "is multiplied",
        made(kl=terms(lambda d, v, p: d**2 * p.exp())),
    ),
    ("distance not squared", "not squared", made(kl=terms(lambda d, v, p: d / p.exp()))),
    ("distance's absolute value", "not squared", made(kl=terms(lambda d, v, p: d.abs() / p.exp()))),
    ("no means", "means are left out", made(kl=terms(lambda d, v, p: 0.0))),
    ("variances upside down", "upside down", made(kl=terms(ratio=lambda v, p: (p - v).exp()))),
    (
        "q's variance alone",
        "not divided by the prior's",
        made(kl=terms(ratio=lambda v, p: v.exp())),
    ),
    (
        "deviations' quotient",
        "in place of the variances",
        made(kl=terms(ratio=lambda v, p: (0.5 * (v - p)).exp())),
    ),
    ("no quotient", "quotient of the variances is missing", made(kl=terms(ratio=lambda v, p: 0.0))),
    ("logarithm's sign", "logarithm in the divergence has", made(kl=terms(log=-1))),
    ("no logarithm", "logarithm in the divergence is missing", made(kl=terms(log=0))),
    ("logarithm twice", "counts twice", made(kl=terms(log=2))),
    ("logarithm of the deviations", "counts half", made(kl=terms(log=0.5))),
    ("no one", "constant is missing", made(kl=terms(one=0))),
    ("one's sign", "constant has the wrong sign", made(kl=terms(one=-1))),
    ("no half", "counts twice", made(kl=lambda *a: 2 * kl_each(*a))),
    ("half twice", "counts half", made(kl=lambda *a: kl_each(*a) / 2)),
    ("log_var as variance", "taken for the variance, of both", reading(lambda v: v.abs().log())),
    ("log_var as log sigma", "logarithm of the standard", reading(lambda v: 2 * v)),
    ("sigma as variance", "are taken for the variances", reading(lambda v: v / 2)),
    (
        "prior's log_var as variance",
        "prior's log_var is taken for its",
        reading(lambda v: v, lambda p: p.abs().log()),
    ),
    (
        "prior's log_var as log sigma",
        "prior's log_var is taken for the log",
        reading(lambda v: v, lambda p: 2 * p),
    ),
    (
        "prior's log_var limited",
        "around -8",
        made(kl=lambda mu, v, m, p: kl_each(mu, v, m, p.clamp(-3, 4))),
    ),
    (
        "constant added to the prior's variance",
        "around -8",
        made(kl=lambda mu, v, m, p: kl_each(mu, v, m, (p.exp() + 1e-5).log())),
    ),
    ("free bits", "has the divergence a floor", made(total=lambda each: each.sum(1).clamp(0.1))),
    ("squeezed", "did a squeeze", lambda *a: right(*a).squeeze()),
    ("in place, mean", "what a function has returned", mean_in_place),
    ("loss", "negative bound", lambda *a: -right(*a)),
    ("KL added", "it is added", made(join=lambda likelihood, kl: likelihood + kl)),
    ("cross-entropy", "cross-entropy", made(join=lambda likelihood, kl: -likelihood - kl)),
    ("no KL", "divergence from the prior is missing", made(join=lambda likelihood, kl: likelihood)),
    ("no likelihood", "log-likelihood is missing", made(join=lambda likelihood, kl: -kl)),
    (
        "mean over the pixels",
        "mean over the pixels",
        made(likelihood=lambda x, logits: log_likelihood(x, logits) / x.shape[1]),
    ),
    ("mean over the latents", "mean over the latents", made(total=lambda each: each.mean(1))),
    (
        "two means",
        "Both terms are means",
        made(
            likelihood=lambda x, logits: log_likelihood(x, logits) / x.shape[1],
            total=lambda each: each.mean(1),
        ),
    ),
    ("KL of the batch", "summed over the batch", made(total=lambda each: each.sum())),
    (
        "mean KL of the batch",
        "divergence is averaged over the batch",
        made(total=lambda each: each.sum(1).mean()),
    ),
    (
        "torch's default mean",
        "average by default",
        made(likelihood=lambda x, logits: -F.binary_cross_entropy_with_logits(logits, x)),
    ),
    (
        "likelihood of the batch",
        "log-likelihood is summed",
        made(likelihood=lambda x, logits: log_likelihood(x, logits).sum()),
    ),
    (
        "mean likelihood of the batch",
        "log-likelihood is averaged",
        made(likelihood=lambda x, logits: log_likelihood(x, logits).mean()),
    ),
    ("mean of the batch", "over the batch too", lambda *a: right(*a).mean()),
    (
        "mean of the batch for each",
        "averaged over the batch",
        lambda *a: right(*a).mean().expand(len(a[0])),
    ),
    ("first for all", "first one's value", lambda *a: right(*a)[:1].expand(len(a[0]))),
    ("over the pixels", "number of pixels", lambda *a: right(*a) / a[0].shape[1]),
    (
        "sigmoid twice",
        "sigmoid is applied twice",
        made(likelihood=lambda x, logits: log_likelihood(x, torch.sigmoid(logits))),
    ),
    (
        "squared error",
        "squared error",
        made(likelihood=lambda x, logits: -((x - torch.sigmoid(logits)) ** 2).sum(1)),
    ),
    ("through probabilities", "breaks down", by_probabilities()),
    ("small constant", "hides it", by_probabilities(1e-7)),
    (
        "cross-entropy of probabilities",
        "hides it",
        made(
            likelihood=lambda x, logits: (
                -F.binary_cross_entropy(torch.sigmoid(logits), x, reduction="none").sum(1)
            )
        ),
    ),
    ("prior detached", "reaches the prior", prior_detached),
    ("z detached", "gradient that reaches the encoder", z_detached),
    ("encoder detached", "no gradient reaches the encoder", encoder_detached),
    ("decoder detached", "no gradient reaches the decoder", decoder_detached),
    ("no_grad", "no gradient", without_gradient),
    ("in place, noise", "in place", noise_in_place),
    ("in place, x", "in place", x_in_place),
    ("not summed", "Nothing was summed", made(total=lambda each: each)),
    ("not returned", "return", lambda *a: print(end="")),
)

EXERCISES = [bound]
