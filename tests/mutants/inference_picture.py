"""Answers to the exercise of notebook 04 on the ELBO of a picture with its own Gaussian."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from coursekit import checks
from mutants import Exercise

elbo = Exercise("picture-elbo", checks.picture_elbo, ("picture_elbo",))


def kl(mu, v):
    return 0.5 * (mu**2 + v.exp() - 1 - v).sum(1)


def log_bernoulli(x, a):
    return (x * a - F.softplus(a)).sum(1)


def elbo_with(
    scale=lambda v: (v / 2).exp(),
    likelihood=log_bernoulli,
    divergence=lambda mu, v, z: kl(mu, v),
    join=lambda a, b: a - b,
    z_of=None,
):
    """An ELBO with a part replaced."""

    def picture_elbo(x, mu, log_var, noise, decode_logits):
        z = z_of(mu, log_var, noise) if z_of else mu + scale(log_var) * noise
        return join(likelihood(x, decode_logits(z)), divergence(mu, log_var, z))

    return picture_elbo


def by_distributions(x, mu, log_var, noise, decode_logits):
    q = Independent(Normal(mu, (log_var / 2).exp()), 1)
    p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    logits = decode_logits(q.base_dist.loc + q.base_dist.scale * noise)
    return Independent(Bernoulli(logits=logits), 1).log_prob(x) - kl_divergence(q, p)


def pictures_apart(x, mu, log_var, noise, decode_logits):
    rows = []
    for b in range(len(x)):
        z = torch.addcmul(mu[b : b + 1], log_var[b : b + 1].mul(0.5).exp(), noise[b : b + 1])
        cost = F.binary_cross_entropy_with_logits(decode_logits(z), x[b : b + 1], reduction="sum")
        rows.append(-(cost + kl(mu[b : b + 1], log_var[b : b + 1]).squeeze()))
    return torch.stack(rows)


elbo.right("by terms", elbo_with())
elbo.right("torch.distributions", by_distributions)
elbo.right("picture by picture, as a loss negated", pictures_apart)


def noise_in_place(x, mu, log_var, noise, decode_logits):
    z = noise.mul_((log_var / 2).exp()).add_(mu)
    return log_bernoulli(x, decode_logits(z)) - kl(mu, log_var)


def halved_in_place(x, mu, log_var, noise, decode_logits):
    log_var *= 0.5
    return elbo_with()(x, mu, 2 * log_var, noise, decode_logits)


def without_gradient(*arguments):
    with torch.no_grad():
        return elbo_with()(*arguments)


def seeds_and_draws(x, mu, log_var, noise, decode_logits):
    torch.manual_seed(0)
    return elbo_with()(x, mu, log_var, torch.randn_like(mu), decode_logits)


def frozen_by_no_grad(x, mu, log_var, noise, decode_logits):
    """Freezes the decoder the wrong way: no gradient comes back through it either."""
    with torch.no_grad():
        logits = decode_logits(mu + (log_var / 2).exp() * noise)
    return log_bernoulli(x, logits) - kl(mu, log_var)


def copies_of_the_inputs(x, mu, log_var, noise, decode_logits):
    mu, log_var = (part.detach().clone().requires_grad_() for part in (mu, log_var))
    return elbo_with()(x, mu, log_var, noise, decode_logits)


def naive(x, a, eps=0.0):
    p = torch.sigmoid(a)
    return (x * (p + eps).log() + (1 - x) * (1 - p + eps).log()).sum(1)


def log_q_minus_log_p(mu, v, z):
    return (Normal(mu, (v / 2).exp()).log_prob(z) - Normal(0, 1).log_prob(z)).sum(1)


elbo.wrong(
    ("zeros", "whatever the inputs", lambda x, *rest: torch.zeros(len(x))),
    ("negative ELBO", "negative ELBO", elbo_with(join=lambda a, b: b - a)),
    ("KL added", "divergence comes in with the wrong sign", elbo_with(join=lambda a, b: a + b)),
    (
        "cross-entropy",
        "log-likelihood comes in with the wrong sign",
        elbo_with(join=lambda a, b: -a - b),
    ),
    ("no KL", "divergence from the prior is missing", elbo_with(join=lambda a, b: a)),
    ("no likelihood", "log-likelihood is missing", elbo_with(join=lambda a, b: -b)),
    ("KL without half", "counts twice", elbo_with(join=lambda a, b: a - 2 * b)),
    ("KL halved twice", "counts half", elbo_with(join=lambda a, b: a - b / 2)),
    ("mean over the batch", "over the batch", elbo_with(join=lambda a, b: (a - b).mean())),
    ("sum over the batch", "over the batch", elbo_with(join=lambda a, b: (a - b).sum())),
    (
        "KL of the whole batch",
        "divergence is summed over the batch",
        elbo_with(join=lambda a, b: a - b.sum()),
    ),
    (
        "likelihood of the batch",
        "log-likelihood is summed over the batch",
        elbo_with(join=lambda a, b: a.sum() - b),
    ),
    (
        "likelihood, torch's default mean",
        "mean over batch and pixels",
        elbo_with(likelihood=lambda x, a: -F.binary_cross_entropy_with_logits(a, x)),
    ),
    (
        "mean over the pixels",
        "mean over the pixels",
        elbo_with(likelihood=lambda x, a: (x * a - F.softplus(a)).mean(1)),
    ),
    (
        "mean over the latents",
        "mean over the latent dimensions",
        elbo_with(divergence=lambda mu, v, z: kl(mu, v) / mu.shape[1]),
    ),
    ("noise times variance", "noise by the variance", elbo_with(scale=torch.exp)),
    ("noise times log_var", "noise by log_var", elbo_with(scale=lambda v: v)),
    ("noise not scaled", "not multiplied", elbo_with(scale=torch.ones_like)),
    ("mean decoded", "noise is not used", elbo_with(z_of=lambda mu, v, n: mu)),
    ("noise decoded", "decode the noise", elbo_with(z_of=lambda mu, v, n: n)),
    (
        "noise subtracted",
        "noise comes in with the wrong sign",
        elbo_with(z_of=lambda mu, v, n: mu - (v / 2).exp() * n),
    ),
    (
        "mu and noise exchanged",
        "mean and the noise are exchanged",
        elbo_with(z_of=lambda mu, v, n: n + (v / 2).exp() * mu),
    ),
    (
        "mu and log_var exchanged",
        "mean and the log-variance are exchanged",
        lambda x, mu, v, n, d: elbo_with()(x, v, mu, n, d),
    ),
    (
        "one noise for all",
        "first one's noise",
        elbo_with(z_of=lambda mu, v, n: mu + (v / 2).exp() * n[:1]),
    ),
    (
        "draws its own noise",
        "drawn at random",
        elbo_with(z_of=lambda mu, v, n: mu + (v / 2).exp() * torch.randn_like(n)),
    ),
    ("seeds and draws", "does not change when noise", seeds_and_draws),
    ("KL from the draw", "closed form was asked", elbo_with(divergence=log_q_minus_log_p)),
    (
        "log q without log p",
        "prior is missing",
        elbo_with(divergence=lambda mu, v, z: Normal(mu, (v / 2).exp()).log_prob(z).sum(1)),
    ),
    ("KL at z", "divergence is taken at z", elbo_with(divergence=lambda mu, v, z: kl(z, v))),
    (
        "KL of log standard deviations",
        "log_var is taken for the logarithm of the standard",
        elbo_with(divergence=lambda mu, v, z: kl(mu, 2 * v)),
    ),
    (
        "sigmoid twice",
        "sigmoid is applied twice",
        elbo_with(likelihood=lambda x, a: log_bernoulli(x, a.sigmoid())),
    ),
    (
        "squared error",
        "squared error",
        elbo_with(likelihood=lambda x, a: -((x - a.sigmoid()) ** 2).sum(1)),
    ),
    ("naive likelihood", "rounds to 0 or 1", elbo_with(likelihood=naive)),
    (
        "likelihood with a constant",
        "small constant",
        elbo_with(likelihood=lambda x, a: naive(x, a, 1e-8)),
    ),
    (
        "likelihood of torch's",
        "-100",
        elbo_with(
            likelihood=lambda x, a: -F.binary_cross_entropy(a.sigmoid(), x, reduction="none").sum(1)
        ),
    ),
    ("first picture for all", "first one's", lambda *a: elbo_with()(*a)[:1].repeat(len(a[0]))),
    (
        "per pixel",
        "Nothing was summed",
        elbo_with(likelihood=lambda x, a: x * a - F.softplus(a), join=lambda a, b: a - b[:, None]),
    ),
    ("broadcast", "broadcast", elbo_with(join=lambda a, b: a[:, None] - b)),
    ("keepdim", "axis of length 1", elbo_with(join=lambda a, b: (a - b)[:, None])),
    ("no gradient", "no gradient reaches mu and log_var", without_gradient),
    ("gradient for copies", "no gradient reaches mu and log_var", copies_of_the_inputs),
    (
        "draw detached",
        "gradient that reaches mu and log_var is wrong",
        elbo_with(z_of=lambda mu, v, n: (mu + (v / 2).exp() * n).detach()),
    ),
    ("decoder under no_grad", "gradient that reaches mu and log_var is wrong", frozen_by_no_grad),
    (
        "standard deviation detached",
        "gradient that reaches log_var",
        elbo_with(scale=lambda v: (v / 2).exp().detach()),
    ),
    ("KL detached", "gradient that reaches", elbo_with(join=lambda a, b: a - b.detach())),
    ("noise in place", "in place", noise_in_place),
    ("log_var in place", "in place", halved_in_place),
    ("bits", "bits", lambda *a: elbo_with()(*a) / math.log(2)),
    ("per dimension", "number of pixels", lambda *a: elbo_with()(*a) / a[0].shape[1]),
)

EXERCISES = [elbo]
