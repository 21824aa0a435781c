"""Answers to the exercise of notebook 01 on the one-sample ELBO."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from coursekit import checks
from mutants import Exercise

elbo = Exercise("one-sample-elbo", checks.one_sample_elbo, ("one_sample_elbo",))


def kl(mu, v):
    return 0.5 * (mu**2 + v.exp() - 1 - v).sum(1)


def log_bernoulli(x, a):
    return (x * a - F.softplus(a)).flatten(1).sum(1)


def elbo_with(
    scale=lambda v: (v / 2).exp(),
    likelihood=log_bernoulli,
    divergence=lambda mu, v, z: kl(mu, v),
    join=lambda a, b: a - b,
    z_of=None,
    encoded=lambda mu, v: (mu, v),
):
    """An ELBO with a part replaced."""

    def one_sample_elbo(x, encode, decode_logits, noise):
        mu, v = encoded(*encode(x))
        z = z_of(mu, v, noise) if z_of else mu + scale(v) * noise
        return join(likelihood(x, decode_logits(z)), divergence(mu, v, z))

    return one_sample_elbo


def elbo_by_distributions(x, encode, decode_logits, noise):
    mu, v = encode(x)
    q = Independent(Normal(mu, (v / 2).exp()), 1)
    p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    logits = decode_logits(q.base_dist.loc + q.base_dist.scale * noise)
    likelihood = Independent(Bernoulli(logits=logits, validate_args=False), x.dim() - 1)
    return likelihood.log_prob(x) - kl_divergence(q, p)


def elbo_pictures_apart(x, encode, decode_logits, noise):
    rows = []
    for picture, eps in zip(x.split(1), noise.split(1), strict=True):
        mu, v = encode(picture)
        a = decode_logits(torch.addcmul(mu, v.mul(0.5).exp(), eps))
        cost = F.binary_cross_entropy_with_logits(a, picture, reduction="sum")
        rows.append(-(cost + 0.5 * torch.sum(mu * mu + v.exp() - v - 1)))
    return torch.stack(rows)


def elbo_in_float64(x, encode, decode_logits, noise):
    mu, v = encode(x)
    z = (mu.double() + v.double().div(2).exp() * noise.double()).to(noise.dtype)
    return (log_bernoulli(x.double(), decode_logits(z).double()) - kl(mu.double(), v.double())).to(
        x
    )


elbo.right("by terms", elbo_with())
elbo.right("torch.distributions", elbo_by_distributions)
elbo.right("picture by picture, as a loss negated", elbo_pictures_apart)
elbo.right("float64 inside", elbo_in_float64)


def elbo_noise_in_place(x, encode, decode_logits, noise):
    mu, v = encode(x)
    z = noise.mul_((v / 2).exp()).add_(mu)
    return log_bernoulli(x, decode_logits(z)) - kl(mu, v)


def elbo_binarises_in_place(x, encode, decode_logits, noise):
    x.round_()
    return elbo_with()(x, encode, decode_logits, noise)


def elbo_draws(x, encode, decode_logits, noise):
    return elbo_with()(x, encode, decode_logits, torch.randn_like(noise))


def elbo_seeds_and_draws(x, encode, decode_logits, noise):
    torch.manual_seed(0)
    return elbo_with()(x, encode, decode_logits, torch.randn_like(noise))


def elbo_rsample(x, encode, decode_logits, noise):
    return elbo_with(z_of=lambda mu, v, n: Normal(mu, (v / 2).exp()).rsample())(
        x, encode, decode_logits, noise
    )


def elbo_without_gradient(x, encode, decode_logits, noise):
    with torch.no_grad():
        return elbo_with()(x, encode, decode_logits, noise)


def naive(x, a, eps=0.0):
    p = torch.sigmoid(a)
    return (x * (p + eps).log() + (1 - x) * (1 - p + eps).log()).flatten(1).sum(1)


def log_q_minus_log_p(mu, v, z):
    log_q = -0.5 * (v + (z - mu) ** 2 / v.exp()).sum(1)
    return log_q + 0.5 * (z**2).sum(1)


elbo.wrong(
    ("free bits", "right value is", elbo_with(join=lambda a, b: a - b.clamp(min=0.1))),
    ("log_var clamped", "right value is", elbo_with(encoded=lambda mu, v: (mu, v.clamp(-10, 10)))),
    ("likelihood limited", "right value is", elbo_with(join=lambda a, b: a.clamp(min=-100) - b)),
    (
        "softplus as standard deviation",
        "right value is",
        elbo_with(scale=torch.nn.functional.softplus),
    ),
    (
        "straight through",
        "gradient that reaches the encoder's log_var",
        elbo_with(z_of=lambda mu, v, n: mu + ((v / 2).exp() * n).detach()),
    ),
    ("zeros", "whatever the inputs", lambda x, e, d, n: torch.zeros(len(x))),
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
    ("beta of a half", "counts half", elbo_with(join=lambda a, b: a - b / 2)),
    ("mean over the batch", "over the batch", elbo_with(join=lambda a, b: (a - b).mean())),
    (
        "KL of the whole batch",
        "divergence is summed over the batch",
        elbo_with(join=lambda a, b: a - b.sum()),
    ),
    (
        "KL mean of the batch",
        "divergence is averaged over the batch",
        elbo_with(join=lambda a, b: a - b.mean()),
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
        elbo_with(likelihood=lambda x, a: (x * a - F.softplus(a)).flatten(1).mean(1)),
    ),
    (
        "mean over the latents",
        "mean over the latent dimensions",
        elbo_with(divergence=lambda mu, v, z: 0.5 * (mu**2 + v.exp() - 1 - v).mean(1)),
    ),
    ("noise times variance", "noise by the variance", elbo_with(scale=torch.exp)),
    ("noise times log_var", "noise by log_var", elbo_with(scale=lambda v: v)),
    ("noise times half of log_var", "noise by half of log_var", elbo_with(scale=lambda v: v / 2)),
    ("noise not scaled", "not multiplied", elbo_with(scale=torch.ones_like)),
    ("mean decoded", "noise is not used", elbo_with(z_of=lambda mu, v, n: mu)),
    ("noise decoded", "decode the noise", elbo_with(z_of=lambda mu, v, n: n)),
    (
        "noise subtracted",
        "noise comes in with the wrong sign",
        elbo_with(z_of=lambda mu, v, n: mu - (v / 2).exp() * n),
    ),
    (
        "scale and mean exchanged",
        "right value is",
        elbo_with(z_of=lambda mu, v, n: (v / 2).exp() + mu * n),
    ),
    (
        "one noise for all",
        "Only the first row",
        elbo_with(z_of=lambda mu, v, n: mu + (v / 2).exp() * n[:1]),
    ),
    ("draws its own noise", "drawn at random", elbo_draws),
    ("rsample", "drawn at random", elbo_rsample),
    ("seeds and draws", "does not change when noise", elbo_seeds_and_draws),
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
        "KL without means",
        "means are left out",
        elbo_with(divergence=lambda mu, v, z: kl(0 * mu, v)),
    ),
    (
        "log_var of the encoder taken for standard deviation",
        "noise by log_var",
        elbo_with(scale=lambda v: v),
    ),
    ("mu and log_var exchanged", "right value is", elbo_with(encoded=lambda mu, v: (v, mu))),
    (
        "sigmoid twice",
        "sigmoid is applied twice",
        elbo_with(likelihood=lambda x, a: log_bernoulli(x, a.sigmoid())),
    ),
    (
        "squared error",
        "squared error",
        elbo_with(likelihood=lambda x, a: -((x - a.sigmoid()) ** 2).flatten(1).sum(1)),
    ),
    (
        "right for binary x",
        "right value is",
        elbo_with(likelihood=lambda x, a: log_bernoulli(x.round(), a)),
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
            likelihood=lambda x, a: (
                -F.binary_cross_entropy(a.sigmoid(), x, reduction="none").flatten(1).sum(1)
            )
        ),
    ),
    ("first picture for all", "first one's", lambda *a: elbo_with()(*a)[:1].repeat(len(a[0]))),
    (
        "per pixel",
        "Nothing was summed",
        elbo_with(
            likelihood=lambda x, a: x * a - F.softplus(a), join=lambda a, b: a - b.view(-1, 1, 1, 1)
        ),
    ),
    ("broadcast", "broadcast", elbo_with(join=lambda a, b: a[:, None] - b)),
    ("keepdim", "axis of length 1", elbo_with(join=lambda a, b: (a - b)[:, None])),
    ("no gradient", "no gradient", elbo_without_gradient),
    (
        "draw detached",
        "gradient that reaches",
        elbo_with(z_of=lambda mu, v, n: (mu + (v / 2).exp() * n).detach()),
    ),
    ("KL detached", "gradient that reaches", elbo_with(join=lambda a, b: a - b.detach())),
    (
        "decoder detached",
        "no gradient reaches the decoder",
        elbo_with(likelihood=lambda x, a: log_bernoulli(x, a.detach())),
    ),
    (
        "standard deviation detached",
        "gradient that reaches the encoder's log_var",
        elbo_with(scale=lambda v: (v / 2).exp().detach()),
    ),
    (
        "torch.sample blocks",
        "gradient that reaches",
        elbo_with(z_of=lambda mu, v, n: (mu + (v / 2).exp() * n).data),
    ),
    ("noise in place", "in place", elbo_noise_in_place),
    ("picture rounded in place", "in place", elbo_binarises_in_place),
    ("bits", "bits", lambda *a: elbo_with()(*a) / math.log(2)),
    ("per dimension", "number of pixels", lambda *a: elbo_with()(*a) / a[0][0].numel()),
    (
        "only K = 2",
        "right value is",
        elbo_with(divergence=lambda mu, v, z: kl(mu[:, :2], v[:, :2])),
    ),
    (
        "784 pixels",
        "take it from the inputs",
        elbo_with(likelihood=lambda x, a: log_bernoulli(x.view(-1, 784), a.view(-1, 784))),
    ),
)

elbo.check_only["likelihood limited"] = "a drawn picture need not reach the limit"

EXERCISES = [elbo]
