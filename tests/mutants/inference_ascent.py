"""Answers to the exercise of notebook 04 on gradient ascent on a picture's own ELBO."""

import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Normal, kl_divergence

from coursekit import checks
from mutants import Exercise

ascent = Exercise("optimise-posterior", checks.optimise_posterior, ("optimise_posterior",))


def log_bernoulli(x, a):
    return (x * a - F.softplus(a)).sum(1)


def kl(mu, v):
    return 0.5 * (mu**2 + v.exp() - 1 - v).sum(1)


def ascent_with(
    z_of=lambda mu, v, n: mu + (v / 2).exp() * n,
    likelihood=log_bernoulli,
    divergence=kl,
    join=lambda a, b: (a - b).sum(),
    rows=lambda noises: noises,
    step=lambda value, slope, lr, t: value + lr * slope,
    finish=lambda mu, v: (mu, v),
):
    """The ascent with a part replaced."""

    def optimise_posterior(x, decode_logits, mu, log_var, noises, lr):
        psi = [mu.detach().clone(), log_var.detach().clone()]
        for t, noise in enumerate(rows(noises)):
            psi = [value.detach().requires_grad_() for value in psi]
            a = likelihood(x, decode_logits(z_of(*psi, noise)))
            slopes = torch.autograd.grad(join(a, divergence(*psi)), psi)
            psi = [step(value, slope, lr, t) for value, slope in zip(psi, slopes, strict=True)]
        return finish(*(value.detach() for value in psi))

    return optimise_posterior


def by_torch_optimiser(x, decode_logits, mu, log_var, noises, lr):
    mu, log_var = (value.detach().clone().requires_grad_() for value in (mu, log_var))
    stepper = torch.optim.SGD([mu, log_var], lr=lr)
    for noise in noises:
        q = Normal(mu, log_var.mul(0.5).exp())
        logits = decode_logits(q.loc + q.scale * noise)
        likelihood = Bernoulli(logits=logits).log_prob(x).sum()
        stepper.zero_grad()
        (kl_divergence(q, Normal(0.0, 1.0)).sum() - likelihood).backward()
        stepper.step()
    return mu.detach(), log_var.detach()


def pictures_apart(x, decode_logits, mu, log_var, noises, lr):
    found = []
    for b in range(len(x)):
        m, v = mu[b : b + 1].detach(), log_var[b : b + 1].detach()
        for noise in noises[:, b : b + 1]:
            m, v = m.clone().requires_grad_(), v.clone().requires_grad_()
            logits = decode_logits(m + torch.sqrt(v.exp()) * noise)
            elbo = -F.binary_cross_entropy_with_logits(logits, x[b : b + 1], reduction="sum")
            (elbo - kl(m, v).squeeze()).backward()
            with torch.no_grad():
                m, v = m + lr * m.grad, v + lr * v.grad
        found.append((m, v))
    return torch.cat([m for m, _ in found]), torch.cat([v for _, v in found])


ascent.right("autograd.grad", ascent_with())
ascent.right("torch's optimiser, a loss", by_torch_optimiser)
ascent.right("picture by picture", pictures_apart)


def by_optimiser(make, zero=True):
    def optimise_posterior(x, decode_logits, mu, log_var, noises, lr):
        mu, log_var = (value.detach().clone().requires_grad_() for value in (mu, log_var))
        stepper = make([mu, log_var], lr)
        for noise in noises:
            logits = decode_logits(mu + (log_var / 2).exp() * noise)
            if zero:
                stepper.zero_grad()
            (kl(mu, log_var) - log_bernoulli(x, logits)).sum().backward()
            stepper.step()
        return mu.detach(), log_var.detach()

    return optimise_posterior


def one_after_the_other(x, decode_logits, mu, log_var, noises, lr):
    psi = [mu.detach().clone(), log_var.detach().clone()]
    for noise in noises:
        for i in (0, 1):
            psi = [value.detach().requires_grad_() for value in psi]
            logits = decode_logits(psi[0] + (psi[1] / 2).exp() * noise)
            elbo = (log_bernoulli(x, logits) - kl(*psi)).sum()
            (slope,) = torch.autograd.grad(elbo, [psi[i]])
            psi[i] = psi[i] + lr * slope
    return psi[0].detach(), psi[1].detach()


def all_from_the_start(x, decode_logits, mu, log_var, noises, lr):
    psi = [value.detach().clone().requires_grad_() for value in (mu, log_var)]
    total = sum(
        (log_bernoulli(x, decode_logits(psi[0] + (psi[1] / 2).exp() * noise)) - kl(*psi)).sum()
        for noise in noises
    )
    slopes = torch.autograd.grad(total, psi)
    return tuple((value + lr * s).detach() for value, s in zip(psi, slopes, strict=True))


def one_history(x, decode_logits, mu, log_var, noises, lr):
    """Right numbers, with the whole history attached."""
    psi = [value.detach().clone().requires_grad_() for value in (mu, log_var)]
    for noise in noises:
        elbo = log_bernoulli(x, decode_logits(psi[0] + (psi[1] / 2).exp() * noise)) - kl(*psi)
        slopes = torch.autograd.grad(elbo.sum(), psi)
        psi = [value + lr * slope for value, slope in zip(psi, slopes, strict=True)]
    return psi[0], psi[1]


def leaves_returned(*arguments):
    return tuple(value.requires_grad_() for value in ascent_with()(*arguments))


def input_switched_on(x, decode_logits, mu, log_var, noises, lr):
    mu.requires_grad_()
    log_var.requires_grad_()
    return ascent_with()(x, decode_logits, mu, log_var, noises, lr)


def in_place(x, decode_logits, mu, log_var, noises, lr):
    for noise in noises:
        for value in (mu, log_var):
            value.requires_grad_()
        logits = decode_logits(mu + (log_var / 2).exp() * noise)
        elbo = (log_bernoulli(x, logits) - kl(mu, log_var)).sum()
        slopes = torch.autograd.grad(elbo, [mu, log_var])
        with torch.no_grad():
            mu += lr * slopes[0]
            log_var += lr * slopes[1]
    return mu.detach(), log_var.detach()


def data_in_place(x, decode_logits, mu, log_var, noises, lr):
    """Detached, but not cloned: the input is what moves."""
    psi = [mu.detach(), log_var.detach()]
    for noise in noises:
        leaves = [value.clone().requires_grad_() for value in psi]
        logits = decode_logits(leaves[0] + (leaves[1] / 2).exp() * noise)
        slopes = torch.autograd.grad((log_bernoulli(x, logits) - kl(*leaves)).sum(), leaves)
        for value, slope in zip(psi, slopes, strict=True):
            value.add_(slope, alpha=lr)
    return psi[0].clone(), psi[1].clone()


def needs_leaves(x, decode_logits, mu, log_var, noises, lr):
    """Takes .grad of what may not be a leaf."""
    mu, log_var = mu.clone(), log_var.clone()
    for value in (mu, log_var):
        value.requires_grad_()
    logits = decode_logits(mu + (log_var / 2).exp() * noises[0])
    (log_bernoulli(x, logits) - kl(mu, log_var)).sum().backward()
    if len(noises) > 1 and mu.grad is not None:
        return ascent_with()(x, decode_logits, mu, log_var, noises, lr)
    return (mu + lr * mu.grad).detach(), (log_var + lr * log_var.grad).detach()


def best_kept(x, decode_logits, mu, log_var, noises, lr):
    """Returns the parameters before the last step that were best on the last noise."""
    found = [
        ascent_with()(x, decode_logits, mu, log_var, noises[:t], lr) for t in range(len(noises) + 1)
    ]
    elbos = torch.stack(
        [
            log_bernoulli(x, decode_logits(m + (v / 2).exp() * noises[-1])) - kl(m, v)
            for m, v in found
        ]
    )
    top = elbos.argmax(dim=0)
    rows = torch.arange(len(x))
    return tuple(torch.stack([pair[i] for pair in found])[top, rows].detach() for i in (0, 1))


def only(index):
    def optimise_posterior(x, decode_logits, mu, log_var, noises, lr):
        psi = [mu.detach().clone(), log_var.detach().clone()]
        for noise in noises:
            psi[index].requires_grad_()
            logits = decode_logits(psi[0] + (psi[1] / 2).exp() * noise)
            elbo = (log_bernoulli(x, logits) - kl(*psi)).sum()
            (slope,) = torch.autograd.grad(elbo, [psi[index]])
            psi[index] = (psi[index] + lr * slope).detach()
        return psi[0], psi[1]

    return optimise_posterior


def through_the_encoder(x, decode_logits, mu, log_var, noises, lr):
    """Right numbers, by way of copies that are still attached."""
    mu, log_var = mu.clone(), log_var.clone()
    for noise in noises:
        for value in (mu, log_var):
            if not value.requires_grad:
                value.requires_grad_()
            value.retain_grad()
        logits = decode_logits(mu + (log_var / 2).exp() * noise)
        (log_bernoulli(x, logits) - kl(mu, log_var)).sum().backward()
        mu, log_var = ((v + lr * v.grad).detach() for v in (mu, log_var))
    return mu, log_var


def naive(x, a, eps=0.0):
    p = torch.sigmoid(a)
    return (x * (p + eps).log() + (1 - x) * (1 - p + eps).log()).sum(1)


def torch_cut_off(x, a):
    return -F.binary_cross_entropy(a.sigmoid(), x, reduction="none").sum(1)


def log_var_cut(low, high):
    def optimise_posterior(x, decode_logits, mu, log_var, noises, lr):
        return ascent_with()(x, decode_logits, mu, log_var.clamp(low, high), noises, lr)

    return optimise_posterior


bce = F.binary_cross_entropy_with_logits
ascent.wrong(
    ("zeros", "whatever the inputs", lambda x, d, mu, v, n, lr: (0 * mu.detach(), 0 * v.detach())),
    ("descent", "descent", ascent_with(step=lambda value, slope, lr, t: value - lr * slope)),
    ("loss climbed", "descent", ascent_with(join=lambda a, b: (b - a).sum())),
    (
        "mean over the batch",
        "average over the batch",
        ascent_with(join=lambda a, b: (a - b).mean()),
    ),
    (
        "torch's default mean, and a mean",
        "average over batch and pixels",
        ascent_with(likelihood=lambda x, a: -bce(a, x), join=lambda a, b: a - b.mean()),
    ),
    (
        "torch's default mean",
        "mean over batch and pixels",
        ascent_with(likelihood=lambda x, a: -bce(a, x), join=lambda a, b: a - b.sum()),
    ),
    (
        "mean over the pixels",
        "mean over the pixels",
        ascent_with(likelihood=lambda x, a: (x * a - F.softplus(a)).mean(1)),
    ),
    (
        "likelihood's mean, divergence's sum",
        "log-likelihood is averaged over the batch",
        ascent_with(join=lambda a, b: a.mean() - b.sum()),
    ),
    (
        "divergence's mean",
        "divergence is averaged over the batch",
        ascent_with(join=lambda a, b: a.sum() - b.mean()),
    ),
    (
        "divergence of all for each",
        "counted once for each",
        ascent_with(join=lambda a, b: (a - b.sum()).sum()),
    ),
    (
        "KL added",
        "divergence comes in with the wrong sign",
        ascent_with(join=lambda a, b: (a + b).sum()),
    ),
    (
        "cross-entropy",
        "log-likelihood comes in with the wrong sign",
        ascent_with(join=lambda a, b: (-a - b).sum()),
    ),
    (
        "no KL",
        "divergence from the prior is missing",
        ascent_with(join=lambda a, b: (a + 0 * b).sum()),
    ),
    ("KL without half", "counts twice", ascent_with(divergence=lambda mu, v: 2 * kl(mu, v))),
    ("KL halved twice", "counts half", ascent_with(divergence=lambda mu, v: kl(mu, v) / 2)),
    (
        "z detached",
        "moves nothing",
        ascent_with(z_of=lambda mu, v, n: (mu + (v / 2).exp() * n).detach()),
    ),
    (
        "standard deviation detached",
        "No gradient flows through the scale",
        ascent_with(z_of=lambda mu, v, n: mu + (v / 2).exp().detach() * n),
    ),
    (
        "mean detached",
        "the right value is",
        ascent_with(z_of=lambda mu, v, n: mu.detach() + (v / 2).exp() * n),
    ),
    (
        "noise times variance",
        "noise by the variance",
        ascent_with(z_of=lambda mu, v, n: mu + v.exp() * n),
    ),
    ("noise not scaled", "not multiplied", ascent_with(z_of=lambda mu, v, n: mu + n + 0 * v)),
    ("mean decoded", "decode the mean", ascent_with(z_of=lambda mu, v, n: mu + 0 * v)),
    ("first noise reused", "first row of noises", ascent_with(rows=lambda n: [n[0]] * len(n))),
    ("last noise reused", "last row of noises", ascent_with(rows=lambda n: [n[-1]] * len(n))),
    ("backwards", "from the last to the first", ascent_with(rows=lambda n: n.flip(0))),
    ("one noise for all", "first one's noise", ascent_with(rows=lambda n: n[:, :1].expand_as(n))),
    ("last step missing", "the last row of noises is not", ascent_with(rows=lambda n: n[:-1])),
    ("first step missing", "the first row of noises is not", ascent_with(rows=lambda n: n[1:])),
    ("return in the loop", "Only one step", ascent_with(rows=lambda n: n[:1])),
    ("a step too many", "step too many", ascent_with(rows=lambda n: [*n, n[-1]])),
    ("noises averaged", "are averaged", ascent_with(rows=lambda n: [n.mean(0)])),
    (
        "draws its own noise",
        "drawn at random",
        ascent_with(z_of=lambda mu, v, n: mu + (v / 2).exp() * torch.randn_like(n)),
    ),
    ("all gradients at the start", "taken at the start", all_from_the_start),
    (
        "gradients pile up",
        "pile up",
        by_optimiser(lambda psi, lr: torch.optim.SGD(psi, lr), zero=False),
    ),
    ("momentum", "momentum", by_optimiser(lambda psi, lr: torch.optim.SGD(psi, lr, momentum=0.9))),
    ("Adam", "Adam's", by_optimiser(lambda psi, lr: torch.optim.Adam(psi, lr))),
    (
        "sign",
        "Only the sign",
        ascent_with(step=lambda value, slope, lr, t: value + lr * slope.sign()),
    ),
    (
        "length 1",
        "length 1",
        ascent_with(step=lambda value, slope, lr, t: value + lr * slope / slope.norm()),
    ),
    (
        "gradient clipped",
        "cut off",
        ascent_with(step=lambda value, slope, lr, t: value + lr * slope.clamp(-0.5, 0.5)),
    ),
    (
        "steps get shorter",
        "get shorter",
        ascent_with(step=lambda value, slope, lr, t: value + lr / (t + 1) * slope),
    ),
    (
        "twice the step",
        "twice as long",
        ascent_with(step=lambda value, slope, lr, t: value + 2 * lr * slope),
    ),
    (
        "step of 0.1 always",
        "lr is not used",
        ascent_with(step=lambda value, slope, lr, t: value + 0.1 * slope),
    ),
    ("only mu", "Only mu moves", only(0)),
    ("only log_var", "Only log_var moves", only(1)),
    ("nothing moves", "Nothing moves", ascent_with(step=lambda value, slope, lr, t: value)),
    ("one after the other", "after mu has moved", one_after_the_other),
    ("best kept", "whatever the ELBO does", best_kept),
    ("exchanged", "are exchanged", ascent_with(finish=lambda mu, v: (v, mu))),
    ("variance", "return the variance", ascent_with(finish=lambda mu, v: (mu, v.exp()))),
    (
        "standard deviation",
        "return the standard deviation",
        ascent_with(finish=lambda mu, v: (mu, (v / 2).exp())),
    ),
    (
        "first picture for all",
        "first one's",
        ascent_with(finish=lambda mu, v: (mu[:1].expand_as(mu), v[:1].expand_as(v))),
    ),
    (
        "mean over the pictures",
        "of shape",
        ascent_with(finish=lambda mu, v: (mu.mean(0), v.mean(0))),
    ),
    ("mu alone", "one thing", ascent_with(finish=lambda mu, v: mu)),
    ("three", "3 things", ascent_with(finish=lambda mu, v: (mu, v, 0.0))),
    ("nothing", "nothing (None)", ascent_with(finish=lambda mu, v: None)),
    ("history attached", "gradient history", one_history),
    ("leaves returned", "gradient history", leaves_returned),
    ("input switched on", "requires_grad switched on at its input mu", input_switched_on),
    ("in place", "in place", data_in_place),
    ("input moved and switched on", "requires_grad switched on", in_place),
    ("through the encoder", "runs back through mu", through_the_encoder),
    ("from the probability", "rounds to 0 or 1", ascent_with(likelihood=naive)),
    (
        "with a small constant",
        "rounds to 0 or 1",
        ascent_with(likelihood=lambda x, a: naive(x, a, 1e-7)),
    ),
    (
        "torch's own, from the probability",
        "rounds to 0 or 1",
        ascent_with(likelihood=torch_cut_off),
    ),
    (
        "logits cut off",
        "the slope is lost",
        ascent_with(likelihood=lambda x, a: log_bernoulli(x, a.clamp(-10, 10))),
    ),
    ("log_var cut off", "cutting it off", log_var_cut(-10, 10)),
    ("log_var cut off above", "cutting it off", log_var_cut(-30, 10)),
    ("needs leaves", "history", needs_leaves),
)
# The probe's logits and variances are of ordinary size, and it reads numbers alone.
ascent.check_only = {
    "through the encoder": "the Gaussians are the right ones",
    "from the probability": "the probe's logits are small",
    "with a small constant": "the probe's logits are small",
    "torch's own, from the probability": "the probe's logits are small",
    "logits cut off": "the probe's logits are small",
    "log_var cut off": "the probe's variances are of ordinary size",
    "log_var cut off above": "the probe's variances are of ordinary size",
}

EXERCISES = [ascent]
